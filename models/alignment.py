"""Cutting the crops that encoders see."""

from __future__ import annotations

import torch
from torch import Tensor

from ..faces import Faces
from ..faces.convert.bounding_box import KEYPOINTS_IN_BOX
from ..ops.geometry import fit_pose_template, fit_similarity
from ..ops.templates import BEST_POSE, template_points
from ..ops.warp import crop
from .frames import check_frames


def aligned_crops(model: str, frames: Tensor, faces: Faces, template: str, size: int) -> Tensor:
    """Cut each face's crop, its five points on a template.

    Args:
        model: who asks, for the error.
        frames: [B, 3, H, W] RGB; values beyond 0..1 are clamped.
        faces: faces of these frames.
        template: a key of `ops.templates.TEMPLATES`, or `BEST_POSE`.
        size: side S of the crops.

    Returns:
        [N, 3, S, S] float32 RGB 0..1, black beyond the frame's edge.

    Raises:
        ValueError: `frames` is not [B, 3, H, W], or not what `faces` were found in.
    """
    check_frames(model, frames, faces)
    points = points_or_box(faces)
    if template == BEST_POSE:
        matrix, _ = fit_pose_template(points, size)
    else:
        matrix = fit_similarity(points, template_points(template, size, faces.device))
    # The published points count pixel centres at integers: (0, 0) is half a pixel inside the crop.
    matrix = matrix + matrix.new_tensor([0, 0, 0.5])
    return crop(frames, matrix, faces.frame, size, padding="zeros").float().clamp(0, 1)


def points_or_box(faces: Faces) -> Tensor:
    """Five points [N, 5, 2] of each face: its own, or those of a mean face in its box.

    Boxes of other packs come without points.
    """
    layout = torch.tensor(KEYPOINTS_IN_BOX, dtype=faces.box.dtype, device=faces.device)
    corner, opposite = faces.box[:, None, :2], faces.box[:, None, 2:]
    known = faces.keypoints.isfinite().all(2).all(1)[:, None, None]
    return torch.where(known, faces.keypoints, corner + layout * (opposite - corner))
