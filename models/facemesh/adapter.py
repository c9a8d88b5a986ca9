"""FaceMesh as a landmarker."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from ...faces import Faces
from ...ops.geometry import invert_affine, transform_points
from ...ops.warp import crop
from ..frames import check_frames
from ..roles import Role
from .network import INPUT, POINTS

LEFT_EYE, RIGHT_EYE = 33, 263
"""The eyes' outer corners among the 468 points, image-left and image-right."""

# Sides of the two crops, as multiples of the box's and of the landmarks' longer side. Measured on
# 150 faces with labelled eyes and lips: a second crop about the first one's landmarks brings the
# eyes from 4.5 to 3.2 % of the eye distance off (3.5 % if it were 1.5 wide too), and the spread
# when the box is turned by 15 degrees and scaled by 10 % from 4.0 to 1.5 %.
_BOX_MARGIN = 1.5
_LANDMARKS_MARGIN = 1.3


@dataclass(frozen=True, eq=False)
class FaceMesh:
    """A `Landmarker` with the points of MediaPipe's canonical face model."""

    network: nn.Module
    """Maps crops [N, 3, 192, 192] RGB -1..1 to points and a confidence."""
    name: ClassVar[str] = "facemesh"
    role: ClassVar[Role] = "landmarker"
    licence: ClassVar[str] = "Apache-2.0"
    points: ClassVar[int] = POINTS

    @torch.no_grad()
    def find(self, frames: Tensor, faces: Faces) -> Faces:
        """Add landmarks to faces; see `Landmarker.find`."""
        check_frames("FaceMesh", frames, faces)
        first = self._look(frames, faces.frame, square_about_box(faces.box, faces.keypoints))
        landmarks = self._look(frames, faces.frame, square_about_landmarks(first))
        return replace(faces, landmarks=landmarks)

    def _look(self, frames: Tensor, frame: Tensor, matrix: Tensor) -> Tensor:
        """Run the network on one crop a face; points [N, 468, 3] in frame pixels."""
        crops = crop(frames, matrix, frame, INPUT, padding="zeros").float().clamp(0, 1)
        points, _ = self.network(2 * crops - 1)
        return transform_points(invert_affine(matrix), points)


def square_about_box(box: Tensor, keypoints: Tensor) -> Tensor:
    """Frame-to-crop matrices [N, 2, 3] of a square about a box [N, 4], the eyes made level.

    Where the keypoints [N, 5, 2] hold no two eyes, as in boxes of other packs, nothing is turned.
    """
    side = (box[:, 2:] - box[:, :2]).amax(1) * _BOX_MARGIN
    across = torch.nan_to_num(keypoints[:, 1] - keypoints[:, 0])
    return _place(_turn(across), (box[:, :2] + box[:, 2:]) / 2, side)


def square_about_landmarks(landmarks: Tensor) -> Tensor:
    """Frame-to-crop matrices [N, 2, 3] of a square about landmarks [N, 468, 3], the eyes level."""
    plane = landmarks[..., :2]
    turn = _turn(plane[:, RIGHT_EYE] - plane[:, LEFT_EYE])
    levelled = plane @ turn.transpose(1, 2)
    low, high = levelled.amin(1), levelled.amax(1)
    centre = ((low + high) / 2)[:, None] @ turn  # a turn's transpose turns back
    return _place(turn, centre[:, 0], (high - low).amax(1) * _LANDMARKS_MARGIN)


def _turn(across: Tensor) -> Tensor:
    """Matrices [N, 2, 2] that turn vectors [N, 2] onto the x axis; of no length: no turn."""
    angle = torch.atan2(across[:, 1], across[:, 0])
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([cos, sin, -sin, cos], -1).reshape(-1, 2, 2)


def _place(turn: Tensor, centre: Tensor, side: Tensor) -> Tensor:
    """Matrices that turn, and fit a square of `side` px about `centre` into the crop."""
    linear = turn * (INPUT / side.clamp(min=1))[:, None, None]
    offset = INPUT / 2 - (linear @ centre[..., None])
    return torch.cat([linear, offset], -1)
