"""The multi-scale patch discriminator as a discriminator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from ..roles import Role


@dataclass(frozen=True, eq=False)
class PatchDiscriminator:
    """A `Discriminator`: GHOST's and FaceShifter's.

    Like every loaded network it is frozen and in evaluation mode, which suits a generator's loss:
    gradients reach the pictures only. To train it further, thaw it with
    `model.network.train().requires_grad_(True)`, and give its parameters to an optimiser.

    Two things leave no trace in the weights and are the caller's: taotaonice/FaceShifter trains on
    BGR, and FSGAN, whose weights load too, puts the scores through a sigmoid.
    """

    network: nn.Module
    """Maps pictures [N, 3, H, W] RGB -1..1 to a map of scores for each scale."""
    name: ClassVar[str] = "patch_discriminator"
    role: ClassVar[Role] = "discriminator"
    licence: ClassVar[str] = "Apache-2.0; trained on VGGFace2, a set for research"

    def judge(self, images: Tensor) -> list[Tensor]:
        """Judge pictures; see `Discriminator.judge`. 256 px give maps of 11, 7 and 5 (GHOST)."""
        maps: list[Tensor] = self.network(images)
        return maps
