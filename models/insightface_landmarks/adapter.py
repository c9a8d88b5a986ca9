"""InsightFace's landmarkers as landmarkers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from ...faces import Faces
from ..frames import check_frames
from ..roles import Role
from ..squares import find_points, square_about_box

INPUT = 192

_MARGIN = 1.5
_UNIT = INPUT // 2  # crop pixels in the network's unit: -1..1 spans the crop


@dataclass(frozen=True, eq=False)
class InsightFaceLandmarks:
    """A `Landmarker` of 106 points in the plane (2d106det), or of 68 with depth (1k3d68).

    The 68 are iBUG's; the 106 stand in InsightFace's own order. InsightFace cuts upright crops;
    here the eyes are levelled first, where they are known, which tilted faces need.
    """

    network: nn.Module
    """Maps crops [N, 3, 192, 192] RGB 0..255 to points [N, 106, 2] or [N, 1103, 3] of -1..1."""
    points: int
    """106, or 68: the last ones the network gives."""
    name: ClassVar[str] = "insightface_landmarks"
    role: ClassVar[Role] = "landmarker"
    licence: ClassVar[str] = "non-commercial research only"

    @torch.no_grad()
    def find(self, frames: Tensor, faces: Faces) -> Faces:
        """Add landmarks to faces; see `Landmarker.find`."""
        check_frames("InsightFace's landmarker", frames, faces)
        matrix = square_about_box(faces.box, faces.keypoints, INPUT, _MARGIN)
        return replace(faces, landmarks=find_points(frames, faces.frame, matrix, INPUT, self._read))

    def _read(self, crops: Tensor) -> Tensor:
        points: Tensor = self.network(255 * crops)[:, -self.points :] * _UNIT
        # The middle is pixel 96 of the crop, counted from 0: half a pixel right of 96 here.
        points[..., :2] += _UNIT + 0.5
        return points
