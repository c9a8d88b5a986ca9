"""The U-Net that FSGAN segments faces with.

Ronneberger, Fischer, Brox: "U-Net: convolutional networks for biomedical image segmentation",
arXiv:1505.04597, figure 1, with borders kept. Key names are those of YuvalNirkin/fsgan's
`simple_unet.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Pair(nn.Module):
    """Two 3x3 convolutions, each with ReLU, and with normalisation on the way down."""

    def __init__(self, inputs: int, outputs: int, norm: bool) -> None:
        super().__init__()
        self.conv1 = _conv(inputs, outputs, norm)
        self.conv2 = _conv(outputs, outputs, norm)

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, outputs, H, W]."""
        y: Tensor = self.conv2(self.conv1(x))
        return y


def _conv(inputs: int, outputs: int, norm: bool) -> nn.Sequential:
    norms = [nn.BatchNorm2d(outputs)] if norm else []
    conv = nn.Conv2d(inputs, outputs, 3, padding=1)
    return nn.Sequential(conv, *norms, nn.ReLU(inplace=True))


class Up(nn.Module):
    """Twice the size, beside what the way down saw at that size."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1d = nn.Conv2d(inputs, outputs, 1)
        self.conv = Pair(2 * outputs, outputs, norm=False)

    def forward(self, skip: Tensor, x: Tensor) -> Tensor:
        """[N, outputs, H, W] and [N, inputs, H / 2, W / 2] -> [N, outputs, H, W]."""
        # As published, and trained: corners upon corners. Narrowed first, which is the same, for a
        # quarter of the pixels and half of the channels.
        x = F.interpolate(self.conv1d(x), scale_factor=2, mode="bilinear", align_corners=True)
        y: Tensor = self.conv(torch.cat([skip, x], 1))
        return y


class UNet(nn.Module):
    """The whole network, under the published key names.

    Args:
        widths: channels of each level, the finest first.
        classes: how many classes there are.
    """

    def __init__(self, widths: Sequence[int], classes: int) -> None:
        super().__init__()
        self.levels = range(1, len(widths))
        for level, (inputs, width) in enumerate(pairwise((3, *widths[:-1])), 1):
            self.add_module(f"conv{level}", Pair(inputs, width, norm=True))
            self.add_module(f"up_concat{level}", Up(widths[level], width))
        self.center = Pair(widths[-2], widths[-1], norm=True)
        self.final = nn.Conv2d(widths[0], classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Run the network.

        Args:
            images: [N, 3, H, W] RGB -1..1; H and W are multiples of 16 at the published depth.

        Returns:
            [N, classes, H, W] logits.
        """
        x, skips = images, []
        for level in self.levels:
            skips.append(self.get_submodule(f"conv{level}")(x))
            x = F.max_pool2d(skips[-1], 2)
        x = self.center(x)
        for level in reversed(self.levels):
            x = self.get_submodule(f"up_concat{level}")(skips.pop(), x)
        logits: Tensor = self.final(x)
        return logits
