"""Inpaint Face: fills what a crop's mask leaves open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from torch import Tensor

from ..faces import Crops
from ..host.device import compute_device, half_precision
from ..host.memory import Hosted
from ..host.node_api import io, schema
from ..models import Inpainter
from ..ops.inpaint import Method, fill
from .chunks import in_chunks
from .inputs import fitting, mask_of
from .sockets import CropsSocket, InpainterSocket


class InpaintFace(io.ComfyNode):
    """FL_CROPS with a hole -> FL_CROPS without."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomInpaintFace",
            display_name="Inpaint Face",
            category="FaceLoom/generate",
            description=(
                "Fills hidden or missing parts of a face: without a network from what surrounds "
                "them, or by one from Load Face Inpainter. Any inpainting model can do it instead, "
                "between Crops to Image and Image to Crops."
            ),
            search_aliases=["fill face", "complete face", "remove occlusion", "fsgan"],
            inputs=[
                CropsSocket.Input("crops", tooltip="Faces with missing parts."),
                io.Combo.Input(
                    "method",
                    options=["mirror", "smooth"],
                    default="mirror",
                    tooltip=(
                        "Without an inpainter. mirror: from the other half of the face where that "
                        "is visible, else smooth. smooth: a soft continuation of the surroundings."
                    ),
                ),
                io.Mask.Input(
                    "hole",
                    optional=True,
                    tooltip="What to fill, one mask a crop or one for all; this, or face.",
                ),
                io.Mask.Input(
                    "face",
                    optional=True,
                    tooltip=(
                        "Where a face is wanted, such as Segment Face's mask of the target: what "
                        "of it the crops' own mask leaves open is filled, and the mask becomes it."
                    ),
                ),
                InpainterSocket.Input(
                    "inpainter",
                    optional=True,
                    tooltip="From Load Face Inpainter, instead of the method.",
                ),
            ],
            outputs=[CropsSocket.Output(display_name="crops")],
        )

    @classmethod
    def execute(
        cls,
        crops: Crops,
        method: Method,
        hole: Tensor | None = None,
        face: Tensor | None = None,
        inpainter: Hosted[Inpainter] | None = None,
    ) -> io.NodeOutput:
        crops = crops if inpainter is None else crops.to(compute_device())
        known, wanted = _masks(crops, hole, face)
        inpaint = _without_network(method)
        if inpainter is not None:
            inpaint = _by_network(fitting(inpainter.use(), crops, "Inpaint Face"))
        (image,) = in_chunks(inpaint, crops.image, known, wanted)
        mask = crops.mask if face is None else wanted
        return io.NodeOutput(replace(crops, image=image, mask=mask))


_Inpaint: TypeAlias = Callable[[Tensor, Tensor, Tensor], tuple[Tensor]]


def _without_network(method: Method) -> _Inpaint:
    return lambda image, known, wanted: (fill(image, wanted * (1 - known), method),)


def _by_network(network: Inpainter) -> _Inpaint:
    def inpaint(image: Tensor, known: Tensor, wanted: Tensor) -> tuple[Tensor]:
        with half_precision():
            filled = network.inpaint(image, known, wanted).float()
        return (image.lerp(filled, wanted * (1 - known)),)

    return inpaint


def _masks(crops: Crops, hole: Tensor | None, face: Tensor | None) -> tuple[Tensor, Tensor]:
    """Where the picture is known, and where a face is wanted: [N, 1, S, S] both."""
    if (hole is None) == (face is None):
        got = "nothing says what is missing" if hole is None else "both hole and face are connected"
        raise ValueError(
            f"Inpaint Face: {got}. Connect a MASK of what to fill to hole, or one of where a face "
            "is wanted to face."
        )
    if face is not None:
        return mask_of(crops, None, "Inpaint Face"), mask_of(crops, face, "Inpaint Face")
    missing = mask_of(crops, hole, "Inpaint Face")
    own = mask_of(crops, None, "Inpaint Face")
    return 1 - missing, own.maximum(missing)
