"""MultiScaleResUNet: the generator that FSGAN reenacts, inpaints and blends with.

Nirkin, Keller, Hassner: "FSGAN: subject agnostic face swapping and reenactment", ICCV 2019,
arXiv:1908.05932, section 3.2. A residual U-Net sees the picture at half size, and an enhancer adds
the detail of the whole size, as in pix2pixHD (arXiv:1711.11585, section 3.1). Key names are those
of YuvalNirkin/fsgan: branch v1, the paper's generation, and master, the second one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Heads = Mapping[str, int]
"""Channels of each output, by the name of its convolution."""


def conv_block(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> list[nn.Module]:
    """Reflected border, convolution, normalisation, ReLU: four steps of a sequence."""
    return [*_conv(inputs, outputs, kernel, stride), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, bias=False)
    return [nn.ReflectionPad2d(kernel // 2), conv]


class Block(nn.Module):
    """Layers one after the other, under the name `model`."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.model = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, outputs, h, w]."""
        y: Tensor = self.model(x)
        return y


class Residual(Block):
    """Two 3x3 convolutions beside a shortcut."""

    def __init__(self, width: int) -> None:
        second = [*_conv(width, width, 3), nn.BatchNorm2d(width)]
        super().__init__(*conv_block(width, width), *second)

    def forward(self, x: Tensor) -> Tensor:
        """[N, width, H, W] -> the same shape."""
        return F.relu_(self.model(x).add_(x))


class Up(Block):
    """Twice the size, then a 3x3 convolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(*conv_block(inputs, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, outputs, 2 H, 2 W]."""
        return super().forward(F.interpolate(x, scale_factor=2, mode="bilinear"))


def down(inputs: int, outputs: int) -> Block:
    """Half the size: [N, inputs, H, W] -> [N, outputs, H / 2, W / 2]."""
    return Block(*conv_block(inputs, outputs, stride=2), *conv_block(outputs, outputs))


def flat(width: int, blocks: int) -> Block:
    """Residual blocks, none of which is the identity: [N, width, H, W] -> the same shape."""
    return Block(*(Residual(width) for _ in range(blocks)))


class Skip(nn.Module):
    """One level of the U-Net, with those below it.

    Args:
        widths: channels of this level and of those below it.
        flats: residual blocks of each.
    """

    def __init__(self, widths: Sequence[int], flats: Sequence[int]) -> None:
        super().__init__()
        self.submodule = None
        if len(widths) > 1:
            self.submodule = Skip(widths[1:], flats[1:])
            self.down_block = down(*widths[:2])
            self.up_block = Up(widths[1], widths[0])
        self.flat_block = flat(widths[0], flats[0])

    def forward(self, x: Tensor) -> Tensor:
        """[N, widths[0], H, W] -> the same shape."""
        if self.submodule is not None:
            x = x + self.up_block(self.submodule(self.down_block(x)))
        y: Tensor = self.flat_block(x)
        return y


class Headed(nn.Module):
    """What the base and its enhancer share: a way in, and heads of one name each.

    Args:
        inputs: channels of the pictures.
        width: channels behind the first convolution.
        heads: the outputs.
    """

    def __init__(self, inputs: int, width: int, heads: Heads) -> None:
        super().__init__()
        self.in_conv = nn.Sequential(*conv_block(inputs, width, kernel=7))
        self.heads = tuple(heads)
        for name, outputs in heads.items():
            self.add_module(name, nn.Sequential(*_conv(width, outputs, 7), nn.Tanh()))

    def enter(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, width, H, W]."""
        # Channels last: convolutions on a CPU then need not bring each input into that order.
        y: Tensor = self.in_conv(x.contiguous(memory_format=torch.channels_last))
        return y

    def show(self, x: Tensor) -> Tensor:
        """Features [N, width, H, W] -> [N, C, H, W] -1..1, the heads' channels in turn."""
        return torch.cat([self.get_submodule(name)(x) for name in self.heads], 1)


class ResUNet(Headed):
    """The base, which a checkpoint of the first phase of training holds alone.

    Args:
        inputs: channels of the pictures.
        widths: channels of each level, the finest first.
        flats: residual blocks of each.
        heads: the outputs.
    """

    def __init__(
        self, inputs: int, widths: Sequence[int], flats: Sequence[int], heads: Heads
    ) -> None:
        super().__init__(inputs, widths[0], heads)
        self.inner = Skip(widths, flats)

    def features(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, widths[0], H, W]."""
        y: Tensor = self.inner(self.enter(x))
        return y

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, C, H, W] -1..1, the heads' channels in turn."""
        return self.show(self.features(x))


class Enhancer(Headed):
    """Adds the detail of the whole size to the features of the half one.

    Args:
        inputs: channels of the pictures.
        width: its own channels.
        below: channels of the base's features.
        flats: residual blocks.
        heads: the outputs.
        first: whether it is of the first generation, which works at half the size.
    """

    def __init__(
        self, inputs: int, width: int, below: int, flats: int, heads: Heads, first: bool
    ) -> None:
        super().__init__(inputs, width, heads)
        self.down_block = down(width, below) if first else None
        self.flat_block = flat(below if first else width, flats)
        self.up_block = Up(below, width)

    def forward(self, x: Tensor, features: Tensor) -> Tensor:
        """[N, inputs, H, W] and [N, below, H / 2, W / 2] -> [N, C, H, W] -1..1."""
        x = self.enter(x)
        if self.down_block is None:
            return self.show(self.flat_block(x + self.up_block(features)))
        return self.show(self.up_block(self.flat_block(self.down_block(x) + features)))


class MultiScaleResUNet(nn.Module):
    """The whole network, under the published key names.

    Args:
        base: the U-Net.
        enhancer1: the enhancer.
    """

    def __init__(self, base: ResUNet, enhancer1: Enhancer) -> None:
        super().__init__()
        self.base, self.enhancer1 = base, enhancer1

    def forward(self, x: Tensor, half: Tensor | None = None) -> Tensor:
        """Run the network.

        Args:
            x: [N, inputs, H, W]; H and W are multiples of what the levels reduce by.
            half: [N, inputs, H / 2, W / 2] the same at half size; by default `halved(x)`.

        Returns:
            [N, C, H, W] -1..1, the heads' channels in turn.
        """
        half = halved(x) if half is None else half
        # In training each picture counts in the others' normalisation.
        if len(x) < 2 or self.training or x.device.type != "cpu":
            return self._at_once(x, half)
        # A CPU needs a seventh less time for one picture at a time.
        singles = zip(x.split(1), half.split(1), strict=True)  # type: ignore[no-untyped-call]
        return torch.cat([self._at_once(*single) for single in singles])

    def _at_once(self, x: Tensor, half: Tensor) -> Tensor:
        y: Tensor = self.enhancer1(x, self.base.features(half))
        return y


def halved(x: Tensor) -> Tensor:
    """Half the size as FSGAN halves tensors: [N, C, H, W] -> [N, C, H / 2, W / 2]."""
    return F.avg_pool2d(x, 3, 2, padding=1, count_include_pad=False)
