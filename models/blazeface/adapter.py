"""BlazeFace as a detector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ...faces import Faces
from ...ops.templates import template_points
from ..candidates import cell_corners, faces_among
from ..frames import check_frames
from ..letterbox import letterbox
from ..roles import Role
from ..suppression import pairwise_iou
from .network import ANCHORS

_OVERLAP = 0.3  # of two boxes of one face, as in MediaPipe
_GRIDS = (16, 8)
"""Cells on a side, the finer grid first; `ANCHORS` says how many anchors each has."""
_TEMPLATE = "arcface_112_v2"


@dataclass(frozen=True, eq=False)
class BlazeFace:
    """A `Detector` of MediaPipe's, for faces that are large in the picture.

    It finds eyes, nose tip, ears and the middle of the mouth. The five points' mouth corners are
    therefore guessed: on a line through that middle which is parallel to the eye line, 0.83 eye
    distances apart as in the ArcFace template. They follow roll and yaw, but not the expression.
    """

    network: nn.Module
    """Maps RGB -1..1 to values and logits of all anchors."""
    side: int
    """What the network sees: a square of 128 px (front) or 256 px (back)."""
    name: ClassVar[str] = "blazeface"
    role: ClassVar[Role] = "detector"
    licence: ClassVar[str] = "Apache-2.0"

    @torch.no_grad()
    def detect(self, frames: Tensor, threshold: float, size: int = 640) -> Faces:
        """Find the faces of each frame; see `Detector.detect`, with `side` for larger sizes."""
        check_frames("BlazeFace", frames)
        canvas, scale = letterbox(frames, size, 1, (self.side, self.side))
        values, logits = self.network(2 * canvas - 1)
        scores = logits.sigmoid()
        boxes, points = decode(values, self.side)
        boxes, points = blend(boxes, points, scores, threshold)
        boxes, points = boxes / scale.repeat(2), points / scale
        return faces_among(frames, scores, boxes, five_points(points), threshold, _OVERLAP)


def decode(values: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Turn the values [B, 896, 16] for a canvas of `side` px into boxes and points.

    Values are in canvas pixels from the middle of the anchor's cell: the box's centre and its
    size, then the six points. Coordinates span the canvas as ours do: no half pixel.

    Returns:
        Boxes [B, 896, 4] and points [B, 896, 6, 2] in canvas pixels.
    """
    centres = []
    for cells, count in zip(_GRIDS, ANCHORS.values(), strict=True):
        stride = side // cells
        middle = cell_corners(side, side, stride, values.device) + stride / 2
        centres.append(middle.repeat_interleave(count, 0))
    anchor = torch.cat(centres)
    centre, half = anchor + values[..., :2], values[..., 2:4] / 2
    points = anchor[:, None] + values[..., 4:].reshape(*values.shape[:2], 6, 2)
    return torch.cat([centre - half, centre + half], -1), points


def blend(boxes: Tensor, points: Tensor, scores: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """Replace each candidate by the mean of all that overlap it, weighted by their scores.

    The paper's section 4.4: it takes the jitter out of so coarse a network.

    Args:
        boxes: [B, A, 4].
        points: [B, A, P, 2].
        scores: [B, A].
        threshold: lowest score that counts.

    Returns:
        Boxes and points of the same shapes.
    """
    counted = scores * torch.ge(scores, threshold)
    weights = torch.gt(pairwise_iou(boxes), _OVERLAP) * counted[:, None]
    weights = weights / weights.sum(-1, keepdim=True).clamp(min=1e-9)
    return weights @ boxes, (weights @ points.flatten(2)).reshape(points.shape)


def five_points(points: Tensor) -> Tensor:
    """Turn the six points [..., 6, 2] into five [..., 5, 2], the mouth corners guessed."""
    left_eye, right_eye, nose, mouth = points[..., :4, :].unbind(-2)
    template = template_points(_TEMPLATE, 1, points.device)
    eyes, corners = template[1, 0] - template[0, 0], template[4, 0] - template[3, 0]
    half = (right_eye - left_eye) * (corners / eyes / 2)
    return torch.stack([left_eye, right_eye, nose, mouth - half, mouth + half], -2)
