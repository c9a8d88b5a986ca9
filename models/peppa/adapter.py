"""The landmarkers of the Peppa Pig Face Landmark family, as landmarkers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from ...faces import Faces
from ..frames import check_frames
from ..roles import Role
from ..squares import find_points, square_about_box

INPUT = 256

# FaceFusion makes the box's longer side 195 px; the 98 points were trained on 1.4 times the width
# of boxes, which is about this of their height.
_MARGINS = {68: INPUT / 195, 98: 1.1}
_SPANS = {68: 64, 98: 1}
"""The networks' coordinates run over the crop from 0 to this."""


@dataclass(frozen=True, eq=False)
class Peppa:
    """A `Landmarker` of iBUG's 68 points (peppa_wutz), or WFLW's 98 (peppapig_teacher)."""

    network: nn.Module
    """Maps crops [N, 3, 256, 256] BGR 0..1 to x, y and a score [N, points, 3]."""
    points: int
    """68 or 98."""
    name: ClassVar[str] = "peppa"
    role: ClassVar[Role] = "landmarker"
    licence: ClassVar[str] = "Apache-2.0"

    @torch.no_grad()
    def find(self, frames: Tensor, faces: Faces) -> Faces:
        """Add landmarks to faces; see `Landmarker.find`."""
        check_frames("Peppa", frames, faces)
        matrix = square_about_box(faces.box, faces.keypoints, INPUT, _MARGINS[self.points])
        return replace(faces, landmarks=find_points(frames, faces.frame, matrix, INPUT, self._read))

    def _read(self, crops: Tensor) -> Tensor:
        points: Tensor = self.network(crops.flip(1))[..., :2] * (INPUT / _SPANS[self.points])
        return points
