"""HRNet: a heat map for each landmark, from branches of four sizes that keep exchanging.

Sun et al.: "High-resolution representations for labeling pixels and regions", arXiv:1904.04514;
its W18 for faces. Modules carry the key names of HRNet/HRNet-Facial-Landmark-Detection.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..bisenet.network import Block
from ..retinaface.network import Bottleneck

INPUT = 256
"""Side of the crops that the published network was trained on."""
STRIDE = 4
"""Side of a crop over that of its heat maps."""


def _conv(inputs: int, outputs: int, stride: int, relu: bool = True) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), *[nn.ReLU()] * relu)


def _bridge(widths: Sequence[int], source: int, target: int) -> nn.Module:
    """What carries a branch's features to another branch, but for their enlargement."""
    inputs, outputs = widths[source], widths[target]
    if source == target:
        return nn.Identity()
    if source > target:
        return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
    halvings = (_conv(inputs, inputs, 2) for _ in range(target - source - 1))
    return nn.Sequential(*halvings, _conv(inputs, outputs, 2, relu=False))


class Exchange(nn.Module):
    """Residual blocks in each branch, and then every branch adds what all others know.

    Args:
        widths: channels of the branches, the finest first; each has half the size of the last.
        blocks: residual blocks of each branch.
    """

    def __init__(self, widths: Sequence[int], blocks: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*(Block(width, width, 1) for _ in range(blocks))) for width in widths
        )
        places = range(len(widths))
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_bridge(widths, source, target) for source in places) for target in places
        )

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """A map [N, C, H, W] for each branch -> the same shapes."""
        maps = [branch(x) for branch, x in zip(self.branches, maps, strict=True)]
        return [F.relu(self._gather(maps, target)) for target in range(len(maps))]

    def _gather(self, maps: list[Tensor], target: int) -> Tensor:
        bridges = cast(nn.ModuleList, self.fuse_layers[target])
        parts = (bridge(x) for bridge, x in zip(bridges, maps, strict=True))
        return reduce(torch.add, (_enlarge(part, maps[target]) for part in parts))


class HRNetNetwork(nn.Module):
    """The whole network, under the published key names.

    Args:
        stem: channels before the branches; the first layer's bottlenecks are as narrow.
        bottlenecks: how many that layer has.
        widths: channels of the four branches, the finest first.
        modules: exchanges of each stage; the stages have two, three and four branches.
        blocks: residual blocks of a branch in each stage's exchanges.
        points: how many landmarks it finds.
    """

    def __init__(
        self,
        stem: int,
        bottlenecks: int,
        widths: Sequence[int],
        modules: Sequence[int],
        blocks: Sequence[int],
        points: int,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, stem, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(stem)
        self.conv2 = nn.Conv2d(stem, stem, 3, stride=2, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(stem)
        channels = (stem, *[4 * stem] * bottlenecks)
        self.layer1 = nn.Sequential(*(Bottleneck(inputs, stem, 1) for inputs in channels[:-1]))
        before: Sequence[int] = channels[-1:]
        for stage, (count, depth) in enumerate(zip(modules, blocks, strict=True), 2):
            now = widths[:stage]
            exchanges = (Exchange(now, depth) for _ in range(count))
            self.add_module(f"transition{stage - 1}", _transition(before, now))
            self.add_module(f"stage{stage}", nn.Sequential(*exchanges))
            before = now
        whole = sum(widths)
        head = (nn.Conv2d(whole, whole, 1), nn.BatchNorm2d(whole), nn.ReLU())
        self.head = nn.Sequential(*head, nn.Conv2d(whole, points, 1))

    def forward(self, crops: Tensor) -> Tensor:
        """Draw heat maps.

        Args:
            crops: [N, 3, H, W] RGB, normalised by ImageNet's mean and deviation; in training
                256 px, multiples of 4.

        Returns:
            [N, points, H / 4, W / 4]: highest where a landmark is, about 0 elsewhere.
        """
        x = F.relu(self.bn1(self.conv1(crops)))
        maps = [self.layer1(F.relu(self.bn2(self.conv2(x))))]
        for stage in (2, 3, 4):
            transition = cast(nn.ModuleList, self.get_submodule(f"transition{stage - 1}"))
            # The new branch, the last one, begins with the coarsest map.
            sources = [*maps, maps[-1]]
            maps = [layer(x) for layer, x in zip(transition, sources, strict=True)]
            maps = self.get_submodule(f"stage{stage}")(maps)
        return cast(Tensor, self.head(torch.cat([_enlarge(x, maps[0]) for x in maps], 1)))


def _transition(before: Sequence[int], now: Sequence[int]) -> nn.ModuleList:
    """What turns a stage's maps into those of the next one, which has one branch more."""
    kept = (
        nn.Identity() if inputs == outputs else _conv(inputs, outputs, 1)
        for inputs, outputs in zip(before, now, strict=False)
    )
    return nn.ModuleList([*kept, nn.Sequential(_conv(before[-1], now[-1], 2))])


def _enlarge(x: Tensor, like: Tensor) -> Tensor:
    if x.shape[2:] == like.shape[2:]:
        return x
    return F.interpolate(x, like.shape[2:], mode="bilinear", align_corners=False)
