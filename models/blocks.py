"""Plain convolution blocks of the networks that FaceLoom trains itself.

3x3 convolutions with batch normalisation and ReLU only: of all blocks these train fastest on a CPU.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from .weights import StateDict


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


def strided_stages(widths: Sequence[int], blocks: Sequence[int]) -> list[nn.Sequential]:
    """Stages of an encoder of pictures: each halves the size, then has residual blocks.

    Args:
        widths: channels of each stage.
        blocks: residual blocks of each stage.
    """
    return [
        nn.Sequential(conv(before, width, 2), *(Residual(width) for _ in range(count)))
        for before, width, count in zip((3, *widths), widths, blocks, strict=False)
    ]


def stage_sizes(state: StateDict, name: str) -> tuple[list[int], list[int]]:
    """Widths and blocks of `strided_stages`, from weights that hold them under a name."""
    stages = range(len({key.split(".")[1] for key in state if key.startswith(f"{name}.")}))
    widths = [state[f"{name}.{stage}.0.conv.weight"].shape[0] for stage in stages]
    blocks = [
        len({key.split(".")[2] for key in state if key.startswith(f"{name}.{stage}.")}) - 1
        for stage in stages
    ]
    return widths, blocks
