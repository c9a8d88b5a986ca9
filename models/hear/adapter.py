"""HEAR-Net as a refiner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ..roles import Role


@dataclass(frozen=True, eq=False)
class HEAR:
    """A `Refiner`: FaceShifter's second stage."""

    network: nn.Module
    """Maps [N, 6, 256, 256], a picture BGR -1..1 and a difference BGR -2..2, to BGR -1..1."""
    name: ClassVar[str] = "hear"
    role: ClassVar[Role] = "refiner"
    licence: ClassVar[str] = "none stated"
    size: ClassVar[int] = 256

    @torch.no_grad()
    def refine(self, swapped: Tensor, target: Tensor, reconstructed: Tensor) -> Tensor:
        """Refine swapped crops; see `Refiner.refine`."""
        if not len(swapped):
            return swapped
        # In -1..1 the difference is twice that of 0..1.
        pair = torch.cat((_reversed(2 * swapped - 1), _reversed(2 * (target - reconstructed))), 1)
        return (_reversed(self.network(pair)) + 1) / 2


def _reversed(images: Tensor) -> Tensor:
    """RGB <-> BGR: `train_HEAR.py` reads its pictures with OpenCV and leaves them in BGR."""
    return images.flip(1)
