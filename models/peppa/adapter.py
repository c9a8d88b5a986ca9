"""Peppa Wutz as a landmarker."""

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
POINTS = 68

_MARGIN = INPUT / 195  # FaceFusion's: the box's longer side becomes 195 px
_SPAN = 64  # the network's coordinates run over the crop from 0 to this


@dataclass(frozen=True, eq=False)
class Peppa:
    """A `Landmarker` of iBUG's 68 points: FaceFusion's peppa_wutz."""

    network: nn.Module
    """Maps crops [N, 3, 256, 256] BGR 0..1 to x, y and a score [N, 68, 3]."""
    name: ClassVar[str] = "peppa"
    role: ClassVar[Role] = "landmarker"
    licence: ClassVar[str] = "Apache-2.0"
    points: ClassVar[int] = POINTS

    @torch.no_grad()
    def find(self, frames: Tensor, faces: Faces) -> Faces:
        """Add landmarks to faces; see `Landmarker.find`."""
        check_frames("Peppa Wutz", frames, faces)
        matrix = square_about_box(faces.box, faces.keypoints, INPUT, _MARGIN)
        return replace(faces, landmarks=find_points(frames, faces.frame, matrix, INPUT, self._read))

    def _read(self, crops: Tensor) -> Tensor:
        points: Tensor = self.network(crops.flip(1))[..., :2] * (INPUT / _SPAN)
        return points
