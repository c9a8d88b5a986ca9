"""AdaptiveWing's FAN as a landmarker, and as the judge of GHOST's eye loss."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from ...faces import Faces
from ..frames import check_frames
from ..roles import Role
from ..squares import find_points, square_about_box
from .network import HEATMAP, INPUT

WFLW = 98
"""Landmarks of the set with pupils."""
PUPILS = slice(96, 98)
"""The pupils among them, image-left and image-right."""

# The authors' evaluation (dataset/convert_WFLW.py, core/dataloader.py) widens WFLW's box about the
# landmarks by 1.05, takes 1.6 times the mean of its sides, and of that the middle 360 of 450 px.
# Such a box leaves out the forehead: beside detectors' boxes (YuNet's and FaceMesh's landmarks on
# 69 faces), the mean of its sides is 0.71 of their longer side, its middle 0.12 of that lower.
_MARGIN = 1.05 * 1.6 * 360 / 450 * 0.71
_DOWN = 0.12


@dataclass(frozen=True, eq=False)
class AdaptiveWing:
    """A `Landmarker` of WFLW's 98 points, pupils among them, by heat maps."""

    network: nn.Module
    """Maps [N, 3, 256, 256] RGB 0..1 to heat maps [N, points + 1, 64, 64], a list by stack."""
    points: int
    """98 in the usual weights."""
    name: ClassVar[str] = "adaptive_wing"
    role: ClassVar[Role] = "landmarker"
    licence: ClassVar[str] = "Apache-2.0 (WFLW, which it was trained on: research only)"

    @torch.no_grad()
    def find(self, frames: Tensor, faces: Faces) -> Faces:
        """Add landmarks to faces; see `Landmarker.find`."""
        check_frames("AdaptiveWing", frames, faces)
        matrix = square_about_box(faces.box, faces.keypoints, INPUT, _MARGIN)
        matrix[:, 1, 2] -= INPUT * _DOWN / _MARGIN
        return replace(faces, landmarks=find_points(frames, faces.frame, matrix, INPUT, self._read))

    def heatmaps(self, images: Tensor) -> Tensor:
        """Draw the last stack's heat maps as GHOST does, none of them below 0.

        Args:
            images: [N, 3, 256, 256] RGB 0..1, faces upright in the middle; gradients flow to them.

        Returns:
            [N, points + 1, 64, 64]: a map for each landmark, and one of the face's outlines.

        Raises:
            ValueError: `images` is of another shape.
        """
        if images.shape[1:] != (3, INPUT, INPUT):
            raise ValueError(
                f"AdaptiveWing wants images [N, 3, {INPUT}, {INPUT}], got {list(images.shape)}; "
                "resize them first."
            )
        maps: Tensor = self.network(images)[-1]
        return maps

    def eye_heatmaps(self, images: Tensor) -> Tensor:
        """Draw the heat maps of both pupils, which GHOST's eye loss compares.

        With target X and output Y, L_eye is the mean squared error between X's and Y's maps of the
        left pupil, plus that of the right one (ai-forever/ghost, utils/training/losses.py):
        `(eye_heatmaps(x) - eye_heatmaps(y)).square().mean((0, 2, 3)).sum()`.

        Args:
            images: [N, 3, 256, 256] RGB 0..1 (of generators of -1..1: `(image + 1) / 2`);
                gradients flow to them.

        Returns:
            [N, 2, 64, 64], from 0 up; first the image's left eye.

        Raises:
            ValueError: `images` is of another shape, or the weights do not draw 98 landmarks.
        """
        if self.points != WFLW:
            raise ValueError(
                f"The eye loss wants AdaptiveWing's weights for {WFLW} landmarks "
                f"(WFLW_4HG.pth), which have pupils; these draw {self.points}."
            )
        return self.heatmaps(images)[:, PUPILS]

    def _read(self, crops: Tensor) -> Tensor:
        # Without the ReLU of GHOST: the authors' evaluation and facexlib draw the maps so.
        maps: Tensor = self.network(crops, rectified=False)[-1]
        return peaks(maps[:, : self.points]) * (INPUT / HEATMAP)


def peaks(heatmaps: Tensor) -> Tensor:
    """Find the highest pixel of each heat map, moved towards its higher neighbours.

    The authors' decoding (`get_preds_fromhm` of their utils/utils.py): a quarter of a pixel towards
    the higher of two neighbours, along both axes, unless the pixel lies at the map's edge. Their
    count of pixels from 1, less 0.5, is our centres at integer + 0.5.

    Args:
        heatmaps: [N, P, H, W].

    Returns:
        [N, P, 2] float32 x and y in pixels of the maps.
    """
    height, width = heatmaps.shape[-2:]
    flat = heatmaps.flatten(2)
    index = flat.argmax(2)
    x, y = index % width, index // width
    inside = (x > 0) & (x < width - 1) & (y > 0) & (y < height - 1)

    def slope(step: int) -> Tensor:
        ends = torch.stack([index + step, index - step], 2).clamp(0, height * width - 1)
        after, before = flat.gather(2, ends).unbind(2)
        return torch.sign(after - before) * inside

    return torch.stack([x + slope(1) / 4, y + slope(width) / 4], 2).float() + 0.5
