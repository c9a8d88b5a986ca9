"""RetinaFace, as biubug6's Pytorch_Retinaface trained it and facexlib passes it on.

Deng et al.: "RetinaFace: Single-stage Dense Face Localisation in the Wild", arXiv:1905.00641.
Modules carry the key names of the published checkpoints.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

STRIDES = (8, 16, 32)
HEADS = {"BboxHead": 4, "ClassHead": 2, "LandmarkHead": 10}
"""Values an anchor has in each head: box, no face and face, five points."""
ANCHORS = 2
"""Anchors a cell."""


def _norm(
    inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1
) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    """Convolution and batch normalisation."""
    convolution = nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False)
    return convolution, nn.BatchNorm2d(outputs)


class Separable(nn.Sequential):
    """Depthwise 3x3 and 1x1 convolution (MobileNet, arXiv:1704.04861, figure 3)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        depthwise = [*_norm(inputs, inputs, 3, stride, inputs), nn.LeakyReLU(0.1)]
        super().__init__(*depthwise, *_norm(inputs, outputs, 1), nn.LeakyReLU(0.1))


class MobileNet(nn.Module):
    """MobileNetV1 without its classifier; the stem has `width` channels, 8 in MobileNet 0.25."""

    def __init__(self, width: int) -> None:
        super().__init__()
        w = width
        stem = nn.Sequential(*_norm(3, w, 3, 2), nn.LeakyReLU(0.1))
        self.stage1 = nn.Sequential(stem, *_stage(w, (2 * w, 4 * w, 4 * w, 8 * w, 8 * w), 1))
        self.stage2 = nn.Sequential(*_stage(8 * w, (16 * w,) * 6, 2))
        self.stage3 = nn.Sequential(*_stage(16 * w, (32 * w,) * 2, 2))

    def forward(self, x: Tensor) -> list[Tensor]:
        """[B, 3, H, W] -> features at strides 8, 16 and 32."""
        first = self.stage1(x)
        second = self.stage2(first)
        return [first, second, self.stage3(second)]


def _stage(inputs: int, widths: Sequence[int], stride: int) -> list[nn.Module]:
    """Separable convolutions; those that change the width halve the picture, but for the first."""
    blocks: list[nn.Module] = []
    for width in widths:
        halve = stride if not blocks else 1 + (width != inputs)
        blocks.append(Separable(inputs, width, halve))
        inputs = width
    return blocks


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolution beside a shortcut (He et al., arXiv:1512.03385, figure 5)."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = _norm(inputs, width, 1)
        self.conv2, self.bn2 = _norm(width, width, 3, stride)
        self.conv3, self.bn3 = _norm(width, 4 * width, 1)
        changes = stride != 1 or inputs != 4 * width
        self.downsample = nn.Sequential(*_norm(inputs, 4 * width, 1, stride)) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, 4 width, H / stride, W / stride]."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        return F.relu(self.bn3(self.conv3(x)) + shortcut)


class ResNet(nn.Module):
    """ResNet of bottlenecks without its classifier.

    Args:
        width: channels of the stem; the four layers' are 4, 8, 16 and 32 times as many.
        blocks: bottlenecks of each layer; 3, 4, 6 and 3 make ResNet-50.
    """

    def __init__(self, width: int, blocks: Sequence[int]) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width)
        inputs = width
        for index, count in enumerate(blocks):
            layer = [Bottleneck(inputs, width << index, 2 if index else 1)]
            inputs = 4 * (width << index)
            layer += [Bottleneck(inputs, width << index, 1) for _ in range(count - 1)]
            self.add_module(f"layer{index + 1}", nn.Sequential(*layer))

    def forward(self, x: Tensor) -> list[Tensor]:
        """[B, 3, H, W] -> features at strides 8, 16 and 32."""
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        features = []
        for index in range(1, 5):
            x = self.get_submodule(f"layer{index}")(x)
            features.append(x)
        return features[1:]


