"""Multi-scale patch discriminator: judges pictures patch by patch, at several sizes.

Wang et al.: "High-resolution image synthesis and semantic manipulation with conditional GANs"
(pix2pixHD), arXiv:1711.11585, section 3.2. Key names are those of GHOST, taotaonice/FaceShifter
and FSGAN, whose `MultiscaleDiscriminator` stems from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

_SLOPE = 0.2


def patch_network(widths: Sequence[int], batch_norm: bool, sigmoid: bool = False) -> nn.Sequential:
    """One scale: every convolution but the last two halves the size.

    Args:
        widths: channels of all convolutions but the last one, which has a single channel.
        batch_norm: normalise by batch, with weights; otherwise each picture by itself, without.
        sigmoid: bring the scores into 0..1.
    """
    norm = nn.BatchNorm2d if batch_norm else nn.InstanceNorm2d
    layers: list[nn.Module] = [_conv(3, widths[0], 2), nn.LeakyReLU(_SLOPE, inplace=True)]
    for number, (inputs, outputs) in enumerate(pairwise(widths), 2):
        stride = 1 if number == len(widths) else 2
        layers += [_conv(inputs, outputs, stride), norm(outputs)]
        layers.append(nn.LeakyReLU(_SLOPE, inplace=True))
    last = [nn.Sigmoid()] if sigmoid else []
    return nn.Sequential(*layers, _conv(widths[-1], 1, 1), *last)


def _conv(inputs: int, outputs: int, stride: int) -> nn.Conv2d:
    # Padded by 2 although 1 would do: maps are a pixel larger than a halving gives.
    return nn.Conv2d(inputs, outputs, 4, stride, padding=2)


class PatchDiscriminatorNetwork(nn.Module):
    """The whole network, under the published key names.

    Args:
        scales: how many sizes of the picture are judged, each by its own convolutions.
        widths: channels of each scale's convolutions but the last one.
        batch_norm: see `patch_network`.
        sigmoid: see `patch_network`.
    """

    def __init__(
        self, scales: int, widths: Sequence[int], batch_norm: bool, sigmoid: bool = False
    ) -> None:
        super().__init__()
        for scale in range(scales):
            self.add_module(f"layer{scale}", patch_network(widths, batch_norm, sigmoid))

    def forward(self, images: Tensor | Sequence[Tensor]) -> list[Tensor]:
        """Judge pictures.

        Args:
            images: [N, 3, H, W] -1..1; or the same at several sizes, the finest first, of which
                the coarsest belongs to the first convolutions. FSGAN begins its training so, with
                the coarse size alone.

        Returns:
            A map [N, 1, h, w] of scores for each size, the finest first.
        """
        scales = list(self.children())
        sizes = self._pyramid(images) if isinstance(images, Tensor) else images
        # The highest number belongs to the full size.
        return [scale(x) for scale, x in zip(scales[len(sizes) - 1 :: -1], sizes, strict=True)]

    def _pyramid(self, images: Tensor) -> list[Tensor]:
        sizes = [images]
        while len(sizes) < len(self._modules):
            sizes.append(F.avg_pool2d(sizes[-1], 3, 2, padding=1, count_include_pad=False))
        return sizes
