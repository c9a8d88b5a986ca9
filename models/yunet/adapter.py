"""YuNet as a detector."""

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
from .network import STRIDES

_OVERLAP = 0.3  # of two boxes of one face, as in OpenCV's FaceDetectorYN


@dataclass(frozen=True, eq=False)
class YuNet:
    """A `Detector` for upright faces.

    On faces turned in the plane the points drift: by a fifth of the eye distance at 45 degrees, and
    beyond about 60 degrees they mean nothing, though a box is still found.
    """

    network: nn.Module
    """Maps BGR 0..255 to the heads `cls_8` to `kps_32`."""
    canvas: tuple[int, int] | None = None
    """(H, W) of an ONNX graph that takes one picture of this size only."""
    name: ClassVar[str] = "yunet"
    role: ClassVar[Role] = "detector"
    licence: ClassVar[str] = "Apache-2.0"

    @torch.no_grad()
    def detect(self, frames: Tensor, threshold: float, size: int = 640) -> Faces:
        """Find the faces of each frame; see `Detector.detect`."""
        check_frames("YuNet", frames)
        canvas, scale = letterbox(frames, size, STRIDES[-1], self.canvas)
        scores, boxes, points = decode(self._heads(255 * canvas.flip(1)), canvas.shape[-1])
        boxes = boxes / scale.repeat(2)
        return faces_among(frames, scores, boxes, points / scale, threshold, _OVERLAP)

    def _heads(self, images: Tensor) -> dict[str, Tensor]:
        if self.canvas is None:
            heads: dict[str, Tensor] = self.network(images)
            return heads
        parts = [self.network(image) for image in images[:, None]]
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def decode(heads: dict[str, Tensor], width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Turn the heads of a canvas `width` pixels wide into candidates.

    A cell in column c and row r of stride s has its box's centre at (offset + (c, r)) s and the
    size exp(log size) s. The published coordinates span the picture as ours do: no half pixel.

    Returns:
        Scores [B, A], boxes [B, A, 4] and points [B, A, 5, 2] in canvas pixels.
    """
    scores, boxes, points = [], [], []
    for stride in STRIDES:
        box, offsets = heads[f"bbox_{stride}"], heads[f"kps_{stride}"]
        cells = torch.arange(box.shape[1], device=box.device)
        columns = width // stride
        corner = torch.stack([cells % columns, cells // columns], -1)
        centre, half = (box[..., :2] + corner) * stride, box[..., 2:].exp() * stride / 2
        scores.append((heads[f"cls_{stride}"] * heads[f"obj_{stride}"]).sqrt()[..., 0])
        boxes.append(torch.cat([centre - half, centre + half], -1))
        points.append((offsets.reshape(*offsets.shape[:2], 5, 2) + corner[:, None]) * stride)
    return torch.cat(scores, 1), torch.cat(boxes, 1), torch.cat(points, 1)
