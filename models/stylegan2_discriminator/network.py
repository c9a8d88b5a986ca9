"""StyleGAN2's discriminator: one score for a whole picture.

Karras et al.: "Analyzing and improving the image quality of StyleGAN", arXiv:1912.04958, section
4.1. Key names are those of rosinality/stylegan2-pytorch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from ..stylegan2.layers import EqualLinear, conv_layer, fast_layout

_GROUP = 4
_EPSILON = 1e-8


class Block(nn.Module):
    """A residual block that halves the size."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = conv_layer(inputs, inputs, 3)
        self.conv2 = conv_layer(inputs, outputs, 3, down=True)
        self.skip = conv_layer(inputs, outputs, 1, down=True, bias=False, active=False)

    def forward(self, x: Tensor) -> Tensor:
        """Turn [N, I, H, W] into [N, O, H / 2, W / 2]."""
        y: Tensor = self.conv2(self.conv1(x)) + self.skip(x)
        return y / math.sqrt(2)


class StyleGAN2DiscriminatorNetwork(nn.Module):
    """The whole network, under the published key names.

    Args:
        widths: channels at the pictures' size, at half of it, ... at 4 px.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.size, last = 4 << len(widths) - 1, widths[-1]
        blocks = (Block(*pair) for pair in pairwise(widths))
        self.convs = nn.Sequential(conv_layer(3, widths[0], 1), *blocks)
        self.final_conv = conv_layer(last + 1, last, 3)
        self.final_linear = nn.Sequential(
            EqualLinear(last * 16, last, active=True), EqualLinear(last, 1)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Score pictures [N, 3, size, size] RGB -1..1: [N, 1], higher is more real.

        Raises:
            ValueError: pictures of another size.
        """
        if images.shape[1:] != (3, self.size, self.size):
            raise ValueError(
                f"This StyleGAN2 discriminator judges pictures [N, 3, {self.size}, {self.size}], "
                f"got {list(images.shape)}; resize them, or take weights for their size."
            )
        x = self.convs(images.contiguous(memory_format=fast_layout(images.device)))
        x = self.final_conv(torch.cat((x, spread_of_groups(x)), 1))
        return cast(Tensor, self.final_linear(x.flatten(1)))


def spread_of_groups(x: Tensor) -> Tensor:
    """Measure how much pictures differ within their group: [N, C, h, w] -> [N, 1, h, w].

    Groups have four pictures, and fewer where N is no multiple of four.
    """
    groups = max(1, math.ceil(len(x) / _GROUP))
    # As published, a picture's neighbours are in other groups.
    parts = (x[group::groups] for group in range(groups))
    squares = ((part - part.mean(0)).square().mean(0) for part in parts)
    spreads = [(square + _EPSILON).sqrt().mean() for square in squares]
    member = torch.arange(len(x), device=x.device) % groups
    return torch.stack(spreads)[member, None, None, None].expand(-1, 1, *x.shape[2:])
