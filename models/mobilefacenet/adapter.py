"""MobileFaceNet as an encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ...faces import Faces
from ..alignment import aligned_crops
from ..roles import Role
from .network import INPUT, MobileFaceNetNetwork

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, RGB


@dataclass(frozen=True, eq=False)
class MobileFaceNet:
    """An `Encoder`: crops of one person have a cosine of 0.6 to 0.8, of two 0.2 at most."""

    network: MobileFaceNetNetwork
    """Maps crops [N, 3, 112, 112] RGB with ImageNet's mean and deviation to embeddings."""
    space: str
    sha256: str
    name: ClassVar[str] = "mobilefacenet"
    role: ClassVar[Role] = "encoder"
    licence: ClassVar[str] = "Apache-2.0"
    template: ClassVar[str] = "arcface_112_v2"

    @torch.no_grad()
    def encode(self, frames: Tensor, faces: Faces) -> Tensor:
        """Embed faces; see `Encoder.encode`."""
        return self.embed(aligned_crops("MobileFaceNet", frames, faces, self.template, INPUT))

    def embed(self, crops: Tensor) -> Tensor:
        """Embed aligned crops.

        Args:
            crops: [N, 3, 112, 112] RGB 0..1 on the template `arcface_112_v2`.

        Returns:
            [N, D]: the vectors of the crop and of its mirror image added, as published.
        """
        if not len(crops):
            return crops.new_zeros(0, self.network.bn.num_features)
        images = normalise(crops)
        embedding: Tensor = self.network(images) + self.network(images.flip(3))
        return embedding


def normalise(crops: Tensor) -> Tensor:
    """Bring crops [N, 3, H, W] RGB 0..1 to the range that the network was trained in."""
    mean, deviation = (crops.new_tensor(v).reshape(3, 1, 1) for v in (_MEAN, _DEVIATION))
    return (crops - mean) / deviation
