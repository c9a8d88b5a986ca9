"""FaceLoom's own encoder: who a face crop shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..blocks import strided_stages

INPUT = 112


class LoomEncoderNetwork(nn.Module):
    """Strided convolutions with residual blocks, then a weighing of the cells for each channel.

    The end is MobileFaceNet's (Chen et al., CCBR 2018, section 3.2): a cell of a face counts for
    what it shows, so the cells are not averaged.

    Args:
        widths: channels of each stage; every stage begins by halving the size.
        blocks: residual blocks of each stage.
        narrow: channels of the features that the teacher's are compared with in training.
        wide: channels before the cells are weighed.
        length: D, numbers of an embedding.
    """

    def __init__(
        self, widths: Sequence[int], blocks: Sequence[int], narrow: int, wide: int, length: int
    ) -> None:
        super().__init__()
        self.stages = nn.Sequential(*strided_stages(widths, blocks))
        self.narrow = nn.Conv2d(widths[-1], narrow, 1, bias=False)
        self.norm = nn.BatchNorm2d(narrow)
        self.widen = nn.Conv2d(narrow, wide, 1, bias=False)
        self.wide_norm = nn.BatchNorm2d(wide)
        cells = INPUT >> len(widths)
        self.cells = nn.Parameter(torch.randn(wide, cells, cells) / cells)
        self.linear = nn.Linear(wide, length)

    def forward(self, crops: Tensor) -> Tensor:
        """Crops [N, 3, 112, 112] RGB 0..1 -> embeddings [N, D]."""
        return self.embed(self.describe(crops))

    def describe(self, crops: Tensor) -> Tensor:
        """Crops [N, 3, 112, 112] RGB 0..1 -> features [N, narrow, 7, 7]."""
        return cast(Tensor, self.norm(self.narrow(self.stages(4 * crops - 2))))

    def embed(self, features: Tensor) -> Tensor:
        """Features of `describe` -> embeddings [N, D]."""
        x = F.relu(self.wide_norm(self.widen(features)))
        return cast(Tensor, self.linear((x * self.cells).sum((2, 3))))
