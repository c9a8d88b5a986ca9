"""Inpaint Face: fills what a crop's mask leaves open."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from ..faces import Crops
from ..host.node_api import io, schema
from ..ops.inpaint import Method, fill
from .chunks import in_chunks
from .inputs import mask_of
from .sockets import CropsSocket


class InpaintFace(io.ComfyNode):
    """FL_CROPS with a hole -> FL_CROPS without."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomInpaintFace",
            display_name="Inpaint Face",
            category="FaceLoom/generate",
            description=(
                "Fills hidden or missing parts of a face from what surrounds them, without a "
                "network. For more than small holes, edit the crops with an inpainting model."
            ),
            search_aliases=["fill face", "complete face", "remove occlusion"],
            inputs=[
                CropsSocket.Input("crops", tooltip="Faces with missing parts."),
                io.Mask.Input("hole", tooltip="What to fill, one mask a crop or one for all."),
                io.Combo.Input(
                    "method",
                    options=["mirror", "smooth"],
                    default="mirror",
                    tooltip=(
                        "mirror: from the other half of the face where that is visible, else "
                        "smooth. smooth: a soft continuation of the surroundings."
                    ),
                ),
            ],
            outputs=[CropsSocket.Output(display_name="crops")],
        )

    @classmethod
    def execute(cls, crops: Crops, hole: Tensor, method: Method) -> io.NodeOutput:
        holes = mask_of(crops, hole, "Inpaint Face")
        (image,) = in_chunks(lambda image, hole: (fill(image, hole, method),), crops.image, holes)
        return io.NodeOutput(replace(crops, image=image))
