"""FaceLoom's own landmarker as a landmarker."""

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
from ..squares import square_about_box, square_about_landmarks
from .network import INPUT, POINTS

# Sides of the two crops, as multiples of the box's and of the landmarks' longer side.
BOX_MARGIN, LANDMARKS_MARGIN = 1.15, 1.35


@dataclass(frozen=True, eq=False)
class LoomLandmarker:
    """A `Landmarker` with the points of MediaPipe's canonical face model.

    It looks twice: at a square about the box, and at one about what it found there.
    """

    network: nn.Module
    """Maps crops [N, 3, 128, 128] RGB 0..1 to points and a confidence."""
    name: ClassVar[str] = "loom_landmarker"
    role: ClassVar[Role] = "landmarker"
    licence: ClassVar[str] = "research only (pictures it was trained on)"
    points: ClassVar[int] = POINTS

    @torch.no_grad()
    def find(self, frames: Tensor, faces: Faces) -> Faces:
        """Add landmarks to faces; see `Landmarker.find`."""
        check_frames("FaceLoom's landmarker", frames, faces)
        box = square_about_box(faces.box, faces.keypoints, INPUT, BOX_MARGIN)
        first, _ = self.look(frames, faces.frame, box)
        square = square_about_landmarks(first, INPUT, LANDMARKS_MARGIN)
        landmarks, _ = self.look(frames, faces.frame, square)
        return replace(faces, landmarks=landmarks)

    @torch.no_grad()
    def look(self, frames: Tensor, frame: Tensor, matrix: Tensor) -> tuple[Tensor, Tensor]:
        """Run the network on one crop a face.

        Args:
            frames: [B, 3, H, W] RGB 0..1.
            frame: [N] which frame each face is in.
            matrix: [N, 2, 3] frame to crop.

        Returns:
            Points [N, 468, 3] in frame pixels, and [N] the probability that the crop holds an
            upright face.
        """
        crops = crop(frames, matrix, frame, INPUT, padding="zeros").float().clamp(0, 1)
        points, confidence = self.network(crops)
        return transform_points(invert_affine(matrix), points), confidence.sigmoid()
