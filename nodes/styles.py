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
from ..host.device import half_precision
from ..models import Parser, Portraits, StyleSwapper
from ..models.style_codes import StyleCodes, mix, truncate, weigh
from ..ops.parsing import hard_regions
from .chunks import in_chunks
from .inputs import naming

_LOOK = 512  # pixels at which a face is parsed; region masks come to lie on 64


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
        ValueError: a source is aligned otherwise, regions are wanted and there is no parser, it
            finds none of them, or `edit` does not suit the codes.
    """
    if not len(crops):
        return crops.image, Features((), network.name)
    for source in sources:
        check_alignment(network, source.crops, "source", node)
    if network.regions and parser is None:
        raise ValueError(
            f"{node}: {network.name} wants to know where {', '.join(network.regions)} are. "
            "Connect Load Face Parser to parser."
        )
    # A clip's many faces share few sources: each of those is parsed once.
    looked = [_look(network, source, parser, node) for source in sources]
    target = portraits(network, crops, parser, node)

    def swap(row: Tensor) -> tuple[Tensor, ...]:
        chosen = [
            _take(seen, source.rows[row]) for seen, source in zip(looked, sources, strict=True)
        ]
        with half_precision(), naming(node):
            codes = _codes(network, _take(target, row), chosen, edit)
            image, maps = network.generate(codes, edit.features)
        return image.float(), *(each.float() for each in maps)

    image, *maps = in_chunks(swap, torch.arange(len(crops)), size=1)
    return image, Features(tuple(maps), network.name)


def portraits(network: StyleSwapper, crops: Crops, parser: Parser | None, node: str) -> Portraits:
    """Crops, with the masks of the regions that the generator wants.

    Raises:
        ValueError: the parser finds none of the regions on any face.
    """
    if not network.regions or parser is None:
        return Portraits(crops.image)
    look = parser.parse

    def parse(rows: Tensor) -> tuple[Tensor]:
        return (hard_regions(look(_reduced(crops[rows])), network.regions),)

    (regions,) = in_chunks(parse, torch.arange(len(crops)))
    if not regions.any():
        raise ValueError(
            f"{node}: the parser found no {', '.join(network.regions)} on any face. Some parsers "
            "do not know these classes: choose another one in Load Face Parser, and look at the "
            "faces with Parse Face."
        )
    return Portraits(crops.image, regions)


def check_crops(network: StyleSwapper, crops: Crops, node: str) -> None:
    """Refuse targets of another size or alignment than the generator gives.

    Raises:
        ValueError: naming what came and what is wanted.
    """
    check_alignment(network, crops, "crops", node)
    if len(crops) and crops.size != network.size:
        raise ValueError(
            f"{node}: {network.name} wants crops of {network.size} px, got {crops.size} px. Set "
            "size in Align Faces."
        )


def check_alignment(network: StyleSwapper, crops: Crops, name: str, node: str) -> None:
    """Refuse crops that are aligned otherwise than the generator wants.

    Raises:
        ValueError: naming what came and what is wanted.
    """
    if len(crops) and crops.template not in network.templates:
        raise ValueError(
            f"{node}: {network.name} wants {name} aligned to {' or '.join(network.templates)}, "
            f"got {crops.template}. Set template in Align Faces."
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


def _look(network: StyleSwapper, source: Source, parser: Parser | None, node: str) -> Portraits:
    """What is seen of the sources that targets get; of the others nothing is asked."""
    used = torch.unique(source.rows)
    seen = portraits(network, source.crops[used], parser, node)
    place = torch.zeros(len(source.crops), dtype=torch.int64)
    place[used] = torch.arange(len(used))
    return _take(seen, place)


def _take(seen: Portraits, rows: Tensor) -> Portraits:
    rows = rows.to(seen.image.device)
    return Portraits(seen.image[rows], None if seen.regions is None else seen.regions[rows])


def _reduced(crops: Crops) -> Crops:
    """Large crops at the size that parsers look at: their maps are 19 times as large."""
    if crops.size <= _LOOK:
        return crops
    image = F.interpolate(crops.image, (_LOOK, _LOOK), mode="bilinear", antialias=True)
    return replace(crops, image=image, matrix=crops.matrix * (_LOOK / crops.size), mask=None)
