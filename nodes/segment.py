"""Segment Face: face, hair or background, with FSGAN's soft edge."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ..faces import Crops
from ..host.device import compute_device
from ..host.memory import Hosted
from ..host.node_api import io, schema
from ..models import Parser
from ..ops.filters import soft_erosion
from ..ops.parsing import FACE, region_mask
from .chunks import in_chunks
from .inputs import mask_output
from .sockets import CropsSocket, ParserSocket

SEGMENTS = ("face", "hair", "background")
WIDTH = 21 / 256
"""Width of FSGAN's cone, of the crop's side."""


class SegmentFace(io.ComfyNode):
    """FL_CROPS + FL_PARSER -> FL_CROPS masked to one of three segments, and its MASKs."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomSegmentFace",
            display_name="Segment Face",
            category="FaceLoom/mask",
            description=(
                "Divides each crop into face, hair and background, and masks one of them with "
                "FSGAN's soft erosion: the hard mask ends a little inside the segment, the soft "
                "one fades out over its edge."
            ),
            search_aliases=["fsgan", "face segmentation", "soft erosion", "hair mask"],
            inputs=[
                CropsSocket.Input("crops", tooltip="Crops to look at."),
                ParserSocket.Input(
                    "parser", tooltip="From Load Face Parser: FSGAN's segmentation, or any other."
                ),
                io.Combo.Input(
                    "segment", options=list(SEGMENTS), default="face", tooltip="What to mask."
                ),
                io.Float.Input(
                    "width",
                    default=round(WIDTH, 3),
                    min=0.0,
                    max=0.5,
                    step=0.002,
                    tooltip="Width of the soft edge, relative to the crop; 0 leaves it hard.",
                ),
                io.Float.Input(
                    "threshold",
                    default=0.6,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="Share of segment around a pixel from which it is in the hard mask.",
                ),
                io.Int.Input(
                    "iterations",
                    default=1,
                    min=1,
                    max=10,
                    tooltip="How often to erode; more gives a wider fade.",
                ),
            ],
            outputs=[
                CropsSocket.Output(display_name="crops", tooltip="With the soft mask."),
                io.Mask.Output(display_name="soft", tooltip="For Blend Faces and Paste Faces."),
                io.Mask.Output(display_name="hard", tooltip="For Inpaint Face."),
            ],
        )

    @classmethod
    def execute(
        cls,
        crops: Crops,
        parser: Hosted[Parser],
        segment: str,
        width: float,
        threshold: float,
        iterations: int,
    ) -> io.NodeOutput:
        network, crops = parser.use(), crops.to(compute_device())
        # An odd number of pixels; below 3 there is nothing to average.
        kernel = 2 * int(width * crops.size / 2) + 1

        def look(rows: Tensor) -> tuple[Tensor, Tensor]:
            mask = segment_of(network.parse(crops[rows]), segment)
            if kernel < 3:
                return mask, mask
            return soft_erosion(mask, kernel, threshold, iterations)

        soft, hard = in_chunks(look, torch.arange(len(crops), device=crops.device))
        if crops.mask is not None:
            soft, hard = soft * crops.mask, hard * crops.mask
        return io.NodeOutput(replace(crops, mask=soft), mask_output(soft), mask_output(hard))


def segment_of(probabilities: Tensor, segment: str) -> Tensor:
    """Where a segment is the likeliest of the three: [N, 19, S, S] -> [N, 1, S, S] of 0 and 1."""
    face, hair = region_mask(probabilities, FACE), region_mask(probabilities, ("hair",))
    likeliest = torch.cat([face, hair, 1 - face - hair], 1).argmax(1, keepdim=True)
    return (likeliest == SEGMENTS.index(segment)).to(probabilities.dtype)
