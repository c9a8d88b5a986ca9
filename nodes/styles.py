"""Swapping through the codes of a StyleGAN2: what Swap Face and Mix Identity Codes share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..faces import Crops
from ..faces.features import Features
from ..host.device import half_precision, intermediate_device
from ..host.node_api import io
from ..models import Parser, Portraits, StyleSwapper
from ..models.style_codes import StyleCodes, mix, truncate, weigh
from ..ops.parsing import CLASSES, REGIONS, hard_regions
from .chunks import in_chunks
from .inputs import naming
from .sockets import ParserSocket

_LOOK = 512  # pixels at which a face is parsed; region masks come to lie on 64

STYLE_INPUTS = (
    ParserSocket.Input(
        "parser",
        optional=True,
        tooltip="From Load Face Parser, for generators that look at regions: RAFSwap.",
    ),
    io.Float.Input(
        "truncation",
        default=1.0,
        min=0.0,
        max=1.0,
        step=0.05,
        optional=True,
        tooltip=(
            "Generators that read pictures only: below 1 pulls the face towards the mean face, "
            "which is 0. Less likeness, fewer accidents."
        ),
    ),
    io.Boolean.Input(
        "keep_features",
        default=False,
        optional=True,
        tooltip=(
            "Give the generator's maps out too, for Predict Face Mask. They take about 120 MB a "
            "face."
        ),
    ),
)
"""What the nodes that swap by style codes have in common."""


class Source(NamedTuple):
    """Faces that others become."""

    crops: Crops
    """Any number of them, aligned as the generator wants it, of any size."""
    rows: Tensor
    """[N] int64: which of them each target gets."""


class Edit(NamedTuple):
    """How codes are put together before they become faces."""

    table: Sequence[int] = ()
    """For each code, which of the sources it comes from; none at all: the first."""
    truncation: float = 1.0
    """Towards the mean face: 1 keeps the codes, 0 gives the mean."""
    strength: Sequence[float] = (1.0,)
    """From the target's own code, 0, to the swapped one, 1: one number, or one for each code."""
    features: bool = False
    """Whether the generator's maps are wanted."""


def swap_styles(
    network: StyleSwapper,
    crops: Crops,
    sources: Sequence[Source],
    parser: Parser | None,
    edit: Edit,
    node: str,
) -> tuple[Tensor, Features]:
    """Swap faces, one after the other: at 1024 px each needs much memory.

    Args:
        network: the generator, on the device of `crops`.
        crops: N faces to replace.
        sources: who they become.
        parser: finds the regions that some generators want.
        edit: what to do with the codes.
        node: who asks, for errors.

    Returns:
        [N, 3, S, S], and the features of N faces, empty unless asked for.

    Raises:
        ValueError: a source is aligned otherwise, regions are wanted and there is no parser that
            knows them, or `edit` does not suit the codes.
    """
    if not len(crops):
        return crops.image, Features((), network.name)
    for source in sources:
        check_source(network, source.crops, node)
    # A clip's many faces share few sources: each of those is parsed once.
    looked = [_look(network, source, parser, node) for source in sources]
    target = portraits(network, crops, parser, node)

    def swap(row: Tensor) -> tuple[Tensor, ...]:
        chosen = [_take(seen, rows[row]) for seen, rows in looked]
        with half_precision(), naming(node):
            codes = _codes(network, _take(target, row), chosen, edit)
            image, maps = network.generate(codes, edit.features)
        # A clip's maps would soon fill a GPU.
        return image.float(), *(each.to(intermediate_device()) for each in maps)

    image, *maps = in_chunks(swap, torch.arange(len(crops)), size=1)
    return image, Features(tuple(maps), network.name)


def portraits(network: StyleSwapper, crops: Crops, parser: Parser | None, node: str) -> Portraits:
    """Crops, with the masks of the regions that the generator wants.

    A face of which some are hidden has empty masks.

    Raises:
        ValueError: there is no parser, or it does not know one of the regions.
    """
    if not network.regions:
        return Portraits(crops.image)
    wanted = ", ".join(network.regions)
    if parser is None:
        raise ValueError(
            f"{node}: {network.name} wants to know where {wanted} are. Connect Load Face Parser "
            "to parser."
        )
    look = parser.parse

    def parse(rows: Tensor) -> tuple[Tensor, Tensor]:
        parsed = look(_reduced(crops[rows]))
        return hard_regions(parsed, network.regions), parsed.amax((2, 3))

    regions, most = in_chunks(parse, torch.arange(len(crops)))
    unknown = _never(most, network.regions)
    if unknown:
        raise ValueError(
            f"{node}: {network.name} wants to know where {wanted} are, and {parser.name} does not "
            f"know {', '.join(unknown)}. Choose another one in Load Face Parser: built-in, or "
            "BiSeNet."
        )
    return Portraits(crops.image, regions)


def check_source(network: StyleSwapper, crops: Crops, node: str) -> None:
    """Refuse sources of another alignment than the generator wants; they may have any size.

    Raises:
        ValueError: naming what came and what is wanted.
    """
    if crops.template in network.templates:
        return
    templates = " or ".join(network.templates)
    raise ValueError(
        f"{node}: {network.name} wants the source aligned to {templates}, got {crops.template}. "
        "Connect an Align Faces of the source with that template."
    )


def read_strength(text: str, node: str) -> tuple[float, ...]:
    """Read numbers parted by commas.

    Raises:
        ValueError: one of them is no number of 0 to 1, or there is none.
    """
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or not all(0 <= number <= 1 for number in numbers):
        raise ValueError(
            f"{node}: strength wants one number from 0 to 1, or one for each code with commas "
            f"between, coarse to fine; got {text!r}."
        )
    return numbers


def _codes(
    network: StyleSwapper, target: Portraits, sources: Sequence[Portraits], edit: Edit
) -> StyleCodes:
    """The codes of the swapped faces, edited."""
    whole = all(part == 1 for part in edit.strength)
    swapped = network.encode(target, *sources, *([] if whole else [target]))
    codes = mix(swapped[: len(sources)], edit.table) if edit.table else swapped[0]
    if not whole:
        one = len(edit.strength) == 1
        strength = [*edit.strength] * (len(codes.codes) if one else 1)
        codes = weigh(swapped[-1], codes, strength)
    return truncate(codes, network.mean, edit.truncation) if edit.truncation != 1 else codes


def _look(
    network: StyleSwapper, source: Source, parser: Parser | None, node: str
) -> tuple[Portraits, Tensor]:
    """What is seen of the faces that targets get, and which of these each target gets."""
    used, rows = torch.unique(source.rows, return_inverse=True)
    return portraits(network, source.crops[used], parser, node), rows


def _never(most: Tensor, regions: Sequence[str]) -> list[str]:
    """Regions that a parser does not know: what it does know is never quite impossible.

    Args:
        most: [N, 19], the largest probability of each class on each face.
        regions: keys of `REGIONS`.
    """
    possible = {name for name, row in zip(CLASSES, most.T, strict=True) if row.any()}
    return [region for region in regions if not possible & set(REGIONS[region])]


def _take(seen: Portraits, rows: Tensor) -> Portraits:
    rows = rows.to(seen.image.device)
    return Portraits(seen.image[rows], None if seen.regions is None else seen.regions[rows])


def _reduced(crops: Crops) -> Crops:
    """Large crops at the size that parsers look at: their maps are 19 times as large."""
    if crops.size <= _LOOK:
        return crops
    image = F.interpolate(crops.image, (_LOOK, _LOOK), mode="bilinear", antialias=True)
    return replace(crops, image=image, matrix=crops.matrix * (_LOOK / crops.size), mask=None)
