"""How heads are turned, for the nodes that want to know: from a model, or from landmarks."""

from __future__ import annotations

import torch
from torch import Tensor

from ..faces import Crops, Faces
from ..host.device import compute_device
from ..host.memory import Hosted
from ..models import HeadPose
from ..ops.head_pose import head_pose as pose_of_landmarks
from .chunks import faces_in_chunks
from .inputs import naming


def poses_of(frames: Tensor, faces: Faces, model: Hosted[HeadPose] | None, node: str) -> Tensor:
    """Measure the poses of faces.

    Args:
        frames: [B, 3, H, W] what the faces were found in; without a model nobody looks at them.
        faces: N faces.
        model: measures them; without one their landmarks tell.
        node: who asks, for errors.

    Returns:
        [N, 3] float32 yaw, pitch and roll in degrees, as `HeadPose.pose`.

    Raises:
        ValueError: there is no model, and the faces have no landmarks or none that tell a pose.
    """
    if not len(faces):
        return torch.zeros(0, 3, device=faces.device)
    if model is not None:
        network = model.use()
        return torch.cat([network.pose(frames, chunk) for chunk in faces_in_chunks(faces)])
    if faces.landmarks is None:
        raise ValueError(
            f"{node}: these faces carry no landmarks. Put Find Landmarks after Detect Faces, or "
            "connect a model from Load Head Pose."
        )
    with naming(node):
        return pose_of_landmarks(faces.landmarks)


def poses_of_crops(crops: Crops, model: Hosted[HeadPose] | None, node: str) -> Tensor:
    """Measure the poses of faces as they lie in their crops; see `poses_of`."""
    own = crops.to(compute_device()).as_frames()
    return poses_of(own.image, own.faces, model, node)
