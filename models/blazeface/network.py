"""BlazeFace, as hollance's BlazeFace-PyTorch publishes MediaPipe's front and back camera models.

Bazarevsky et al.: "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs",
arXiv:1907.05047. Modules carry the key names of the published checkpoints. Convolutions of stride
2 pad at the right and below more than at the left and above, as TensorFlow does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ANCHORS = {8: 2, 16: 6}
"""Anchors a cell, by the name that the checkpoints give the grid: 16x16 cells, and 8x8."""
VALUES = 16
"""Of an anchor: box centre and size, six points."""


def _pair(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    """Depthwise 3x3 and 1x1 convolution."""
    depthwise = nn.Conv2d(inputs, inputs, 3, stride, 1 if stride == 1 else 0, groups=inputs)
    return nn.Sequential(depthwise, nn.Conv2d(inputs, outputs, 1))


class Block(nn.Module):
    """Separable convolution beside a shortcut that pools and fills new channels with zeros."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.convs = _pair(inputs, outputs, stride)
        self.more = outputs - inputs
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, outputs, H / stride, W / stride]."""
        wide = x
        if self.stride == 2:
            wide, x = F.pad(x, (0, 2, 0, 2)), F.max_pool2d(x, 2)
        return F.relu(self.convs(wide) + F.pad(x, (0, 0, 0, 0, 0, self.more)))


class Last(nn.Module):
    """Separable convolution of stride 2 without a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convs = _pair(width, width, 2)

    def forward(self, x: Tensor) -> Tensor:
        """[B, width, H, W] -> [B, width, H / 2, W / 2]."""
        return F.relu(self.convs(F.pad(x, (0, 2, 0, 2))))


def chain(widths: Sequence[int], strides: Sequence[int], first: int = 0) -> list[nn.Module]:
    """Blocks from one width to the next; of `first` pixels' channels a stem before them."""
    stem = [nn.Conv2d(first, widths[0], 5, 2), nn.ReLU()] if first else []
    pairs = zip(widths, widths[1:], strides, strict=False)
    return [*stem, *(Block(inputs, outputs, stride) for inputs, outputs, stride in pairs)]


class BlazeFaceNetwork(nn.Module):
    """The whole network, under the published key names."""

    def __init__(self, stages: dict[str, nn.Module], widths: dict[int, int]) -> None:
        """Build it.

        Args:
            stages: the two stages by name, with features of 16x16 and of 8x8 cells.
            widths: channels of those features, under the keys of `ANCHORS`.
        """
        super().__init__()
        self.stages = list(stages)
        for name, stage in stages.items():
            self.add_module(name, stage)
        for grid, count in ANCHORS.items():
            self.add_module(f"classifier_{grid}", nn.Conv2d(widths[grid], count, 1))
            self.add_module(f"regressor_{grid}", nn.Conv2d(widths[grid], VALUES * count, 1))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Run the network.

        Args:
            images: [B, 3, S, S] RGB -1..1, S = 128 (front) or 256 (back).

        Returns:
            [B, 896, 16] box and points of each anchor, and [B, 896] its logit; the finer grid
            first, cells row by row.
        """
        x = F.pad(images, (1, 2, 1, 2))
        values: list[Tensor] = []
        logits: list[Tensor] = []
        for name, grid in zip(self.stages, ANCHORS, strict=True):
            x = self.get_submodule(name)(x)
            for kind, heads in (("regressor", values), ("classifier", logits)):
                head = cast(Tensor, self.get_submodule(f"{kind}_{grid}")(x))
                size = VALUES if kind == "regressor" else 1
                heads.append(head.permute(0, 2, 3, 1).reshape(len(x), -1, size))
        return torch.cat(values, 1), torch.cat(logits, 1)[..., 0]
