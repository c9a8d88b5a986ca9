"""IResNet: the residual networks that ArcFace is mostly trained with.

Deng et al.: "ArcFace: additive angular margin loss for deep face recognition", CVPR 2019, section
3.1. Modules carry the key names of InsightFace's checkpoints.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn

INPUT = 112
"""Side of the crop that the network takes."""


class Block(nn.Module):
    """Two normalised 3x3 convolutions beside a shortcut; nothing is rectified after the sum."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.prelu = nn.PReLU(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(width)
        self.downsample = (
            nn.Sequential(nn.Conv2d(inputs, width, 1, stride, bias=False), nn.BatchNorm2d(width))
            if stride > 1
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, width, H / stride, W / stride]."""
        y = self.bn2(self.conv1(self.bn1(x)))
        y = cast(Tensor, self.bn3(self.conv2(self.prelu(y))))
        return y + (x if self.downsample is None else self.downsample(x))


class IResNetNetwork(nn.Module):
    """The whole network, under the published key names.

    Args:
        stem: channels of the first convolution.
        widths: channels of the four layers.
        blocks: blocks of the four layers; the first of each halves the size.
        length: D, numbers of an embedding.
    """

    def __init__(
        self, stem: int, widths: Sequence[int], blocks: Sequence[int], length: int
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, stem, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(stem)
        self.prelu = nn.PReLU(stem)
        for layer, (width, count) in enumerate(zip(widths, blocks, strict=True), 1):
            inputs = stem if layer == 1 else widths[layer - 2]
            rest = (Block(width, width, 1) for _ in range(count - 1))
            self.add_module(f"layer{layer}", nn.Sequential(Block(inputs, width, 2), *rest))
        self.bn2 = nn.BatchNorm2d(widths[-1])
        side = INPUT >> len(widths)
        self.fc = nn.Linear(widths[-1] * side * side, length)
        self.features = nn.BatchNorm1d(length)

    def forward(self, images: Tensor) -> Tensor:
        """Crops [B, 3, 112, 112] RGB -1..1 -> embeddings [B, D], not normalised."""
        x = self.prelu(self.bn1(self.conv1(images)))
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)  # type: ignore[operator]
        return cast(Tensor, self.features(self.fc(self.bn2(x).flatten(1))))
