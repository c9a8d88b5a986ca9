"""LIP-SPADE as a restorer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ...ops.templates import BEST_POSE, POSE_TEMPLATES
from ..roles import Role
from .network import LIPSPADENetwork


@dataclass(frozen=True, eq=False)
class LIPSPADE:
    """A `Restorer`: GHOST's super-resolution net, which sharpens swapped crops."""

    network: LIPSPADENetwork
    name: ClassVar[str] = "lip_spade"
    role: ClassVar[Role] = "restorer"
    licence: ClassVar[str] = "Apache-2.0; built on NVIDIA's SPADE, CC BY-NC-SA 4.0"
    size: ClassVar[int] = 256
    templates: ClassVar[tuple[str, ...]] = ("arcface_112_v1", BEST_POSE, *POSE_TEMPLATES)
    """GHOST restores the crops that it swapped, in their own alignment."""

    @torch.no_grad()
    def restore(self, images: Tensor, fidelity: float, batch_statistics: bool = False) -> Tensor:
        """Restore aligned faces; see `Restorer.restore`. It knows no `fidelity`.

        GHOST leaves the network in training mode, and so normalises by `batch_statistics`: a
        picture then comes out differently in other company. The weights stay as they are here,
        whereas GHOST's also take a step of spectral norm's power iteration with every batch, and
        so drift.
        """
        if not len(images):
            return images
        restored: Tensor = self.network(images, batch_statistics)
        # It ends in a hyperbolic tangent, of which GHOST keeps 0..1.
        return restored.clamp(0, 1)
