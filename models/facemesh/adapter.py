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
from .network import INPUT

_MARGIN = 1.5  # side of the crop as a multiple of the face's longer side


@dataclass(frozen=True, eq=False)
class FaceMesh:
    """A `Landmarker` with MediaPipe's points; topology as in its canonical face model."""

    network: nn.Module
    """Maps crops [N, 3, 192, 192] RGB -1..1 to points and a confidence."""
    points: int
    """How many landmarks a face has, 468."""
    name: ClassVar[str] = "facemesh"
    role: ClassVar[Role] = "landmarker"
    licence: ClassVar[str] = "Apache-2.0"

    @torch.inference_mode()
    def find(self, frames: Tensor, faces: Faces) -> Faces:
        """Add landmarks to faces; see `Landmarker.find`."""
        check_frames("FaceMesh", frames, faces)
        matrix = level_square(faces.box, faces.keypoints[:, 0], faces.keypoints[:, 1])
        crops = crop(frames, matrix, faces.frame, INPUT, padding="zeros").float().clamp(0, 1)
        points = self.network(2 * crops - 1)[0]
        return replace(faces, landmarks=transform_points(invert_affine(matrix), points))


def level_square(box: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """Crop a square 1.5 times as wide as the box's longer side, turned so that the eyes are level.

    Args:
        box: [N, 4] x0, y0, x1, y1 in frame pixels.
        left: [N, 2] image-left eye.
        right: [N, 2] image-right eye; where it equals `left` or is not finite, nothing is turned.

    Returns:
        [N, 2, 3] frame to crop.
    """
    across = torch.nan_to_num(right - left)
    angle = torch.atan2(across[:, 1], across[:, 0])
    side = (box[:, 2:] - box[:, :2]).amax(1).clamp(min=1) * _MARGIN
    cos, sin = angle.cos() * INPUT / side, angle.sin() * INPUT / side
    linear = torch.stack([cos, sin, -sin, cos], -1).reshape(-1, 2, 2)
    centre = (box[:, :2] + box[:, 2:]) / 2
    offset = INPUT / 2 - (linear * centre[:, None]).sum(-1)
    return torch.cat([linear, offset[..., None]], -1)
