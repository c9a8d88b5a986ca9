"""2DFAN as a landmarker."""

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
HEATMAP = 64
POINTS = 68

_MARGIN = INPUT / 195  # FaceFusion's: the box's longer side becomes 195 px


@dataclass(frozen=True, eq=False)
class FAN2D:
    """A `Landmarker` of iBUG's 68 points.

    Bulat, Tzimiropoulos: "How far are we from solving the 2D & 3D face alignment problem?",
    arXiv:1703.07332. On RGB, which it was trained on (FaceFusion feeds BGR).
    """

    network: nn.Module
    """Maps crops [N, 3, 256, 256] RGB 0..1 to x, y and a score [N, 68, 3]."""
    name: ClassVar[str] = "fan2d"
    role: ClassVar[Role] = "landmarker"
    licence: ClassVar[str] = "MIT"
    points: ClassVar[int] = POINTS

    @torch.no_grad()
    def find(self, frames: Tensor, faces: Faces) -> Faces:
        """Add landmarks to faces; see `Landmarker.find`."""
        check_frames("2DFAN", frames, faces)
        matrix = square_about_box(faces.box, faces.keypoints, INPUT, _MARGIN)
        return replace(faces, landmarks=find_points(frames, faces.frame, matrix, INPUT, self._read))

    def _read(self, crops: Tensor) -> Tensor:
        # In pixels of the heat maps, whose centres it counts at integer + 0.5, as we do.
        points: Tensor = self.network(crops)[..., :2] * (INPUT / HEATMAP)
        return points
