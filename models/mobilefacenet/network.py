"""MobileFaceNet: an identity encoder of a million parameters.

Chen, Liu, Gao, Han: "MobileFaceNets: efficient CNNs for accurate real-time face verification on
mobile devices", CCBR 2018. Modules carry the key names of foamliu/MobileFaceNet's checkpoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

INPUT = 112
"""Side of the crop that the network takes."""
STRIDES = (2, 1, 1, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1)
"""Of the inverted residuals, which no weight tells."""


class Unit(nn.Sequential):
    """Convolution without bias, batch normalisation, ReLU6."""

    def __init__(
        self, inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU6(),
        )


class Separable(nn.Module):
    """Depthwise 3x3 and 1x1 convolution, batch normalisation and ReLU after each."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False)
        self.pointwise = nn.Conv2d(width, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, width, H, W] -> the same shape."""
        x = F.relu(self.bn1(self.depthwise(x)))
        return F.relu(self.bn2(self.pointwise(x)))


class InvertedResidual(nn.Module):
    """Widens, filters each channel, narrows; the input is added where it has the output's shape."""

    def __init__(self, inputs: int, hidden: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            Unit(inputs, hidden, 1),
            Unit(hidden, hidden, 3, stride, groups=hidden),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.added = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, outputs, H / stride, W / stride]."""
        y = cast(Tensor, self.conv(x))
        return x + y if self.added else y


class GlobalDepthwise(nn.Module):
    """Weighs the 7x7 cells of each channel into one number."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, INPUT // 16, groups=width, bias=False)
        self.bn = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, width, 7, 7] -> [B, width, 1, 1]."""
        return cast(Tensor, self.bn(self.depthwise(x)))


class MobileFaceNetNetwork(nn.Module):
    """The whole network, under the published key names.

    Args:
        stem: channels of the first two layers.
        blocks: hidden and output channels of each inverted residual.
        width: channels before the global convolution.
        length: D, numbers of an embedding.
    """

    def __init__(
        self, stem: int, blocks: Sequence[tuple[int, int]], width: int, length: int
    ) -> None:
        super().__init__()
        self.conv1 = Unit(3, stem, 3, stride=2)
        self.dw_conv = Separable(stem)
        inputs = [stem, *(outputs for _, outputs in blocks)]
        self.features = nn.Sequential(
            *(
                InvertedResidual(before, hidden, outputs, stride)
                for before, (hidden, outputs), stride in zip(
                    inputs[:-1], blocks, STRIDES, strict=True
                )
            )
        )
        self.conv2 = Unit(inputs[-1], width, 1)
        self.gdconv = GlobalDepthwise(width)
        self.conv3 = nn.Conv2d(width, length, 1)
        self.bn = nn.BatchNorm1d(length)

    def forward(self, images: Tensor) -> Tensor:
        """Crops [B, 3, 112, 112] RGB, ImageNet mean and deviation -> embeddings [B, D]."""
        return self.embed(self.describe(images))

    def describe(self, images: Tensor) -> Tensor:
        """Crops as `forward` takes them -> features [B, C, 7, 7], cell by cell of the face."""
        return cast(Tensor, self.features(self.dw_conv(self.conv1(images))))

    def embed(self, features: Tensor) -> Tensor:
        """Features of `describe` -> embeddings [B, D]."""
        return cast(Tensor, self.bn(self.conv3(self.gdconv(self.conv2(features))).flatten(1)))
