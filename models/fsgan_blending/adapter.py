"""FSGAN's Gb as a blender."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ..roles import Role

_WHOLE = 0.999  # share of a mask's peak that counts as the peak


@dataclass(frozen=True, eq=False)
class FSGANBlending:
    """A `Blender`: FSGAN's, trained to do what Poisson blending does. Its masks were hard ones."""

    network: nn.Module
    """Maps [N, 7, S, S], the pasted picture and the target RGB -1..1 and a mask, to RGB -1..1."""
    size: int
    name: ClassVar[str] = "fsgan_blending"
    role: ClassVar[Role] = "blender"
    licence: ClassVar[str] = "CC0-1.0; trained on IJB-C, a set for research"

    @torch.no_grad()
    def blend(self, images: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Blend pictures; see `Blender.blend`."""
        if not len(images):
            return images
        # It was trained with hard masks; where a soft one begins to fade, FSGAN's hard one ends.
        peak = mask.amax((1, 2, 3), keepdim=True)
        hard = ((mask >= _WHOLE * peak) & (mask > 0)).to(images.dtype)
        pasted = images * hard + target * (1 - hard)
        pictures = 2 * torch.cat([pasted, target], 1).clamp(0, 1) - 1
        blended: Tensor = self.network(torch.cat([pictures, hard], 1))
        return (blended + 1) / 2
