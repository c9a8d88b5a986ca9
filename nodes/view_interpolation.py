"""View Interpolation: a face out of the up to three views of a clip that are turned most alike."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ..faces import AppearanceMap, Crops
from ..host.device import compute_device
from ..host.memory import Hosted
from ..host.node_api import io, schema
from ..models import HeadPose, Reenactor
from ..models.classical import MeshReenactor
from ..ops.view_interpolation import sum_passes, view_passes, view_weights
from .chunks import in_chunks
from .inputs import mask_of, mask_output, naming
from .poses import poses_of_crops
from .reenact import Way, reenactment
from .sockets import AppearanceMapSocket, CropsSocket, HeadPoseSocket, ReenactorSocket

_LEAST = 1e-3  # of trust in all views together, from which it weighs their pictures


class ViewInterpolation(io.ComfyNode):
    """FL_APPEARANCE_MAP + target FL_CROPS -> FL_CROPS in the target's place."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomViewInterpolation",
            display_name="View Interpolation",
            category="FaceLoom/generate",
            description=(
                "Reenacts the views of a source clip that are turned most like each target face, "
                "up to three, and adds them up by how near they are. The mask is the target's, "
                "less what could not be carried over."
            ),
            search_aliases=["fsgan", "face reenactment", "source clip", "barycentric"],
            inputs=[
                AppearanceMapSocket.Input("appearance_map", tooltip="From Appearance Map."),
                CropsSocket.Input("target", tooltip="Crops of the faces to replace."),
                ReenactorSocket.Input(
                    "reenactor",
                    optional=True,
                    tooltip="From Load Reenactor; without it, the mesh warp.",
                ),
                HeadPoseSocket.Input(
                    "head_pose",
                    optional=True,
                    tooltip="The one of Appearance Map. Without it the landmarks tell the pose.",
                ),
            ],
            outputs=[
                CropsSocket.Output(display_name="crops"),
                io.Mask.Output(display_name="mask", tooltip="Where the source could be carried."),
            ],
        )

    @classmethod
    def execute(
        cls,
        appearance_map: AppearanceMap,
        target: Crops,
        reenactor: Hosted[Reenactor] | None = None,
        head_pose: Hosted[HeadPose] | None = None,
    ) -> io.NodeOutput:
        network: Reenactor = MeshReenactor() if reenactor is None else reenactor.use()
        target = target.to(compute_device())
        views, weights = _weights(appearance_map, target, head_pose)
        node, used = "View Interpolation", views[weights > 0]
        reenact = reenactment(network, appearance_map.crops, target, used, node, Way())

        def interpolate(rows: Tensor) -> tuple[Tensor, Tensor]:
            passes = view_passes(views[rows], weights[rows])
            image, trust = reenact(passes.view, rows[passes.target])
            plain, total = (sum_passes(each, passes, len(rows)) for each in (image, trust))
            weighed = sum_passes(image * trust, passes, len(rows)) / total.clamp(min=_LEAST)
            return torch.where(total > _LEAST, weighed, plain), total.clamp(max=1)

        with naming(node):
            image, trust = in_chunks(interpolate, torch.arange(len(target)))
        mask = trust * mask_of(target, None, node)
        return io.NodeOutput(replace(target, image=image, mask=mask), mask_output(mask))


def _weights(
    appearance_map: AppearanceMap, target: Crops, head_pose: Hosted[HeadPose] | None
) -> tuple[Tensor, Tensor]:
    """The views of each target face and their weights, [N, 3] both, on the CPU."""
    if not len(appearance_map) and len(target):
        raise ValueError(
            "View Interpolation: the map is empty, because no face was found in the source clip. "
            "Choose a clip that shows one, or lower the threshold of its Detect Faces."
        )
    if not len(target):
        return torch.zeros(0, 3, dtype=torch.int64), torch.zeros(0, 3)
    poses = poses_of_crops(target, head_pose, "View Interpolation").cpu()
    with naming("View Interpolation"):
        return view_weights(appearance_map.poses.cpu(), poses)
