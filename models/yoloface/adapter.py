"""YOLOface as a detector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ...faces import Faces
from ..candidates import faces_among
from ..frames import check_frames
from ..letterbox import letterbox
from ..roles import Role

STRIDES = (8, 16, 32)
VALUES = 20
"""Of a cell: box centre and size, score, five points of x, y and visibility."""
_OVERLAP = 0.45  # of two boxes of one face, as in derronqi's yolov8-face


@dataclass(frozen=True, eq=False)
class YOLOFace:
    """A `Detector` on YOLOv8's pose network, as derronqi's yolov8-face trained it on faces.

    On RGB as it was trained (some packs feed BGR and lose a little).
    """

    network: nn.Module
    """Maps RGB 0..1 to [B, 20, cells] in pixels of its input."""
    canvas: tuple[int, int] | None = None
    """(H, W) of an ONNX graph that takes this size only."""
    name: ClassVar[str] = "yoloface"
    role: ClassVar[Role] = "detector"
    licence: ClassVar[str] = "GPL-3.0"

    @torch.no_grad()
    def detect(self, frames: Tensor, threshold: float, size: int = 640) -> Faces:
        """Find the faces of each frame; see `Detector.detect`."""
        check_frames("YOLOface", frames)
        canvas, scale = letterbox(frames, size, STRIDES[-1], self.canvas)
        scores, boxes, points = decode(self.network(canvas)[0])
        boxes, points = boxes / scale.repeat(2), points / scale
        return faces_among(frames, scores, boxes, points, threshold, _OVERLAP)


def decode(found: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Take apart the output [B, 20, A].

    Its coordinates span the canvas as ours do: the network's cells have their middle at half a
    stride, and its labels are shares of the picture's sides.

    Returns:
        Scores [B, A], boxes [B, A, 4] and points [B, A, 5, 2] in canvas pixels.
    """
    box, score, points = torch.split(found.transpose(1, 2), [4, 1, 15], -1)
    centre, half = box[..., :2], box[..., 2:] / 2
    return (
        score[..., 0],
        torch.cat([centre - half, centre + half], -1),
        points.reshape(*points.shape[:2], 5, 3)[..., :2],
    )
