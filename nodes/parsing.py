"""Parse Face, Occlusion Mask: what each pixel of a face is, and what covers it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from ..faces import Crops
from ..host.images import image_from_frames
from ..host.memory import Hosted
from ..host.node_api import io, schema
from ..models import Occluder, Parser
from ..ops.filters import gaussian_blur
from ..ops.masks import grow as grow_mask
from ..ops.parsing import FACE, REGIONS, paint_classes, region_mask, visible_face
from .chunks import in_chunks
from .inputs import mask_output
from .sockets import CropsSocket, OccluderSocket, ParserSocket


class ParseFace(io.ComfyNode):
    """FL_CROPS + FL_PARSER -> FL_CROPS with a mask of chosen regions, and the MASK."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomParseFace",
            display_name="Parse Face",
            category="FaceLoom/mask",
            description=(
                "Finds skin, hair, eyes and other regions, and masks those that are ticked. It "
                "stays inside a mask that the crops already carry."
            ),
            search_aliases=["face parsing", "segmentation", "bisenet", "hair mask", "skin mask"],
            inputs=[
                CropsSocket.Input("crops", tooltip="Crops to look at."),
                ParserSocket.Input("parser", tooltip="From Load Face Parser."),
                *(
                    io.Boolean.Input(
                        region,
                        default=region in FACE,
                        tooltip=f"Let the mask hold the {region.replace('_', ' ')}.",
                    )
                    for region in REGIONS
                ),
            ],
            outputs=[
                CropsSocket.Output(display_name="crops"),
                io.Mask.Output(display_name="mask", tooltip="One mask a crop, in crop space."),
                io.Image.Output(
                    display_name="preview", tooltip="The crops, each region in its own colour."
                ),
            ],
        )

    @classmethod
    def execute(cls, crops: Crops, parser: Hosted[Parser], **ticked: bool) -> io.NodeOutput:
        network = parser.use()
        regions = [region for region in REGIONS if ticked[region]]

        def look(rows: Tensor) -> tuple[Tensor, Tensor]:
            parsing = network.parse(crops[rows])
            return region_mask(parsing, regions), paint_classes(crops.image[rows], parsing)

        mask, preview = in_chunks(look, torch.arange(len(crops), device=crops.device))
        mask = _within(crops, mask)
        blank = crops.image.new_zeros(1, 3, crops.size, crops.size)
        return io.NodeOutput(
            replace(crops, mask=mask),
            mask_output(mask),
            image_from_frames(preview if len(crops) else blank),
        )


class OcclusionMask(io.ComfyNode):
    """FL_CROPS + FL_PARSER or FL_OCCLUDER -> FL_CROPS masked where the face is in view."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomOcclusionMask",
            display_name="Occlusion Mask",
            category="FaceLoom/mask",
            description=(
                "Masks the face where it is seen, without the hair, hand or glasses in front of "
                "it. A parser knows skin, brows, eyes, nose, lips and mouth; an occluder sees "
                "things. With both, only what both call face counts. Before Reenact Face, it "
                "belongs on the source's crops as well as on the target's."
            ),
            search_aliases=["occluder", "xseg", "visible face", "hand in front of face"],
            inputs=[
                CropsSocket.Input("crops", tooltip="Crops of faces."),
                ParserSocket.Input(
                    "parser", optional=True, tooltip="From Load Face Parser; this or an occluder."
                ),
                OccluderSocket.Input(
                    "occluder", optional=True, tooltip="From Load Face Occluder; this or a parser."
                ),
                io.Float.Input(
                    "grow",
                    # Hair ends in strands that no network follows: 6 px of 512 leave them out.
                    default=-0.012,
                    min=-0.2,
                    max=0.2,
                    step=0.002,
                    tooltip=(
                        "How far to widen the mask, relative to the crop; negative shrinks it, so "
                        "that no strand of hair stays at its edge."
                    ),
                ),
                io.Float.Input(
                    "soften",
                    default=0.004,
                    min=0.0,
                    max=0.1,
                    step=0.001,
                    tooltip="How softly the mask ends, relative to the crop.",
                ),
            ],
            outputs=[
                CropsSocket.Output(display_name="crops"),
                io.Mask.Output(display_name="mask", tooltip="The face in view, in crop space."),
            ],
        )

    @classmethod
    def execute(
        cls,
        crops: Crops,
        grow: float,
        soften: float,
        parser: Hosted[Parser] | None = None,
        occluder: Hosted[Occluder] | None = None,
    ) -> io.NodeOutput:
        see = _seer(parser, occluder)

        def look(rows: Tensor) -> tuple[Tensor]:
            mask = grow_mask(see(crops[rows]), grow * crops.size)
            return (gaussian_blur(mask, soften * crops.size).clamp(0, 1),)

        (mask,) = in_chunks(look, torch.arange(len(crops), device=crops.device))
        mask = _within(crops, mask)
        return io.NodeOutput(replace(crops, mask=mask), mask_output(mask))


def _seer(
    parser: Hosted[Parser] | None, occluder: Hosted[Occluder] | None
) -> Callable[[Crops], Tensor]:
    """What finds the visible face [N,1,S,S] of crops: where the models that are there agree."""
    if parser is None and occluder is None:
        raise ValueError(
            "Occlusion Mask: nothing tells what covers the face. Connect Load Face Parser, "
            "Load Face Occluder, or both."
        )
    parse = None if parser is None else parser.use()
    occlude = None if occluder is None else occluder.use()

    def see(crops: Crops) -> Tensor:
        views = [] if parse is None else [visible_face(parse.parse(crops))]
        views += [] if occlude is None else [occlude.visible(crops)]
        return torch.stack(views).amin(0)

    return see


def _within(crops: Crops, mask: Tensor) -> Tensor:
    """A mask [N,1,S,S], kept inside the one that the crops carry."""
    return mask if crops.mask is None else mask * crops.mask
