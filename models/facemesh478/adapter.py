"""FaceMesh with irises as a landmarker."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from ...faces import Faces
from ..frames import check_frames
from ..roles import Role
from ..squares import find_points, square_about_box, square_about_landmarks

INPUT = 256
POINTS = 478

_MARGIN = 1.5  # of both crops, as in MediaPipe's face landmarker


@dataclass(frozen=True, eq=False)
class FaceMesh478:
    """A `Landmarker` with MediaPipe's 468 points, and five for each iris after them.

    It looks twice, as `FaceMesh` does: about the box, and about what it found there.
    """

    network: nn.Module
    """Maps crops [N, 3, 256, 256] RGB 0..1 to points [N, 478, 3] in crop pixels."""
    name: ClassVar[str] = "facemesh478"
    role: ClassVar[Role] = "landmarker"
    licence: ClassVar[str] = "Apache-2.0"
    points: ClassVar[int] = POINTS

    @torch.no_grad()
    def find(self, frames: Tensor, faces: Faces) -> Faces:
        """Add landmarks to faces; see `Landmarker.find`."""
        check_frames("FaceMesh", frames, faces)
        box = square_about_box(faces.box, faces.keypoints, INPUT, _MARGIN)
        first = find_points(frames, faces.frame, box, INPUT, self.network)
        square = square_about_landmarks(first, INPUT, _MARGIN)
        return replace(
            faces, landmarks=find_points(frames, faces.frame, square, INPUT, self.network)
        )
