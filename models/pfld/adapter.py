"""PFLD as a landmarker."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from ...faces import Faces
from ..frames import check_frames
from ..roles import Role
from ..squares import find_points, square_about_box

INPUT = 112

_MARGIN = 1.1


@dataclass(frozen=True, eq=False)
class PFLD:
    """A `Landmarker` of WFLW's 98 points, or of iBUG's 68."""

    network: nn.Module
    """Maps crops [N, 3, 112, 112] BGR 0..1 to points [N, points, 2] as fractions of the crop."""
    points: int
    """98 or 68."""
    name: ClassVar[str] = "pfld"
    role: ClassVar[Role] = "landmarker"
    licence: ClassVar[str] = "MIT (WFLW, which it was trained on: research only)"

    @torch.no_grad()
    def find(self, frames: Tensor, faces: Faces) -> Faces:
        """Add landmarks to faces; see `Landmarker.find`."""
        check_frames("PFLD", frames, faces)
        matrix = square_about_box(faces.box, faces.keypoints, INPUT, _MARGIN)
        return replace(faces, landmarks=find_points(frames, faces.frame, matrix, INPUT, self._read))

    def _read(self, crops: Tensor) -> Tensor:
        points: Tensor = self.network(crops.flip(1)) * INPUT
        return points
