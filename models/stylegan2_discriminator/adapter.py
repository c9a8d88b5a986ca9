"""StyleGAN2's discriminator as a discriminator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ..roles import Role
from .network import StyleGAN2DiscriminatorNetwork


@dataclass(frozen=True, eq=False)
class StyleGAN2Discriminator:
    """A `Discriminator`: StyleGAN2's, with which MFIM is trained.

    Frozen and in evaluation mode, like every loaded network; see `PatchDiscriminator`.
    """

    network: StyleGAN2DiscriminatorNetwork
    """Maps pictures [N, 3, size, size] RGB -1..1 to scores [N, 1]."""
    name: ClassVar[str] = "stylegan2_discriminator"
    role: ClassVar[Role] = "discriminator"
    licence: ClassVar[str] = "NVIDIA's, non-commercial; trained on FFHQ, CC BY-NC-SA 4.0"

    def judge(self, images: Tensor) -> list[Tensor]:
        """Judge pictures; see `Discriminator.judge`. There is one score each, [N, 1, 1, 1]."""
        scores: Tensor = self.network(images)
        return [scores[..., None, None]]
