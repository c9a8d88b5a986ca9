"""Slim: 68 points, head pose and the state of eyes and mouth from 234 thousand parameters.

The landmark network of the project "Peppa Pig Face Landmark". Modules carry the key names of the
published PyTorch checkpoints.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

STRIDES = {2: 1, 3: 2, 4: 1, 5: 2, 6: 1, 7: 1, 8: 1, 9: 2, 10: 1, 11: 1, 12: 2, 13: 1}
"""Stride of each separable convolution, `conv2` to `conv13`."""
TAPS = (8, 11, 13)
"""Convolutions whose features' means are read."""
OUTPUTS = 2 * 68 + 3 + 4
"""Points, three angles, and four logits: left eye, right eye, mouth shut; mouth wide open."""


class SlimNetwork(nn.Module):
    """The whole network, under the published key names.

    Args:
        widths: channels of the 13 convolutions.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(*_conv(3, widths[0], 3, 2))
        for number, stride in STRIDES.items():
            inputs, outputs = widths[number - 2 : number]
            spatial, mix = _conv(inputs, inputs, 3, stride, inputs), _conv(inputs, outputs, 1)
            self.add_module(f"conv{number}", nn.Sequential(*spatial, *mix))
        self.fc = nn.Linear(sum(widths[tap - 1] for tap in TAPS), OUTPUTS)

    def forward(self, crops: Tensor) -> Tensor:
        """Run the network.

        Args:
            crops: [N, 3, 160, 160] BGR, (0..255 - 127) / 127.

        Returns:
            [N, 143]: x and y of each point as fractions of the crop; pitch, yaw and roll in units
            of 90 degrees; four logits.
        """
        x, means = self.conv1(crops), []
        for number in STRIDES:
            x = self.get_submodule(f"conv{number}")(x)
            if number in TAPS:
                means.append(x.mean((2, 3)))
        outputs: Tensor = self.fc(torch.cat(means, 1))
        return outputs


def _conv(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    """Convolution, batch normalisation and ReLU."""
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    ]
