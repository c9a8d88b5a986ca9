"""Mix Identity Codes (MFIM): one face of several people, shape from one and detail from others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ..faces import Crops
from ..host.device import compute_device
from ..host.images import image_from_frames
from ..host.memory import Hosted
from ..host.node_api import io, schema
from ..models import Parser, StyleSwapper
from ..models.mixing import boundary_table, parse_table
from .inputs import check_crops, naming
from .pairing import source_row
from .sockets import CropsSocket, FeaturesSocket, SwapperSocket
from .styles import STYLE_INPUTS, Edit, Source, swap_styles

_NODE = "Mix Identity Codes (MFIM)"
_CELL = 256  # pixels a side of a picture in the grid


class MixIdentityCodes(io.ComfyNode):
    """FL_SWAPPER + target FL_CROPS + source FL_CROPS -> FL_CROPS, FL_FEATURES, IMAGE."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomMixIdentityCodes",
            display_name="Mix Identity Codes (MFIM)",
            category="FaceLoom/generate",
            description=(
                "Gives faces an identity mixed of several people's: coarse codes, the shape of "
                "the face, of one, and fine ones, eyes and skin, of another. For generators that "
                "read pictures."
            ),
            search_aliases=["id mixing", "mfim", "style mixing", "global and local identity"],
            inputs=[
                SwapperSocket.Input("swapper", tooltip="From Load Swap Generator."),
                CropsSocket.Input("crops", tooltip="The faces to replace, as for Swap Face."),
                CropsSocket.Input(
                    "global_source", tooltip="Source 1: whose shape they take, as for Swap Face."
                ),
                CropsSocket.Input(
                    "local_source", tooltip="Source 2: whose eyes and skin they take."
                ),
                CropsSocket.Input(
                    "more_sources",
                    optional=True,
                    tooltip="Source 3 and so on for the table, each of these crops one.",
                ),
                io.Int.Input(
                    "boundary",
                    default=14,
                    min=0,
                    max=26,
                    tooltip=(
                        "First code of the local source. MFIM has identity codes 8 to 25: those "
                        "up to 13 make maps of 32 and 64 px, the others finer ones."
                    ),
                ),
                io.String.Input(
                    "table",
                    default="",
                    multiline=True,
                    tooltip=(
                        "In place of boundary: which source each code is of, for example "
                        "8-10: 1, 11-13: 3, 14-25: 2. Every identity code once, every source."
                    ),
                ),
                io.Int.Input(
                    "grid",
                    default=3,
                    min=0,
                    max=8,
                    tooltip=(
                        "Most global and local sources in the preview, which mixes each with each "
                        "on the first face. Every cell is generated; 0 leaves the preview black."
                    ),
                ),
                *STYLE_INPUTS,
            ],
            outputs=[
                CropsSocket.Output(display_name="crops"),
                FeaturesSocket.Output(
                    display_name="features", tooltip="For Predict Face Mask; see keep_features."
                ),
                io.Image.Output(
                    display_name="preview",
                    tooltip=(
                        "The first face; to its right the local sources, below it the global "
                        "ones, and where they meet their mixtures."
                    ),
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        swapper: Hosted[StyleSwapper],
        crops: Crops,
        global_source: Crops,
        local_source: Crops,
        boundary: int,
        table: str,
        grid: int,
        more_sources: Crops | None = None,
        parser: Hosted[Parser] | None = None,
        truncation: float | None = None,
        keep_features: bool | None = None,
    ) -> io.NodeOutput:
        network, crops = _mixer(swapper), crops.to(compute_device())
        check_crops(network, crops, network.templates, _NODE)
        people = _people(crops, global_source, local_source, more_sources)
        rows = _table(network, table, boundary, len(people))
        edit = Edit(rows, 1.0 if truncation is None else truncation, features=bool(keep_features))
        looks = None if parser is None else parser.use()
        image, features = swap_styles(network, crops, people, looks, edit, _NODE)
        preview = _grid(network, crops[:1], image[:1], people, looks, edit, grid)
        return io.NodeOutput(replace(crops, image=image), features, image_from_frames(preview))


def _mixer(swapper: Hosted[StyleSwapper]) -> StyleSwapper:
    network = swapper.use()
    if isinstance(network, StyleSwapper):
        return network
    raise ValueError(
        f"{_NODE}: {network.name} reads identities, which have no codes to mix. Connect MFIM or "
        "RAFSwap, or mix the identities themselves with Mix Identities."
    )


def _people(target: Crops, one: Crops, other: Crops, more: Crops | None) -> list[Source]:
    """Every source, with the face of it that each target gets."""
    alone = [] if more is None else [more[[row]] for row in range(len(more))]
    everyone = [crops.to(target.device) for crops in (one, other, *alone)]
    return [Source(crops, source_row(len(crops), target.faces, _NODE).cpu()) for crops in everyone]


def _table(network: StyleSwapper, text: str, boundary: int, sources: int) -> tuple[int, ...]:
    """For each code the source that it comes from."""
    codes = len(network.mean)
    with naming(_NODE):
        if text.strip():
            return parse_table(text, codes, network.identity, sources)
        if sources > 2:
            raise ValueError(
                f"{sources} sources are connected, and boundary knows two. Say in table which "
                "code comes from which, or disconnect more_sources."
            )
        return boundary_table(codes, network.identity, boundary)


def _grid(
    network: StyleSwapper,
    crops: Crops,
    result: Tensor,
    people: Sequence[Source],
    parser: Parser | None,
    edit: Edit,
    most: int,
) -> Tensor:
    """Mixtures of each global source with each local one on one face: [1, 3, H, W].

    `result` is the face as it was mixed already.
    """
    one, other = (source.crops[:most] for source in people[:2])
    if not len(crops) or not len(one) or not len(other):
        return crops.image.new_zeros(1, 3, _CELL, _CELL)
    alone = all(len(source.crops) == 1 for source in people[:2])
    edit = edit._replace(features=False)
    columns = torch.arange(len(other))
    many = crops[[0] * len(other)]
    others = [Source(source.crops, source.rows[:1].expand_as(columns)) for source in people[2:]]
    rows = [torch.cat([_cell(crops.image), _cell(other.image)])]
    for row in range(len(one)):
        pair = Source(one, torch.full_like(columns, row)), Source(other, columns)
        mixed = result
        if not alone:
            mixed, _ = swap_styles(network, many, [*pair, *others], parser, edit, _NODE)
        rows.append(torch.cat([_cell(one[[row]].image), _cell(mixed)]))
    return torch.cat([torch.cat([*row], 2) for row in rows], 1).unsqueeze(0)


def _cell(image: Tensor) -> Tensor:
    return F.interpolate(image, (_CELL, _CELL), mode="bilinear", antialias=True)
