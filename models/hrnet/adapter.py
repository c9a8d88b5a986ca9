"""HRNet as a landmarker."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from ...faces import Faces
from ...ops.heatmaps import decode_disc
from ..frames import check_frames
from ..roles import Role
from ..squares import find_points, square_about_box
from .network import INPUT, STRIDE

MARGIN = 1.2
"""Side of the crop as a multiple of the box's longer side, as FSGAN cuts it."""
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's


@dataclass(frozen=True, eq=False)
class HRNet:
    """A `Landmarker` by heat maps: WFLW's 98 points, which FSGAN's networks read.

    It is shown what FSGAN shows it, only that the eyes are made level first: it was trained on
    faces turned by up to 30 degrees.
    """

    network: nn.Module
    """Maps normalised crops [N, 3, 256, 256] RGB to heat maps [N, points, 64, 64]."""
    points: int
    """98, or 68 in weights trained on 300W."""
    name: ClassVar[str] = "hrnet"
    role: ClassVar[Role] = "landmarker"
    licence: ClassVar[str] = "MIT; trained on WFLW, a set for research"

    @torch.no_grad()
    def find(self, frames: Tensor, faces: Faces) -> Faces:
        """Add landmarks to faces; see `Landmarker.find`."""
        check_frames("HRNet", frames, faces)
        matrix = square_about_box(faces.box, faces.keypoints, INPUT, MARGIN)
        return replace(faces, landmarks=find_points(frames, faces.frame, matrix, INPUT, self._read))

    def _read(self, crops: Tensor) -> Tensor:
        mean, deviation = (crops.new_tensor(x)[:, None, None] for x in (_MEAN, _DEVIATION))
        # Read as FSGAN does. HRNet's authors take the highest pixel, which jumps between frames.
        return decode_disc(self.network((crops - mean) / deviation)) * STRIDE
