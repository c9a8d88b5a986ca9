"""BiSeNet: a map of 19 classes for a face, from a ResNet's context and its finer features.

Yu, Wang, Peng, Gao, Yu, Sang: "BiSeNet: bilateral segmentation network for real-time semantic
segmentation", ECCV 2018, with a ResNet in place of the spatial path. Modules carry the key names of
the checkpoint published with face-parsing.PyTorch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

INPUT = 512


class ConvBNReLU(nn.Module):
    """Convolution, batch normalisation and ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, outputs, H, W]."""
        return F.relu(self.bn(self.conv(x)))


class Block(nn.Module):
    """ResNet's basic block (He et al. 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, outputs, H / stride, W / stride]."""
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.downsample(x))


class ResNet(nn.Module):
    """The four stages of a ResNet; features at strides 8, 16 and 32."""

    def __init__(self, widths: Sequence[int], blocks: Sequence[int]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, widths[0], 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        before = widths[0]
        for stage, (width, count) in enumerate(zip(widths, blocks, strict=True), start=1):
            first = Block(before, width, stride=1 if stage == 1 else 2)
            rest = (Block(width, width, stride=1) for _ in range(count - 1))
            self.add_module(f"layer{stage}", nn.Sequential(first, *rest))
            before = width

    def forward(self, x: Tensor) -> list[Tensor]:
        """[N, 3, H, W] -> features of the last three stages, the finest first."""
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, stride=2, padding=1)
        features = []
        for stage in range(1, 5):
            x = self.get_submodule(f"layer{stage}")(x)
            features.append(x)
        return features[1:]


class AttentionRefinement(nn.Module):
    """Scales each channel by what the whole picture says of it."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = ConvBNReLU(inputs, outputs)
        self.conv_atten = nn.Conv2d(outputs, outputs, 1, bias=False)
        self.bn_atten = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, outputs, H, W]."""
        x = self.conv(x)
        return cast(Tensor, x * self.bn_atten(self.conv_atten(_mean(x))).sigmoid())


class ContextPath(nn.Module):
    """A ResNet whose coarse features are brought up to stride 8."""

    def __init__(self, widths: Sequence[int], blocks: Sequence[int], context: int) -> None:
        super().__init__()
        self.resnet = ResNet(widths, blocks)
        self.arm16 = AttentionRefinement(widths[2], context)
        self.arm32 = AttentionRefinement(widths[3], context)
        self.conv_head32 = ConvBNReLU(context, context)
        self.conv_head16 = ConvBNReLU(context, context)
        self.conv_avg = ConvBNReLU(widths[3], context, kernel=1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """[N, 3, H, W] -> the ResNet's features and the context, both at stride 8."""
        fine, middle, coarse = self.resnet(x)
        context = self.arm32(coarse) + self.conv_avg(_mean(coarse))
        context = self.conv_head32(F.interpolate(context, middle.shape[2:], mode="nearest"))
        context = self.arm16(middle) + context
        return fine, self.conv_head16(F.interpolate(context, fine.shape[2:], mode="nearest"))


class FeatureFusion(nn.Module):
    """Joins fine features and context."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convblk = ConvBNReLU(inputs, outputs, kernel=1)
        self.conv1 = nn.Conv2d(outputs, outputs // 4, 1, bias=False)
        self.conv2 = nn.Conv2d(outputs // 4, outputs, 1, bias=False)

    def forward(self, fine: Tensor, context: Tensor) -> Tensor:
        """Two of [N, *, H, W] -> [N, outputs, H, W]."""
        x = self.convblk(torch.cat([fine, context], 1))
        return cast(Tensor, x + x * self.conv2(F.relu(self.conv1(_mean(x)))).sigmoid())


class Output(nn.Module):
    """A head: logits of the classes."""

    def __init__(self, inputs: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.conv = ConvBNReLU(inputs, hidden)
        self.conv_out = nn.Conv2d(hidden, classes, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, classes, H, W]."""
        return cast(Tensor, self.conv_out(self.conv(x)))


class BiSeNetNetwork(nn.Module):
    """The whole network, under the published key names.

    Args:
        widths: channels of the ResNet's four stages.
        blocks: blocks of each of them.
        context: channels of the context; the other widths of the published networks follow.
        classes: how many classes there are.
    """

    def __init__(
        self, widths: Sequence[int], blocks: Sequence[int], context: int, classes: int
    ) -> None:
        super().__init__()
        self.cp = ContextPath(widths, blocks, context)
        self.ffm = FeatureFusion(widths[1] + context, 2 * context)
        self.conv_out = Output(2 * context, 2 * context, classes)
        # Heads that only training reads; they are here because checkpoints hold them.
        self.conv_out16 = Output(context, context // 2, classes)
        self.conv_out32 = Output(context, context // 2, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Run the network.

        Args:
            images: [N, 3, H, W] RGB, normalised by ImageNet's mean and deviation.

        Returns:
            [N, classes, H, W] logits.
        """
        logits = self.conv_out(self.ffm(*self.cp(images)))
        # As published, and trained: corners upon corners.
        return F.interpolate(logits, images.shape[2:], mode="bilinear", align_corners=True)


def _mean(x: Tensor) -> Tensor:
    return x.mean((2, 3), keepdim=True)
