"""Slim as a landmarker."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from ...faces import Faces
from ..frames import check_frames
from ..roles import Role
from ..squares import find_points, stretch_box

INPUT = 160
POINTS = 68

_MARGIN = 1.4


@dataclass(frozen=True, eq=False)
class Slim68:
    """A `Landmarker` of iBUG's 68 points; small and coarse, worse on turned heads."""

    network: nn.Module
    """Maps crops [N, 3, 160, 160] BGR, (0..255 - 127) / 127, to [N, 143]."""
    name: ClassVar[str] = "slim68"
    role: ClassVar[Role] = "landmarker"
    licence: ClassVar[str] = "Apache-2.0"
    points: ClassVar[int] = POINTS

    @torch.no_grad()
    def find(self, frames: Tensor, faces: Faces) -> Faces:
        """Add landmarks to faces; see `Landmarker.find`."""
        check_frames("Slim", frames, faces)
        matrix = stretch_box(faces.box, faces.keypoints, INPUT, _MARGIN)
        return replace(faces, landmarks=find_points(frames, faces.frame, matrix, INPUT, self._read))

    def _read(self, crops: Tensor) -> Tensor:
        outputs: Tensor = self.network((255 * crops.flip(1) - 127) / 127)
        return outputs[:, : 2 * POINTS].reshape(-1, POINTS, 2) * INPUT
