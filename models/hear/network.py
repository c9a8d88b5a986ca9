"""HEAR-Net: the second stage of FaceShifter, which brings occlusions back.

Li et al.: "FaceShifter: towards high fidelity and occlusion aware face swapping",
arXiv:1912.13457, section 3.2. Layers and key names are those of taotaonice/FaceShifter's
`network/HEAR_Net.py`; the authors published none.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEVELS = range(1, 6)
"""Numbers of the stages that halve the size; all but the last have one that doubles it again."""
_SLOPE = 0.1


def down(inputs: int, outputs: int) -> nn.Sequential:
    """[N, inputs, H, W] -> [N, outputs, H / 2, W / 2]."""
    return _activated(nn.Conv2d(inputs, outputs, 4, 2, padding=1), outputs)


def up(inputs: int, outputs: int) -> nn.Sequential:
    """[N, inputs, H, W] -> [N, outputs, 2 H, 2 W]."""
    return _activated(nn.ConvTranspose2d(inputs, outputs, 4, 2, padding=1), outputs)


def _activated(convolution: nn.Module, outputs: int) -> nn.Sequential:
    activation = nn.LeakyReLU(_SLOPE, inplace=True)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), activation)


class HEARNetwork(nn.Module):
    """The whole network, under the published key names.

    Args:
        downs: channels of the five stages that halve the size.
        ups: channels of the four stages that double it.
    """

    def __init__(self, downs: Sequence[int], ups: Sequence[int]) -> None:
        super().__init__()
        self.down1 = down(6, downs[0])
        self.down2 = down(downs[0], downs[1])
        self.down3 = down(downs[1], downs[2])
        self.down4 = down(downs[2], downs[3])
        self.down5 = down(downs[3], downs[4])
        self.up1 = up(downs[4], ups[0])
        self.up2 = up(downs[3] + ups[0], ups[1])
        self.up3 = up(downs[2] + ups[1], ups[2])
        self.up4 = up(downs[1] + ups[2], ups[3])
        self.up5 = nn.Conv2d(downs[0] + ups[3], 3, 3, padding=1)

    def forward(self, pair: Tensor) -> Tensor:
        """Refine.

        Args:
            pair: [N, 6, H, W], H and W multiples of 32: the swapped picture -1..1, then what its
                generator loses of the target, -2..2.

        Returns:
            [N, 3, H, W], -1..1.
        """
        halves = [self.down1(pair)]
        for stage in (self.down2, self.down3, self.down4):
            halves.append(stage(halves[-1]))
        x: Tensor = self.down5(halves[-1])
        for stage in (self.up1, self.up2, self.up3, self.up4):
            x = torch.cat((halves.pop(), stage(x)), 1)
        # Corners are aligned here, as the published network has it.
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
        return torch.tanh(self.up5(x))
