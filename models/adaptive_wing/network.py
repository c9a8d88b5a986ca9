"""AdaptiveWing's FAN: stacked hourglasses that draw a heat map for each landmark.

Wang, Bo, Li: "Adaptive Wing Loss for Robust Face Alignment via Heatmap Regression",
arXiv:1904.07399. Modules carry the key names of protossw512/AdaptiveWingLoss.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

INPUT = 256
"""Side of the pictures that the published network was trained on."""
HEATMAP = 64
"""Side of the heat maps of such a picture."""
BOUNDARY = 0.05
"""Where the boundary map is larger, later hourglasses see the coordinates once more."""


class CoordConv(nn.Module):
    """A convolution that sees where it is (Liu et al., arXiv:1807.03247).

    Args:
        inputs: channels of `x`.
        outputs: channels it gives.
        kernel: side of the kernel.
        stride: its stride.
        gated: whether it wants a boundary map.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, gated: bool = False
    ) -> None:
        super().__init__()
        channels = inputs + 3 + 2 * gated
        self.conv = nn.Conv2d(channels, outputs, kernel, stride, kernel // 2)

    def forward(self, x: Tensor, boundary: Tensor | None = None) -> Tensor:
        """[N, inputs, H, W] and a gated one's [N, 1, H, W] -> [N, outputs, H / s, W / s]."""
        places = coordinates(x)
        channels = [x, places]
        if boundary is not None:
            channels.append(torch.where(boundary > BOUNDARY, places[:, :2], 0))
        return cast(Tensor, self.conv(torch.cat(channels, 1)))


def coordinates(like: Tensor) -> Tensor:
    """Coordinates of a batch's pixels: [N, C, H, W] -> [N, 3, H, W], in its dtype.

    First down, then across, both -1..1 from the first pixel's centre to the last one's; then the
    distance from the middle, 1 in the corners.
    """
    ways = (
        2 * torch.arange(count, dtype=torch.float32, device=like.device) / (count - 1) - 1
        for count in like.shape[-2:]
    )
    down, across = torch.meshgrid(*ways, indexing="ij")
    radius = (down.square() + across.square()).sqrt()
    places = torch.stack([down, across, radius / radius.max()])
    return places.to(like.dtype).expand(len(like), -1, -1, -1)


class Block(nn.Module):
    """Three 3x3 convolutions whose outputs, beside one another, are added to the input.

    The residual block of Bulat, Tzimiropoulos: "Binarized convolutional landmark localizers",
    arXiv:1703.00862.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half, quarter = outputs // 2, outputs // 4
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, half, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(half)
        self.conv2 = nn.Conv2d(half, quarter, 3, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(quarter)
        self.conv3 = nn.Conv2d(quarter, quarter, 3, padding=1, bias=False)
        self.downsample: nn.Module = nn.Identity()
        if inputs != outputs:
            self.downsample = nn.Sequential(
                nn.BatchNorm2d(inputs), nn.ReLU(), nn.Conv2d(inputs, outputs, 1, bias=False)
            )

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, outputs, H, W]."""
        first = self.conv1(F.relu(self.bn1(x)))
        second = self.conv2(F.relu(self.bn2(first)))
        third = self.conv3(F.relu(self.bn3(second)))
        return cast(Tensor, torch.cat([first, second, third], 1) + self.downsample(x))


class Hourglass(nn.Module):
    """Blocks at ever smaller sizes and back again, each size with a shortcut (arXiv:1603.06937).

    Args:
        width: channels.
        depth: how often the size is halved.
        gated: whether it wants a boundary map, as all but a network's first one do.
    """

    def __init__(self, width: int, depth: int, gated: bool) -> None:
        super().__init__()
        self.depth = depth
        self.coordconv = CoordConv(width, width, 1, gated=gated)
        for level in range(1, depth + 1):
            for branch in ("b1", "b2", "b3"):
                self.add_module(f"{branch}_{level}", Block(width, width))
        self.b2_plus_1 = Block(width, width)

    def forward(self, x: Tensor, boundary: Tensor | None) -> Tensor:
        """[N, width, H, W] and a boundary map [N, 1, H, W] or None -> [N, width, H, W]."""
        return self._at(self.depth, self.coordconv(x, boundary))

    def _at(self, level: int, x: Tensor) -> Tensor:
        if level == 0:
            return cast(Tensor, self.b2_plus_1(x))
        skip, enter, leave = (self.get_submodule(f"b{branch}_{level}") for branch in (1, 2, 3))
        inner = leave(self._at(level - 1, enter(F.avg_pool2d(x, 2))))
        return cast(Tensor, skip(x) + F.interpolate(inner, scale_factor=2, mode="nearest"))


class AdaptiveWingNetwork(nn.Module):
    """The whole network, under the published key names.

    Args:
        widths: channels of `conv1`, of `conv2` and `conv3`, and of all that follows; the last two
            are multiples of 4.
        stacks: how many hourglasses follow one another.
        depth: how often an hourglass halves the size.
        points: how many landmarks it finds.
    """

    def __init__(self, widths: Sequence[int], stacks: int, depth: int, points: int) -> None:
        super().__init__()
        stem, middle, width = widths
        self.stacks = stacks
        self.conv1 = CoordConv(3, stem, 7, stride=2)
        self.bn1 = nn.BatchNorm2d(stem)
        self.conv2 = Block(stem, middle)
        self.conv3 = Block(middle, middle)
        self.conv4 = Block(middle, width)
        for stack in range(stacks):
            self.add_module(f"m{stack}", Hourglass(width, depth, gated=stack > 0))
            self.add_module(f"top_m_{stack}", Block(width, width))
            self.add_module(f"conv_last{stack}", nn.Conv2d(width, width, 1))
            self.add_module(f"bn_end{stack}", nn.BatchNorm2d(width))
            self.add_module(f"l{stack}", nn.Conv2d(width, points + 1, 1))
        for stack in range(stacks - 1):
            self.add_module(f"bl{stack}", nn.Conv2d(width, width, 1))
            self.add_module(f"al{stack}", nn.Conv2d(points + 1, width, 1))

    def forward(self, images: Tensor, rectified: bool = True) -> list[Tensor]:
        """Draw heat maps, as often as there are stacks, each time better.

        Args:
            images: [N, 3, H, W] RGB 0..1, in training 256 px; multiples of 4 * 2 ** depth.
            rectified: whether no heat map goes below 0. GHOST builds the network so; the authors'
                evaluation, and facexlib, without.

        Returns:
            For each stack [N, points + 1, H / 4, W / 4]: about 1 where a landmark is, 0 elsewhere;
            the last map shows the outlines that connect landmarks.
        """
        x = F.relu(self.bn1(self.conv1(images)))
        x = self.conv4(self.conv3(F.avg_pool2d(self.conv2(x), 2)))
        heatmaps: list[Tensor] = []
        for stack in range(self.stacks):
            boundary = heatmaps[-1][:, -1:] if heatmaps else None
            features = self._layer("top_m_", stack, self.get_submodule(f"m{stack}")(x, boundary))
            features = self._layer("bn_end", stack, self._layer("conv_last", stack, features))
            features = F.relu(features)
            maps = self._layer("l", stack, features)
            heatmaps.append(F.relu(maps) if rectified else maps)
            if stack + 1 < self.stacks:
                x = x + self._layer("bl", stack, features) + self._layer("al", stack, heatmaps[-1])
        return heatmaps

    def _layer(self, name: str, stack: int, x: Tensor) -> Tensor:
        return cast(Tensor, self.get_submodule(f"{name}{stack}")(x))
