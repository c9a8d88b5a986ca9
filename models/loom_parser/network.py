"""FaceLoom's own parser: which part of a face each pixel shows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from ..blocks import conv, strided_stages

INPUT = 256
CLASSES = 19


class LoomParserNetwork(nn.Module):
    """Strided convolutions down, and back up with the finer features added at each size.

    Ronneberger, Fischer, Brox: "U-Net", arXiv:1505.04597, with sums in place of concatenations.

    Args:
        widths: channels of each stage; every stage begins by halving the size.
        blocks: residual blocks of each stage.
        head: channels before the classes.
    """

    def __init__(self, widths: Sequence[int], blocks: Sequence[int], head: int) -> None:
        super().__init__()
        self.down = nn.ModuleList(strided_stages(widths, blocks))
        self.up = nn.ModuleList(conv(coarse, fine) for coarse, fine in pairwise(reversed(widths)))
        self.head = conv(widths[0], head)
        self.classes = nn.Conv2d(head, CLASSES, 3, padding=1)

    def forward(self, crops: Tensor) -> Tensor:
        """Run the network.

        Args:
            crops: [N, 3, S, S] RGB 0..1, S a multiple of 32; made for 256.

        Returns:
            [N, 19, S / 2, S / 2] logits of the classes of CelebAMask-HQ.
        """
        x = 4 * crops - 2
        features: list[Tensor] = []
        for stage in self.down:
            x = stage(x)
            features.append(x)
        for merge, finer in zip(self.up, reversed(features[:-1]), strict=True):
            x = merge(F.interpolate(x, scale_factor=2.0, mode="nearest")) + finer
        return cast(Tensor, self.classes(self.head(x)))
