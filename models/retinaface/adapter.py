"""RetinaFace as a detector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ...faces import Faces
from ..candidates import cell_corners, faces_among
from ..frames import check_frames
from ..letterbox import letterbox
from ..roles import Role
from .network import STRIDES

MEANS = (104.0, 117.0, 123.0)
"""Of blue, green and red, 0..255."""
SIDES = ((16, 32), (64, 128), (256, 512))
"""Sides in pixels of the two square anchors in each stride's cells."""
_CENTRE, _SIZE = 0.1, 0.2  # the variances: what a unit of the box head's output is
_OVERLAP = 0.4  # of two boxes of one face, as in the published detectors


@dataclass(frozen=True, eq=False)
class RetinaFace:
    """A `Detector` with anchors, on MobileNet 0.25 or ResNet-50."""

    network: nn.Module
    """Maps BGR 0..255 minus `MEANS` to boxes, logits and points of all anchors."""
    name: ClassVar[str] = "retinaface"
    role: ClassVar[Role] = "detector"
    licence: ClassVar[str] = "MIT; trained on WIDER FACE, which is for research"

    @torch.no_grad()
    def detect(self, frames: Tensor, threshold: float, size: int = 640) -> Faces:
        """Find the faces of each frame; see `Detector.detect`."""
        check_frames("RetinaFace", frames)
        # Published runs pad nothing: cells that the edge cuts have anchors too.
        canvas, scale = letterbox(frames, size, 1)
        means = torch.tensor(MEANS, device=canvas.device)[:, None, None]
        boxes, logits, points = self.network(255 * canvas.flip(1) - means)
        height, width = canvas.shape[-2:]
        scores, boxes, points = decode(boxes, logits, points, height, width)
        boxes, points = boxes / scale.repeat(2), points / scale
        return faces_among(frames, scores, boxes, points, threshold, _OVERLAP)


def decode(
    boxes: Tensor, logits: Tensor, points: Tensor, height: int, width: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Turn the outputs for a canvas of `height` x `width` px into candidates.

    Anchors sit in the middle of their cells, half a stride from its corner, as pixel centres at
    integer + 0.5 have it. Boxes are coded as in SSD (arXiv:1512.02325, section 2.2): the centre
    moves by 0.1 anchor sides a unit, the size grows by exp(0.2) a unit; points move as centres.

    Args:
        boxes: [B, A, 4].
        logits: [B, A, 2] of no face and face.
        points: [B, A, 10].
        height: of the canvas.
        width: of the canvas.

    Returns:
        Scores [B, A], boxes [B, A, 4] and points [B, A, 5, 2] in canvas pixels.
    """
    centre, side = anchors(height, width, boxes.device)
    middle = centre + _CENTRE * side * boxes[..., :2]
    half = side * (_SIZE * boxes[..., 2:]).exp() / 2
    places = centre[:, None] + _CENTRE * side[:, None] * points.reshape(*points.shape[:2], 5, 2)
    return logits.softmax(-1)[..., 1], torch.cat([middle - half, middle + half], -1), places


def anchors(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Centres [A, 2] and sides [A, 1] of a canvas' anchors in pixels."""
    centres, sides = [], []
    for stride, pair in zip(STRIDES, SIDES, strict=True):
        middle = cell_corners(height, width, stride, device) + stride / 2
        centres.append(middle.repeat_interleave(len(pair), 0))
        sides.append(torch.tensor(pair, device=device).float().repeat(len(middle)))
    return torch.cat(centres), torch.cat(sides)[:, None]
