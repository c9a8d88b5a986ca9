"""Square crops about a face for landmarkers, turned so that the eyes are level."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..ops.geometry import invert_affine, transform_points
from ..ops.warp import crop

LEFT_EYE, RIGHT_EYE = 33, 263
"""The eyes' outer corners among the 468 points, image-left and image-right."""


def square_about_box(box: Tensor, keypoints: Tensor, size: int, margin: float) -> Tensor:
    """Frame-to-crop matrices [N, 2, 3] of a square about a box [N, 4], the eyes made level.

    The crop's `size` px show `margin` times the box's longer side. Where the keypoints [N, 5, 2]
    hold no two eyes, as in boxes of other packs, nothing is turned.
    """
    side = (box[:, 2:] - box[:, :2]).amax(1, keepdim=True) * margin
    return _place(_levelled(keypoints), (box[:, :2] + box[:, 2:]) / 2, side, size)


def stretch_box(box: Tensor, keypoints: Tensor, size: int, margin: float) -> Tensor:
    """Frame-to-crop matrices [N, 2, 3] of a box [N, 4], the eyes made level, filling the crop.

    The crop's `size` px show `margin` times the face's width across and `margin` times its height
    down: a box is stretched to the square. Turned, it counts as the oval inside it.
    """
    turn = _levelled(keypoints)
    axes = (box[:, 2:] - box[:, :2])[:, None] * turn
    sides = torch.linalg.vector_norm(axes, dim=-1) * margin
    return _place(turn, (box[:, :2] + box[:, 2:]) / 2, sides, size)


def square_about_landmarks(landmarks: Tensor, size: int, margin: float) -> Tensor:
    """Frame-to-crop matrices [N, 2, 3] of a square about landmarks [N, 468, 3], the eyes level.

    The crop's `size` px show `margin` times the landmarks' longer side.
    """
    plane = landmarks[..., :2]
    turn = _turn(plane[:, RIGHT_EYE] - plane[:, LEFT_EYE])
    levelled = plane @ turn.transpose(1, 2)
    low, high = levelled.amin(1), levelled.amax(1)
    centre = ((low + high) / 2)[:, None] @ turn  # a turn's transpose turns back
    return _place(turn, centre[:, 0], (high - low).amax(1, keepdim=True) * margin, size)


def find_points(
    frames: Tensor,
    frame: Tensor,
    matrix: Tensor,
    size: int,
    network: Callable[[Tensor], Tensor],
) -> Tensor:
    """Find points in one crop a face.

    Args:
        frames: [B, 3, H, W] RGB; values beyond 0..1 are clamped.
        frame: [N] which frame each face is in.
        matrix: [N, 2, 3] frame to crop.
        size: side S of the crops; black beyond the frame's edge.
        network: maps crops [N, 3, S, S] RGB 0..1 to points [N, P, 2 or 3] in crop pixels.

    Returns:
        The points in frame pixels, a depth scaled as they are.
    """
    crops = crop(frames, matrix, frame, size, padding="zeros").float().clamp(0, 1)
    return transform_points(invert_affine(matrix), network(crops))


def _levelled(keypoints: Tensor) -> Tensor:
    return _turn(torch.nan_to_num(keypoints[:, 1] - keypoints[:, 0]))


def _turn(across: Tensor) -> Tensor:
    """Matrices [N, 2, 2] that turn vectors [N, 2] onto the x axis; of no length: no turn."""
    angle = torch.atan2(across[:, 1], across[:, 0])
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([cos, sin, -sin, cos], -1).reshape(-1, 2, 2)


def _place(turn: Tensor, centre: Tensor, sides: Tensor, size: int) -> Tensor:
    """Matrices that turn, and fit `sides` [N, 1 or 2] px about `centre` into the crop."""
    linear = turn * (size / sides.clamp(min=1))[..., None]
    offset = size / 2 - (linear @ centre[..., None])
    return torch.cat([linear, offset], -1)
