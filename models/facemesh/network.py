"""FaceMesh: 468 points on a face crop, in three dimensions.

Kartynnik, Ablavatski, Grishchenko, Grundmann: "Real-time facial surface geometry from monocular
video on mobile GPUs", arXiv:1907.06724. Modules carry the key names of the published weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

INPUT = 192
POINTS = 468
BLOCKS = (2, 3, 3, 3, 3)
"""Residual blocks of each stage; all stages but the first begin by halving the size."""


class Block(nn.Module):
    """Depthwise 3x3 and 1x1 convolution beside a shortcut, then PReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.added = outputs - inputs
        self.convs = nn.Sequential(
            nn.Conv2d(inputs, inputs, 3, stride, padding=2 - stride, groups=inputs),
            nn.Conv2d(inputs, outputs, 1),
        )
        self.act = nn.PReLU(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, outputs, H / stride, W / stride], of even H and W."""
        if self.stride == 1:
            return cast(Tensor, self.act(self.convs(x) + x))
        shortcut = F.pad(F.max_pool2d(x, 2), (0, 0, 0, 0, 0, self.added))
        return cast(Tensor, self.act(self.convs(_pad_after(x)) + shortcut))


class FaceMeshNetwork(nn.Module):
    """The whole network, under the published key names.

    Args:
        widths: channels of each stage.
        hidden: channels before the two outputs.
    """

    def __init__(self, widths: Sequence[int], hidden: int) -> None:
        super().__init__()
        first, last = widths[0], widths[-1]
        stem = [nn.Conv2d(3, first, 3, stride=2), nn.PReLU(first)]
        self.backbone = nn.Sequential(*stem, *_stages(widths))
        self.coord_head = nn.Sequential(
            *(Block(last, last, stride) for stride in (2, 1, 1)),
            *_neck(last, hidden),
            nn.Conv2d(hidden, 3 * POINTS, 3),
        )
        self.conf_head = nn.Sequential(
            Block(last, last, 2), *_neck(last, hidden), nn.Conv2d(hidden, 1, 3)
        )

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Run the network.

        Args:
            crops: [N, 3, 192, 192] RGB -1..1.

        Returns:
            Points [N, 468, 3] in crop pixels, the third column depth in the same scale, nearer
            is less; and [N] the logit that the crop holds a face.
        """
        features = self.backbone(_pad_after(crops))
        points = self.coord_head(features).reshape(-1, POINTS, 3)
        return points, self.conf_head(features).reshape(-1)


def _stages(widths: Sequence[int]) -> list[nn.Module]:
    blocks: list[nn.Module] = []
    for stage, (count, width) in enumerate(zip(BLOCKS, widths, strict=True)):
        before = widths[max(stage - 1, 0)]
        blocks.append(Block(before, width, stride=2 if stage else 1))
        blocks.extend(Block(width, width) for _ in range(count - 1))
    return blocks


def _neck(width: int, hidden: int) -> list[nn.Module]:
    return [nn.Conv2d(width, hidden, 1), nn.PReLU(hidden), Block(hidden, hidden)]


def _pad_after(x: Tensor) -> Tensor:
    # TensorFlow pads an even size for stride 2 at the right and below only; padding before it
    # would move every point by about one pixel.
    return F.pad(x, (0, 1, 0, 1))
