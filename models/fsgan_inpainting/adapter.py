"""FSGAN's Gc as an inpainter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ..roles import Role


@dataclass(frozen=True, eq=False)
class FSGANInpainting:
    """An `Inpainter`: FSGAN's. It was trained on hard masks, so soft ones are cut at one half."""

    network: nn.Module
    """Maps [N, 4, S, S], a picture RGB -1..1 and a mask 0 or 1, to RGB -1..1."""
    size: int
    name: ClassVar[str] = "fsgan_inpainting"
    role: ClassVar[Role] = "inpainter"
    licence: ClassVar[str] = "CC0-1.0; trained on IJB-C, a set for research"

    @torch.no_grad()
    def inpaint(self, images: Tensor, known: Tensor, face: Tensor) -> Tensor:
        """Complete faces; see `Inpainter.inpaint`."""
        if not len(images):
            return images
        # What is not known is -1, black.
        picture = 2 * images.clamp(0, 1) * (known >= 0.5) - 1
        seen = torch.cat([picture, (face >= 0.5).to(picture.dtype)], 1)
        filled: Tensor = self.network(seen)
        return (filled + 1) / 2
