"""Blend Faces: the swapped crop melts into the target crop."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from torch import Tensor

from ..faces import Crops
from ..host.device import compute_device, half_precision
from ..host.memory import Hosted
from ..host.node_api import io, schema
from ..models import Blender
from ..models.classical import PoissonBlender
from ..ops.composite import METHODS, composite
from .chunks import in_chunks
from .inputs import check_pair, fitting, mask_of
from .sockets import BlenderSocket, CropsSocket


class BlendFaces(io.ComfyNode):
    """FL_CROPS + target FL_CROPS -> FL_CROPS ready to paste."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomBlendFaces",
            display_name="Blend Faces",
            category="FaceLoom/blend",
            description="Blends each crop into the target's own crop along its mask.",
            search_aliases=["poisson", "seamless clone", "feather", "laplacian blend", "multiband"],
            inputs=[
                CropsSocket.Input("crops", tooltip="The swapped faces."),
                CropsSocket.Input("target", tooltip="The target's own crops, one for each."),
                io.Combo.Input(
                    "method",
                    options=list(METHODS),
                    default="poisson",
                    tooltip=(
                        "poisson: keeps the face's texture and takes brightness and tint from "
                        "around it. poisson mixed: also keeps the target's stronger edges. "
                        "gaussian: a soft edge. multiband: fine detail sharp, tones soft."
                    ),
                ),
                io.Float.Input(
                    "feather",
                    default=0.02,
                    min=0.0,
                    max=0.25,
                    step=0.01,
                    tooltip="Width of the soft edge, relative to the size of the face.",
                ),
                io.Float.Input(
                    "opacity",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="How much of the swap shows where it is pasted; 0 is the target.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Where the swap shows, instead of the crops' own mask.",
                ),
                BlenderSocket.Input(
                    "blender",
                    optional=True,
                    tooltip=(
                        "From Load Face Blender, instead of the method. It fits the tones inside "
                        "the mask; the edge is feathered as without it."
                    ),
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
        feather: float,
        opacity: float,
        mask: Tensor | None = None,
        blender: Hosted[Blender] | None = None,
    ) -> io.NodeOutput:
        crops = crops if blender is None else crops.to(compute_device())
        target = check_pair(crops, target, "Blend Faces")
        where = mask_of(crops, mask, "Blend Faces")
        blend = partial(composite, method=method, width=feather)
        if blender is not None:
            network = fitting(blender.use(), crops, "Blend Faces")
            blend = partial(_by_network, network, feather)
        image, support = in_chunks(blend, crops.image, target.image, where)
        return io.NodeOutput(replace(crops, image=image, mask=opacity * support))


def _by_network(
    network: Blender, width: float, source: Tensor, target: Tensor, mask: Tensor
) -> tuple[Tensor, Tensor]:
    """Let a network fit the tones, then feather as `composite` does."""
    if isinstance(network, PoissonBlender):
        return composite(source, target, mask, "poisson", width)
    with half_precision():
        fitted = network.blend(source, target, mask).float()
    return composite(fitted, target, mask, "gaussian", width)
