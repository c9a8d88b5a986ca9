"""The multi-scale patch discriminator as a discriminator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from ..roles import Role


@dataclass(frozen=True, eq=False)
class PatchDiscriminator:
    """A `Discriminator`: GHOST's, FaceShifter's and FSGAN's.

    Like every loaded network it is frozen and in evaluation mode, which suits a generator's loss:
    gradients reach the pictures only. To train it further, thaw it with
    `model.network.train().requires_grad_(True)`, and give its parameters to an optimiser.

    That taotaonice/FaceShifter trains on BGR leaves no trace in the weights, and is the caller's.
    """

    network: nn.Module
    """Maps pictures [N, 3, H, W] RGB -1..1 to a map of scores for each scale; it also takes a
    pyramid of pictures, with which FSGAN feeds it."""
    name: ClassVar[str] = "patch_discriminator"
    role: ClassVar[Role] = "discriminator"
    licence: ClassVar[str] = "Apache-2.0; trained on VGGFace2, a set for research"

    def judge(self, images: Tensor) -> list[Tensor]:
        """Judge pictures; see `Discriminator.judge`. 256 px give maps of 11, 7 and 5 (GHOST)."""
        maps: list[Tensor] = self.network(images)
        return maps
