"""Multi-level attribute encoders: what a target face keeps, as maps of many sizes.

FaceShifter's U-Net (arXiv:1912.13457, section 3.1), and GHOST's LinkNet and ResNet
(ai-forever/ghost, `network/AEI_Net.py` and `network/resnet.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .aad import place, upsample
from .convolution import convolve

SLOPE = 0.1
"""Slope of leaky ReLU below zero."""
EXPANSION = 4
"""How much wider a bottleneck's output is than its middle."""


@dataclass(frozen=True)
class UNetNames:
    """Names of a U-Net's parts in a checkpoint; {} is a number that begins at `first`."""

    first: int = 1
    down: str = "conv{}"
    up: str = "deconv{}"
    up_conv: str = "deconv"
    up_norm: str = "bn"


@dataclass(frozen=True)
class UNetSizes:
    """Sizes of a U-Net; the defaults are those of all public ones."""

    downs: Sequence[int] = (32, 64, 128, 256, 512, 1024, 1024)
    """Channels on the way down; each halves the size."""
    ups: Sequence[int] = (1024, 512, 256, 128, 64, 32)
    """Channels on the way up, before the skip connections come in; one less than `downs`."""
    add: bool = False
    """Whether skip connections are added, as in a LinkNet, or put behind."""
    bias: bool = False
    """Whether convolutions add a bias before the norm."""


@dataclass(frozen=True)
class ResNetSizes:
    """Sizes of a ResNet; the defaults are GHOST's."""

    stems: tuple[int, int] = (64, 64)
    """Channels of the convolutions at full and at half size."""
    widths: Sequence[int] = (32, 64, 128, 256, 512, 256)
    """Channels in the middle of each stage's bottlenecks; each stage halves the size."""
    blocks: Sequence[int] = (2, 2, 2, 2, 2, 2)
    """Bottlenecks of each stage."""


class AttributeUNet(nn.Module):
    """Goes down to the smallest map and back up with skip connections."""

    def __init__(self, sizes: UNetSizes, names: UNetNames) -> None:
        super().__init__()
        downs, ups, bias = sizes.downs, sizes.ups, sizes.bias
        self.add = sizes.add
        self.downs = [
            (nn.Conv2d(before, after, 4, 2, padding=1, bias=bias), nn.BatchNorm2d(after))
            for before, after in pairwise((3, *downs))
        ]
        skips = zip(ups, downs[-2::-1], strict=True)
        joined = [up if self.add else up + skip for up, skip in skips]
        self.channels = [downs[-1], *joined, joined[-1]]
        """Channels of each map."""
        self.ups = [
            (nn.ConvTranspose2d(before, after, 4, 2, padding=1, bias=bias), nn.BatchNorm2d(after))
            for before, after in zip(self.channels, ups, strict=False)
        ]
        for number, (conv, norm) in enumerate(self.downs, names.first):
            place(self, names.down.format(number), nn.Sequential(conv, norm))
        for number, (deconv, norm) in enumerate(self.ups, names.first):
            place(self, f"{names.up.format(number)}.{names.up_conv}", deconv)
            place(self, f"{names.up.format(number)}.{names.up_norm}", norm)

    def forward(self, images: Tensor) -> list[Tensor]:
        """[N, 3, S, S] in the network's range -> a map for each size, the smallest first."""
        x, skips = images, []
        for conv, norm in self.downs:
            x = F.leaky_relu_(norm(convolve(conv, x)), SLOPE)
            skips.append(x)
        maps = [skips.pop()]
        for deconv, norm in self.ups:
            x = F.leaky_relu_(norm(deconv(maps[-1])), SLOPE)
            skip = skips.pop()
            maps.append(x + skip if self.add else torch.cat((x, skip), 1))
        return [*maps, upsample(maps[-1])]


class Bottleneck(nn.Module):
    """Three convolutions beside a shortcut (He et al., arXiv:1512.03385, figure 5).

    The first one has the stride, as in the paper.
    """

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        output = EXPANSION * width
        self.conv1 = nn.Conv2d(inputs, width, 1, stride, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, output, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(output)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or inputs != output:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, output, 1, stride, bias=False), nn.BatchNorm2d(output)
            )

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, 4 width, H / stride, W / stride]."""
        y = F.relu_(self.bn1(self.conv1(x)))
        y = F.relu_(self.bn2(self.conv2(y)))
        return F.relu_(self.bn3(self.conv3(y)) + self.downsample(x))


class AttributeResNet(nn.Module):
    """Takes the maps from a ResNet's stages as they are, without a way back up."""

    STEM: ClassVar[int] = 7
    """Side of the first two convolutions."""

    def __init__(self, sizes: ResNetSizes) -> None:
        super().__init__()
        full, half = sizes.stems
        self.conv0 = nn.Conv2d(3, full, self.STEM, padding=self.STEM // 2, bias=False)
        self.bn0 = nn.BatchNorm2d(full)
        self.conv1 = nn.Conv2d(full, half, self.STEM, 2, padding=self.STEM // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(half)
        outputs = [half, *(EXPANSION * width for width in sizes.widths)]
        self.stages = [
            nn.Sequential(
                Bottleneck(before, width, 2),
                *(Bottleneck(EXPANSION * width, width, 1) for _ in range(count - 1)),
            )
            for before, width, count in zip(outputs, sizes.widths, sizes.blocks, strict=False)
        ]
        for number, stage in enumerate(self.stages, 1):
            self.add_module(f"layer{number}", stage)
        self.channels = [full, *outputs][::-1]
        """Channels of each map."""

    def forward(self, images: Tensor) -> list[Tensor]:
        """[N, 3, S, S] in the network's range -> a map for each size, the smallest first."""
        maps = [F.relu_(self.bn0(self.conv0(images)))]
        maps.append(F.relu_(self.bn1(self.conv1(maps[-1]))))
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps[::-1]
