"""XSeg and kin as occluders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ...faces import Crops
from ..realign import put_back, realign
from ..roles import Role


@dataclass(frozen=True, eq=False)
class XSeg:
    """An `Occluder` from a graph; outside what it sees there is no face."""

    network: nn.Module
    """Maps [N, 3, size, size] RGB 0..1 to [N, 1, size, size] in 0..1, the visible face."""
    size: int
    """Side of its pictures in pixels."""
    template: str
    """How it wants faces aligned."""
    licence: str
    """Licence of the usual weights."""
    name: ClassVar[str] = "xseg"
    role: ClassVar[Role] = "occluder"

    @torch.no_grad()
    def visible(self, crops: Crops) -> Tensor:
        """Find the visible face; see `Occluder.visible`."""
        if not len(crops):
            return crops.image.new_zeros(0, 1, crops.size, crops.size)
        images, matrix = realign(crops, self.template, self.size)
        masks: Tensor = self.network(images)
        return put_back(masks.clamp(0, 1), matrix, crops.size)
