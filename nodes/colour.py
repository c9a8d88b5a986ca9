"""Match Colour: the swapped face takes on the target's colours."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ..faces import Crops
from ..host.node_api import io, schema
from ..ops.colour import match_histogram, match_linear, match_mean_std
from ..ops.face_regions import features_mask
from ..ops.landmark_sets import IRIS_MESH, MESH
from ..ops.light import match_light
from .chunks import in_chunks
from .inputs import check_pair, landmarks_of, mask_of
from .sockets import CropsSocket

METHODS = {
    "mean and deviation": match_mean_std,
    "linear (MKL)": match_linear,
    "histogram": match_histogram,
}


class MatchColour(io.ComfyNode):
    """FL_CROPS + reference FL_CROPS -> FL_CROPS."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomMatchColour",
            display_name="Match Colour",
            category="FaceLoom/blend",
            description="Gives each crop the colours that the same place of the target has.",
            search_aliases=["color match", "color transfer", "reinhard", "colour transfer"],
            inputs=[
                CropsSocket.Input("crops", tooltip="Crops to recolour."),
                CropsSocket.Input("target", tooltip="The target's own crops, one for each."),
                io.Combo.Input(
                    "method",
                    options=list(METHODS),
                    default="linear (MKL)",
                    tooltip=(
                        "mean and deviation (in Lab): gentle. linear: also turns the colour axes. "
                        "histogram: closest, can break up flat skin."
                    ),
                ),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="0 leaves the colours, 1 matches them fully.",
                ),
                io.Float.Input(
                    "light",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="How far broad light and shade follow the target's, place by place.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Where colours are compared; without it inside the crops' own mask.",
                ),
            ],
            outputs=[CropsSocket.Output(display_name="crops")],
        )

    @classmethod
    def execute(
        cls,
        crops: Crops,
        target: Crops,
        method: str,
        strength: float,
        light: float,
        mask: Tensor | None = None,
    ) -> io.NodeOutput:
        target = check_pair(crops, target, "Match Colour")
        weight = mask_of(crops, mask, "Match Colour")

        def match(rows: Tensor) -> tuple[Tensor]:
            image, wanted, where = crops.image[rows], target.image[rows], weight[rows]
            image = torch.lerp(image, METHODS[method](image, wanted, where, where), strength)
            lit = match_light(image, wanted, skin_of(crops[rows], where))
            return (torch.lerp(image, lit, light),)

        (image,) = in_chunks(match, torch.arange(len(crops), device=crops.device))
        return io.NodeOutput(replace(crops, image=image))


def skin_of(crops: Crops, mask: Tensor) -> Tensor:
    """Leave out eyes, brows and lips where landmarks tell them: paint and gaze are no light."""
    landmarks = crops.faces.landmarks
    if landmarks is None or landmarks.shape[1] not in (MESH, IRIS_MESH):
        return mask
    return mask * (1 - features_mask(landmarks_of(crops, "Match Colour"), crops.size))
