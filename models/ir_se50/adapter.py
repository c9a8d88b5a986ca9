"""IR-SE50 as an encoder."""

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
class IRSE50:
    """An `Encoder`: the identity loss of pSp, RAFSwap and others."""

    network: nn.Module
    """Maps crops [N, 3, 112, 112] RGB -1..1 to embeddings of length 1."""
    space: str
    sha256: str
    name: ClassVar[str] = "ir_se50"
    role: ClassVar[Role] = "encoder"
    licence: ClassVar[str] = "MIT; trained on MS-Celeb-1M, a set for research"
    template: ClassVar[str] = "arcface_112_v2"

    @torch.no_grad()
    def encode(self, frames: Tensor, faces: Faces) -> Tensor:
        """Embed faces; see `Encoder.encode`."""
        crops = aligned_crops("IR-SE50", frames, faces, self.template, INPUT)
        embedding: Tensor = self.network(2 * crops - 1)
        return embedding
