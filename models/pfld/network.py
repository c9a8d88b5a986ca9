"""PFLD: 68 or 98 points from inverted residuals at three scales.

Guo et al.: "PFLD: a practical facial landmark detector", arXiv:1902.10859. Modules carry the key
names of polarisZhao/PFLD-pytorch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Inverted(nn.Module):
    """Widen, convolve each channel, narrow; plus the input where `added`."""

    def __init__(
        self, inputs: int, outputs: int, stride: int = 1, added: bool = False, widen: int = 2
    ) -> None:
        super().__init__()
        self.added = added
        wide = inputs * widen
        self.conv = nn.Sequential(
            *(nn.Conv2d(inputs, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU()),
            nn.Conv2d(wide, wide, 3, stride, padding=1, groups=wide, bias=False),
            *(nn.BatchNorm2d(wide), nn.ReLU()),
            *(nn.Conv2d(wide, outputs, 1, bias=False), nn.BatchNorm2d(outputs)),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, outputs, H / stride, W / stride]."""
        y = cast(Tensor, self.conv(x))
        return x + y if self.added else y


class PFLDNetwork(nn.Module):
    """The whole network, without the branch that only its training uses.

    Args:
        widths: channels of `conv1`, `conv4_1`, `conv6_1`, `conv7` and `conv8`.
        points: how many points it finds.
    """

    def __init__(self, widths: Sequence[int], points: int) -> None:
        super().__init__()
        fine, middle, narrow, coarse, last = widths
        self.conv1 = nn.Conv2d(3, fine, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(fine)
        self.conv2 = nn.Conv2d(fine, fine, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(fine)
        self.conv3_1 = Inverted(fine, fine, stride=2)
        self._add_blocks("block3_", range(2, 6), fine, widen=2)
        self.conv4_1 = Inverted(fine, middle, stride=2)
        self.conv5_1 = Inverted(middle, middle, widen=4)
        self._add_blocks("block5_", range(2, 7), middle, widen=4)
        self.conv6_1 = Inverted(middle, narrow)
        self.conv7 = nn.Sequential(
            nn.Conv2d(narrow, coarse, 3, stride=2, padding=1, bias=False),
            *(nn.BatchNorm2d(coarse), nn.ReLU()),
        )
        self.conv8 = nn.Conv2d(coarse, last, 7)
        self.bn8 = nn.BatchNorm2d(last)  # in the checkpoints, but not in use
        self.fc = nn.Linear(narrow + coarse + last, 2 * points)

    def _add_blocks(self, prefix: str, numbers: range, width: int, widen: int) -> None:
        for number in numbers:
            self.add_module(f"{prefix}{number}", Inverted(width, width, added=True, widen=widen))

    def forward(self, crops: Tensor) -> Tensor:
        """Run the network.

        Args:
            crops: [N, 3, 112, 112] BGR 0..1.

        Returns:
            [N, points, 2]: x and y as fractions of the crop.
        """
        x = F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(crops))))))
        for block in self.children():
            if isinstance(block, Inverted):
                x = block(x)
        y = self.conv7(x)
        z = F.relu(self.conv8(y)).flatten(1)
        scales = torch.cat([x.mean((2, 3)), y.mean((2, 3)), z], 1)
        return cast(Tensor, self.fc(scales)).reshape(len(crops), -1, 2)
