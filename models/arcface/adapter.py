"""ArcFace as an encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ...faces import Faces
from ..alignment import aligned_crops
from ..roles import Role
from .network import INPUT


@dataclass(frozen=True)
class Range:
    """What a network wants of RGB 0..1: (x - mean) / deviation."""

    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    deviation: tuple[float, float, float] = (0.5, 0.5, 0.5)


CENTRED = Range()
"""-1..1."""
IMAGENET = Range((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
BYTES = Range((0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255))
"""0..255, for graphs that bring it to their range themselves."""


@dataclass(frozen=True, eq=False)
class ArcFace:
    """An `Encoder`: any network that was trained on ArcFace's crops."""

    network: nn.Module
    """Maps crops [N, 3, 112, 112] RGB in `range` to embeddings [N, length]."""
    length: int
    space: str
    sha256: str
    range: Range = CENTRED
    template: str = "arcface_112_v2"
    name: ClassVar[str] = "arcface"
    role: ClassVar[Role] = "encoder"
    licence: ClassVar[str] = "non-commercial research only (InsightFace)"

    @torch.no_grad()
    def encode(self, frames: Tensor, faces: Faces) -> Tensor:
        """Embed faces; see `Encoder.encode`."""
        return self.embed(aligned_crops("ArcFace", frames, faces, self.template, INPUT))

    def embed(self, crops: Tensor) -> Tensor:
        """Embed aligned crops [N, 3, 112, 112] RGB 0..1: [N, length], not normalised."""
        if not len(crops):  # converted graphs do not take an empty batch
            return crops.new_zeros(0, self.length)
        mean = crops.new_tensor(self.range.mean).reshape(3, 1, 1)
        deviation = crops.new_tensor(self.range.deviation).reshape(3, 1, 1)
        embedding: Tensor = self.network((crops - mean) / deviation)
        return embedding
