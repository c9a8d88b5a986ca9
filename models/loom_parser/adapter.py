"""FaceLoom's own parser as a parser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...faces import Crops
from ..realign import put_back, realign
from ..roles import Role
from .network import INPUT

_TEMPLATE = "ffhq_512"  # as the pictures of CelebAMask-HQ, which it was trained on, are aligned


@dataclass(frozen=True, eq=False)
class LoomParser:
    """A `Parser` with the classes of CelebAMask-HQ."""

    network: nn.Module
    """Maps crops [N, 3, 256, 256] RGB 0..1 to logits of half the size."""
    name: ClassVar[str] = "loom_parser"
    role: ClassVar[Role] = "parser"
    licence: ClassVar[str] = "research only (pictures it was trained on)"

    @torch.no_grad()
    def parse(self, crops: Crops) -> Tensor:
        """Parse aligned crops; see `Parser.parse`."""
        images, matrix = realign(crops, _TEMPLATE, INPUT)
        logits = F.interpolate(self.network(images), scale_factor=2.0, mode="bilinear")
        return put_back(logits.softmax(1), matrix, crops.size)
