"""VGG-19 as a perceptual net."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from ..roles import Role

LEAST = 8
"""Shortest side of pictures in pixels: the coarsest map has an eighth of it."""


@dataclass(frozen=True, eq=False)
class VGG19:
    """A `PerceptualNet`: FSGAN's two, one trained to tell people apart and one on attributes.

    With F_i the maps of `features` and w_i `weights`, FSGAN's loss of a picture x against a target
    y is sum_i w_i mean |F_i(x) - F_i(y)|, no gradient reaching the target:

        maps = zip(vgg.weights, vgg.features(x), vgg.features(y.detach()))
        loss = sum(weight * (a - b).abs().mean() for weight, a, b in maps)

    Torchvision's weights of ImageNet load, too, and see the same range, as FSGAN and pix2pixHD,
    from which its loss stems, feed theirs.
    """

    network: nn.Module
    """Maps pictures [N, 3, H, W] RGB -1..1 to five maps."""
    weights: ClassVar[tuple[float, ...]] = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1)
    """How much each map counts in the loss."""
    name: ClassVar[str] = "vgg19"
    role: ClassVar[Role] = "perceptual net"
    licence: ClassVar[str] = "CC0-1.0; trained on VGGFace2 or CelebA, sets for research"

    def features(self, images: Tensor) -> list[Tensor]:
        """Look at pictures; see `PerceptualNet.features`, and `network.TAPS` for the five maps.

        Raises:
            ValueError: `images` is not [N, 3, H, W], or a side is below 8 px.
        """
        if images.ndim != 4 or images.shape[1] != 3 or min(images.shape[2:]) < LEAST:
            raise ValueError(
                f"VGG-19 wants images [N, 3, H, W] of {LEAST} px or more a side, "
                f"got {list(images.shape)}."
            )
        maps: list[Tensor] = self.network(images)
        return maps
