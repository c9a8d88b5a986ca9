"""IR-SE50: ArcFace's residual network with squeeze and excitation.

Modules carry the key names of TreB1eN/InsightFace_Pytorch's checkpoint, which pSp and its kin use.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

INPUT = 112
"""Side of the crop that the network takes."""
REDUCTION = 16
"""How many channels share one number when a block weighs its channels."""


class Excitation(nn.Module):
    """Weighs channels by what their means say (Hu et al., arXiv:1709.01507)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(width, width // REDUCTION, 1, bias=False)
        self.fc2 = nn.Conv2d(width // REDUCTION, width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, width, H, W] -> the same shape."""
        gate: Tensor = self.fc2(F.relu(self.fc1(x.mean((2, 3), keepdim=True)))).sigmoid()
        return x * gate


class Block(nn.Module):
    """Two 3x3 convolutions with weighed channels beside a shortcut."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.shortcut_layer: nn.Module = nn.MaxPool2d(1, stride)
        if inputs != width:
            self.shortcut_layer = nn.Sequential(
                nn.Conv2d(inputs, width, 1, stride, bias=False), nn.BatchNorm2d(width)
            )
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, width, 3, padding=1, bias=False),
            nn.PReLU(width),
            nn.Conv2d(width, width, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(width),
            Excitation(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, width, H / stride, W / stride]."""
        return cast(Tensor, self.res_layer(x) + self.shortcut_layer(x))


class IRSE50Body(nn.Module):
    """The network without its last layers, as pSp and its kin build on it.

    Args:
        stem: channels of the first convolution.
        widths: channels of each block; where they change, and at the first one, the size halves.
    """

    def __init__(self, stem: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.input_layer = nn.Sequential(
            nn.Conv2d(3, stem, 3, padding=1, bias=False), nn.BatchNorm2d(stem), nn.PReLU(stem)
        )
        self.strides = [2, *(1 + (a != b) for a, b in pairwise(widths))]
        rows = zip((stem, *widths[:-1]), widths, self.strides, strict=True)
        self.body = nn.Sequential(*(Block(*row) for row in rows))


class IRSE50Network(IRSE50Body):
    """The whole network, under the published key names.

    Args:
        stem: as for the body.
        widths: as for the body.
        length: D, numbers of an embedding.
    """

    def __init__(self, stem: int, widths: Sequence[int], length: int) -> None:
        super().__init__(stem, widths)
        side = INPUT >> self.strides.count(2)
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(widths[-1]),
            nn.Dropout(),
            nn.Flatten(),
            nn.Linear(widths[-1] * side * side, length),
            nn.BatchNorm1d(length),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Crops [B, 3, 112, 112] RGB -1..1 -> embeddings [B, D] of length 1."""
        return F.normalize(self.output_layer(self.body(self.input_layer(images))))
