"""Poisson blending as a blender."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor, nn

from ...ops.composite import composite
from ..roles import Role


@dataclass(frozen=True, eq=False)
class PoissonBlender:
    """A `Blender` without a network: tones fitted in the gradient domain."""

    network: nn.Module = field(default_factory=nn.Identity)
    name: ClassVar[str] = "poisson"
    role: ClassVar[Role] = "blender"
    licence: ClassVar[str] = "MIT"
    size: ClassVar[int] = 0

    def blend(self, images: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Blend pictures; see `Blender.blend`."""
        blended, _ = composite(images, target, mask, "poisson", 0.0)
        return blended
