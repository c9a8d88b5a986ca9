"""StyleGAN2 as a generator of faces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ..roles import Role
from .network import StyleGAN2Network


@dataclass(frozen=True, eq=False)
class StyleGAN2:
    """The generator that swappers drive with codes of their own; alone it makes random faces."""

    network: StyleGAN2Network
    """Turns z, W, W+ and S codes into each other and into RGB pictures -1..1."""
    mean: Tensor
    """[style] float32, the mean W code, which makes the mean face."""
    name: ClassVar[str] = "stylegan2"
    role: ClassVar[Role] = "generator"
    licence: ClassVar[str] = "NVIDIA's, non-commercial; trained on FFHQ, CC BY-NC-SA 4.0"

    @property
    def size(self) -> int:
        """Side of its pictures, in pixels."""
        return self.network.size
