"""FaceLoom's own encoder as an encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ...faces import Faces
from ..alignment import aligned_crops
from ..roles import Role
from .network import INPUT


@dataclass(frozen=True, eq=False)
class LoomEncoder:
    """An `Encoder` good enough to tell the people of one clip apart."""

    network: nn.Module
    """Maps crops [N, 3, 112, 112] RGB 0..1 to embeddings."""
    space: str
    sha256: str
    name: ClassVar[str] = "loom_encoder"
    role: ClassVar[Role] = "encoder"
    licence: ClassVar[str] = "research only (pictures it was trained on)"
    template: ClassVar[str] = "arcface_112_v2"

    @torch.no_grad()
    def encode(self, frames: Tensor, faces: Faces) -> Tensor:
        """Embed faces; see `Encoder.encode`."""
        crops = aligned_crops("FaceLoom's encoder", frames, faces, self.template, INPUT)
        return self.embed(crops)

    def embed(self, crops: Tensor) -> Tensor:
        """Embed aligned crops.

        Args:
            crops: [N, 3, 112, 112] RGB 0..1 on the template `arcface_112_v2`.

        Returns:
            [N, D]: the vectors of the crop and of its mirror image added, as its teacher adds them.
        """
        embedding: Tensor = self.network(crops) + self.network(crops.flip(3))
        return embedding
