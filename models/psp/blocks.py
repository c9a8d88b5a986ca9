"""What reads a trunk's maps: codes for a StyleGAN2's layers, and maps for its noise inputs."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from ..stylegan2.layers import EqualLinear

CODE_SLOPE = 0.01
MAP_SLOPE = 0.2


class MapToCode(nn.Module):
    """Halves a map until one number a channel is left (pSp's GradualStyleBlock).

    Args:
        spatial: side of the map in pixels, a power of two.
        width: channels of the convolutions.
        style: C, length of the code.
        inputs: channels of the map; `width` unless given.
    """

    def __init__(
        self, spatial: int, width: int = 512, style: int = 512, inputs: int | None = None
    ) -> None:
        super().__init__()
        halvings = spatial.bit_length() - 1
        channels = [inputs or width, *[width] * halvings]
        layers: list[nn.Module] = []
        for before in channels[:-1]:
            layers += [nn.Conv2d(before, width, 3, 2, 1), nn.LeakyReLU(CODE_SLOPE)]
        self.convs = nn.Sequential(*layers)
        self.linear = EqualLinear(width, style)

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, spatial, spatial] -> [N, C]."""
        return cast(Tensor, self.linear(self.convs(x).flatten(1)))


class MapToMap(nn.Sequential):
    """Turns a map into one for a StyleGAN2's noise input: our completion of MFIM's M2M block.

    The last convolution begins as zero, so that training begins with the plain generator.

    Args:
        channels_in: of the map.
        channels_out: of what it becomes: 1, or those of the layer that it is added to.
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        last = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(cast(Tensor, last.bias))
        first = nn.Conv2d(channels_in, channels_in, 3, padding=1)
        super().__init__(first, nn.LeakyReLU(MAP_SLOPE), last)
