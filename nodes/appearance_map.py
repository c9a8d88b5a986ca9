"""Appearance Map: the views that a clip shows of a face, as FSGAN chooses and joins them."""

from __future__ import annotations

import torch
from torch import Tensor

from ..faces import AppearanceMap as Views
from ..faces import Crops
from ..faces.tracklets import chronological, tracklets
from ..host.images import image_from_frames
from ..host.memory import Hosted
from ..host.node_api import io, schema
from ..models import HeadPose
from ..ops.appearance_map import fuse_poses
from ..ops.appearance_picture import draw_appearance_map
from ..ops.sharpness import sharpness
from .inputs import naming
from .poses import poses_of_crops
from .sockets import AppearanceMapSocket, CropsSocket, HeadPoseSocket

DENSEST, SHARPEST = "densest", "sharpest"


class AppearanceMap(io.ComfyNode):
    """Source FL_CROPS -> FL_APPEARANCE_MAP, and an IMAGE of it."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomAppearanceMap",
            display_name="Appearance Map",
            category="FaceLoom/generate",
            description=(
                "Chooses the views of a face that a clip has to offer, by how the head is turned, "
                "and joins them to triangles, for View Interpolation. One picture is a map of one "
                "view."
            ),
            search_aliases=["fsgan", "delaunay", "yaw pitch", "view interpolation", "source clip"],
            inputs=[
                CropsSocket.Input(
                    "source",
                    tooltip=(
                        "Crops of one person's face in all frames of a clip. Others in view go "
                        "with Select Faces or Match Identity."
                    ),
                ),
                io.Float.Input(
                    "radius",
                    default=2.0,
                    min=0.0,
                    max=30.0,
                    step=0.5,
                    tooltip=(
                        "Views whose yaw and pitch differ by no more than this, in degrees, are "
                        "alike: one of them is kept. 0 keeps all that differ."
                    ),
                ),
                io.Combo.Input(
                    "keep",
                    options=[DENSEST, SHARPEST],
                    default=DENSEST,
                    tooltip="Of views that are alike: the one with most others around, or the "
                    "sharpest, for clips with motion blur.",
                ),
                HeadPoseSocket.Input(
                    "head_pose",
                    optional=True,
                    tooltip="From Load Head Pose. Without it the landmarks tell the pose.",
                ),
                CropsSocket.Input(
                    "target",
                    optional=True,
                    tooltip="The faces to replace: the picture shows the way they take.",
                ),
            ],
            outputs=[
                AppearanceMapSocket.Output(display_name="appearance_map"),
                io.Image.Output(
                    display_name="picture",
                    tooltip=(
                        "Yaw to the right, pitch upwards. Yellow: views kept; grey: views dropped; "
                        "blue: the triangles they form; red: the way of the targets, from the "
                        "large dot on."
                    ),
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        source: Crops,
        radius: float,
        keep: str,
        head_pose: Hosted[HeadPose] | None = None,
        target: Crops | None = None,
    ) -> io.NodeOutput:
        poses = poses_of_crops(source, head_pose, "Appearance Map").to(source.device)
        path, run = _way(target, head_pose)
        with naming("Appearance Map"):
            sharp = sharpness(source.image) if keep == SHARPEST and len(source) else None
            kept = fuse_poses(poses, radius, sharp)
            views = Views(source[kept], poses[kept.to(poses.device)])
            picture = draw_appearance_map(poses, kept, views.crops.image, path, run)
        return io.NodeOutput(views, image_from_frames(picture))


def _way(target: Crops | None, head_pose: Hosted[HeadPose] | None) -> tuple[Tensor, Tensor]:
    """Poses [Q, 3] of the targets, face by face as time goes, and which face each is: [Q]."""
    if target is None:
        return torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64)
    poses = poses_of_crops(target, head_pose, "Appearance Map").cpu()
    run = tracklets(target.faces).cpu()
    order = chronological(target.faces.to("cpu"), run)
    return poses[order], run[order]
