"""Refine Face: what a swap lost of the target comes back."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from ..faces import Crops
from ..host.device import compute_device, half_precision
from ..host.memory import Hosted
from ..host.node_api import io, schema
from ..models import Refiner
from .chunks import in_chunks
from .inputs import check_crops, check_pair
from .sockets import CropsSocket, RefinerSocket


class RefineFace(io.ComfyNode):
    """FL_REFINER + swapped, target and rebuilt FL_CROPS -> FL_CROPS."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomRefineFace",
            display_name="Refine Face (HEAR)",
            category="FaceLoom/generate",
            description=(
                "Brings back what the swap lost of the target, guided by what Heuristic Error "
                "could not rebuild."
            ),
            search_aliases=["hear-net", "faceshifter", "occlusion"],
            inputs=[
                RefinerSocket.Input("refiner", tooltip="From Load Face Refiner."),
                CropsSocket.Input("crops", tooltip="The swapped faces, from Heuristic Error."),
                CropsSocket.Input("reconstructed", tooltip="From the same Heuristic Error."),
                CropsSocket.Input("target", tooltip="The crops that Heuristic Error was given."),
            ],
            outputs=[CropsSocket.Output(display_name="crops")],
        )

    @classmethod
    def execute(
        cls, refiner: Hosted[Refiner], crops: Crops, reconstructed: Crops, target: Crops
    ) -> io.NodeOutput:
        network, crops = refiner.use(), crops.to(compute_device())
        parts = [check_pair(crops, part, "Refine Face") for part in (target, reconstructed)]
        check_crops(network, crops, (crops.template,), "Refine Face")

        def refine(*images: Tensor) -> tuple[Tensor]:
            with half_precision():
                return (network.refine(*images).float(),)

        (image,) = in_chunks(refine, crops.image, *(part.image for part in parts))
        return io.NodeOutput(replace(crops, image=image))
