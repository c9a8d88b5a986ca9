"""Square crops about a face for landmarkers, turned so that the eyes are level."""

from __future__ import annotations

import torch
from torch import Tensor

LEFT_EYE, RIGHT_EYE = 33, 263
"""The eyes' outer corners among the 468 points, image-left and image-right."""


def square_about_box(box: Tensor, keypoints: Tensor, size: int, margin: float) -> Tensor:
    """Frame-to-crop matrices [N, 2, 3] of a square about a box [N, 4], the eyes made level.

    The crop's `size` px show `margin` times the box's longer side. Where the keypoints [N, 5, 2]
    hold no two eyes, as in boxes of other packs, nothing is turned.
    """
    side = (box[:, 2:] - box[:, :2]).amax(1) * margin
    across = torch.nan_to_num(keypoints[:, 1] - keypoints[:, 0])
    return _place(_turn(across), (box[:, :2] + box[:, 2:]) / 2, side, size)


def square_about_landmarks(landmarks: Tensor, size: int, margin: float) -> Tensor:
    """Frame-to-crop matrices [N, 2, 3] of a square about landmarks [N, 468, 3], the eyes level.

    The crop's `size` px show `margin` times the landmarks' longer side.
    """
    plane = landmarks[..., :2]
    turn = _turn(plane[:, RIGHT_EYE] - plane[:, LEFT_EYE])
    levelled = plane @ turn.transpose(1, 2)
    low, high = levelled.amin(1), levelled.amax(1)
    centre = ((low + high) / 2)[:, None] @ turn  # a turn's transpose turns back
    return _place(turn, centre[:, 0], (high - low).amax(1) * margin, size)


def _turn(across: Tensor) -> Tensor:
    """Matrices [N, 2, 2] that turn vectors [N, 2] onto the x axis; of no length: no turn."""
    angle = torch.atan2(across[:, 1], across[:, 0])
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([cos, sin, -sin, cos], -1).reshape(-1, 2, 2)


def _place(turn: Tensor, centre: Tensor, side: Tensor, size: int) -> Tensor:
    """Matrices that turn, and fit a square of `side` px about `centre` into the crop."""
    linear = turn * (size / side.clamp(min=1))[:, None, None]
    offset = size / 2 - (linear @ centre[..., None])
    return torch.cat([linear, offset], -1)
