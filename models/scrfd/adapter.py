"""SCRFD as a detector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ...faces import Faces
from ..candidates import cell_corners, faces_among
from ..frames import check_frames
from ..letterbox import letterbox
from ..roles import Role

VALUES = (1, 4, 10)
"""Values an anchor has in each head: score, distances to the box's sides, five points."""
_OVERLAP = 0.4  # of two boxes of one face, as in InsightFace


@dataclass(frozen=True, eq=False)
class SCRFD:
    """A `Detector` of InsightFace's family SCRFD, from 0.5 to 34 GFLOP, det_10g among them.

    Guo et al.: "Sample and Computation Redistribution for Efficient Face Detection",
    arXiv:2105.04714. On RGB as InsightFace runs it (some packs feed BGR and lose a little).
    """

    network: nn.Module
    """Maps RGB -1..1 to the heads of all strides, in any order."""
    levels: int = 3
    """Number of strides: 3 from 8 to 32, or 5 from 8 to 128."""
    canvas: tuple[int, int] | None = None
    """(H, W) of an ONNX graph that takes this size only."""
    name: ClassVar[str] = "scrfd"
    role: ClassVar[Role] = "detector"
    licence: ClassVar[str] = "non-commercial research only"

    @torch.no_grad()
    def detect(self, frames: Tensor, threshold: float, size: int = 640) -> Faces:
        """Find the faces of each frame; see `Detector.detect`."""
        check_frames("SCRFD", frames)
        strides = [8 << level for level in range(self.levels)]
        canvas, scale = letterbox(frames, size, strides[-1], self.canvas)
        outputs = self.network((255 * canvas - 127.5) / 128)
        scores, boxes, points = decode(outputs, strides, canvas)
        boxes, points = boxes / scale.repeat(2), points / scale
        return faces_among(frames, scores, boxes, points, threshold, _OVERLAP)


def decode(
    outputs: Sequence[Tensor], strides: Sequence[int], canvas: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Turn a canvas' heads into candidates.

    The head of a stride holds for each cell, row by row, and for each of the cell's anchors its
    score, its distances to the box's left, top, right and bottom, and its offsets to the points,
    both in strides. All anchors of the cell in column c and row r sit in its corner, at s (c, r).
    The networks were trained on labels that scale and mirror with the picture's edges, as our
    coordinates do, so no half pixel is added. (On 160 mirrored faces the points' x added up to the
    width + 0.3 to 0.7 px, the boxes' to the width +- 0.6; if centres were integers: width - 1.)

    Args:
        outputs: the heads in any order, [B * anchors, V] or [B, anchors, V] with V of `VALUES`.
        strides: of the network, the finest first.
        canvas: [B, 3, H, W], for its size.

    Returns:
        Scores [B, A], boxes [B, A, 4] and points [B, A, 5, 2] in canvas pixels.
    """
    count, _, height, width = canvas.shape
    scores, distances, offsets = (_levels(outputs, values, count) for values in VALUES)
    boxes, points = [], []
    for stride, distance, offset in zip(strides, distances, offsets, strict=True):
        corners = cell_corners(height, width, stride, canvas.device)
        anchor = corners.repeat_interleave(distance.shape[1] // len(corners), 0)
        before, after = stride * distance[..., :2], stride * distance[..., 2:]
        boxes.append(torch.cat([anchor - before, anchor + after], -1))
        points.append(anchor[:, None] + stride * offset.reshape(count, -1, 5, 2))
    return torch.cat(scores, 1)[..., 0], torch.cat(boxes, 1), torch.cat(points, 1)


def _levels(outputs: Sequence[Tensor], values: int, count: int) -> list[Tensor]:
    """One head's outputs [count, anchors, values], the finest stride first."""
    heads = [x.reshape(count, -1, values) for x in outputs if x.shape[-1] == values]
    return sorted(heads, key=lambda head: -head.shape[1])