class Pyramid(nn.Module):
    """Feature pyramid (Lin et al., arXiv:1612.03144): adds coarse features to finer ones."""

    def __init__(self, inputs: Sequence[int], width: int) -> None:
        super().__init__()
        slope = _slope(width)
        for index, channels in enumerate(inputs, 1):
            level = nn.Sequential(*_norm(channels, width, 1), nn.LeakyReLU(slope))
            self.add_module(f"output{index}", level)
        self.merge1, self.merge2 = (
            nn.Sequential(*_norm(width, width, 3), nn.LeakyReLU(slope)) for _ in range(2)
        )

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Features of three strides -> as many of equal width."""
        fine, middle, coarse = (
            self.get_submodule(f"output{index}")(x) for index, x in enumerate(features, 1)
        )
        middle = self.merge2(middle + F.interpolate(coarse, size=middle.shape[-2:]))
        fine = self.merge1(fine + F.interpolate(middle, size=fine.shape[-2:]))
        return [fine, middle, coarse]


class Context(nn.Module):
    """Sees 3, 5 and 7 pixels around (Najibi et al., "SSH", arXiv:1708.03979, section 3.3)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half, quarter, slope = width // 2, width // 4, _slope(width)
        self.conv3X3 = nn.Sequential(*_norm(width, half, 3))
        self.conv5X5_1 = nn.Sequential(*_norm(width, quarter, 3), nn.LeakyReLU(slope))
        self.conv5X5_2 = nn.Sequential(*_norm(quarter, quarter, 3))
        self.conv7X7_2 = nn.Sequential(*_norm(quarter, quarter, 3), nn.LeakyReLU(slope))
        self.conv7x7_3 = nn.Sequential(*_norm(quarter, quarter, 3))

    def forward(self, x: Tensor) -> Tensor:
        """[B, width, H, W] -> the same shape."""
        middle = self.conv5X5_1(x)
        wide = self.conv7x7_3(self.conv7X7_2(middle))
        return F.relu(torch.cat([self.conv3X3(x), self.conv5X5_2(middle), wide], 1))


def _slope(width: int) -> float:
    """Of the leaky rectifiers: narrow networks were trained with one, wide ones without."""
    return 0.1 if width <= 64 else 0.0


class Head(nn.Module):
    """1x1 convolution to an anchor's values."""

    def __init__(self, width: int, values: int) -> None:
        super().__init__()
        self.conv1x1 = nn.Conv2d(width, ANCHORS * values, 1)
        self.values = values

    def forward(self, x: Tensor) -> Tensor:
        """[B, width, H, W] -> [B, H W ANCHORS, values], cells row by row."""
        flat = cast(Tensor, self.conv1x1(x)).permute(0, 2, 3, 1)
        return flat.reshape(x.shape[0], -1, self.values)


class RetinaFaceNetwork(nn.Module):
    """The whole network, under the published key names.

    Args:
        body: backbone with features at strides 8, 16 and 32.
        inputs: channels of those features.
        width: channels of the pyramid.
    """

    def __init__(self, body: nn.Module, inputs: Sequence[int], width: int) -> None:
        super().__init__()
        self.body = body
        self.fpn = Pyramid(inputs, width)
        self.ssh1, self.ssh2, self.ssh3 = (Context(width) for _ in STRIDES)
        for name, values in HEADS.items():
            self.add_module(name, nn.ModuleList(Head(width, values) for _ in STRIDES))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Run the network.

        Args:
            images: [B, 3, H, W] BGR 0..255 minus the means 104, 117, 123.

        Returns:
            Boxes [B, A, 4], logits [B, A, 2] and points [B, A, 10] of the anchors, the finest
            stride first, cells row by row; cells that the picture's edge cuts count.
        """
        pyramid = self.fpn(self.body(images))
        seen = [self.get_submodule(f"ssh{index}")(x) for index, x in enumerate(pyramid, 1)]
        boxes, logits, points = (
            torch.cat(
                [
                    head(x)
                    for head, x in zip(self.get_submodule(name).children(), seen, strict=True)
                ],
                1,
            )
            for name in HEADS
        )
        return boxes, logits, points
