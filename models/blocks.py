"""Plain convolution blocks of the networks that FaceLoom trains itself.

3x3 convolutions with batch normalisation and ReLU only: of all blocks these train fastest on a CPU.
"""

from __future__ import annotations

from collections import OrderedDict

import torch.nn.functional as F
from torch import Tensor, nn


def conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """3x3 convolution, normalised and rectified: [N, inputs, H, W] -> [N, outputs, H/s, W/s]."""
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
            norm=nn.BatchNorm2d(outputs),
            relu=nn.ReLU(inplace=True),
        )
    )


class Residual(nn.Module):
    """Two 3x3 convolutions beside a shortcut (He et al., arXiv:1512.03385, figure 2)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = conv(width, width)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """[N, width, H, W] -> the same shape."""
        return F.relu(x + self.norm(self.second(self.first(x))))
