"""Layers of StyleGAN2, of its generator and of its discriminator.

Karras et al.: "Analyzing and improving the image quality of StyleGAN", arXiv:1912.04958. Key
names are those of rosinality/stylegan2-pytorch, which the face swappers on StyleGAN2 took over.
Weights are stored with unit variance and scaled at run time ("equalized learning rate").

All activations are a leaky ReLU of slope 0.2 times sqrt(2). A positive factor passes a leaky ReLU
unchanged, so the generator has it in its kernels, where it costs nothing.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_SLOPE, _GAIN = 0.2, math.sqrt(2)
_EPSILON = 1e-8


def fast_layout(device: torch.device) -> torch.memory_format:
    """The order of maps in memory that convolutions are fast in; they pass it on.

    On a CPU torch copies maps into an order of its own and back, unless channels come last. That
    is half the time of a synthesis at 1024 px.
    """
    return torch.channels_last if device.type == "cpu" else torch.contiguous_format


class PixelNorm(nn.Module):
    """Bring each row of [N, C] to a mean square of 1."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise rows."""
        return x * torch.rsqrt(x.square().mean(1, keepdim=True) + _EPSILON)


class EqualLinear(nn.Module):
    """A linear layer, [..., I] -> [..., O].

    Args:
        inputs: I.
        outputs: O.
        bias: what biases begin with.
        multiplier: of the learning rate: weights are stored divided by it.
        active: followed by a leaky ReLU with gain sqrt(2).
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        bias: float = 0.0,
        multiplier: float = 1.0,
        active: bool = False,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / multiplier)
        self.bias = nn.Parameter(torch.full((outputs,), float(bias)))
        self.multiplier, self.active = multiplier, active
        self.scale = multiplier / math.sqrt(inputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map [..., I] to [..., O]."""
        y = F.linear(x, self.weight * self.scale, self.bias * self.multiplier)
        return F.leaky_relu_(y, _SLOPE) * _GAIN if self.active else y


class EqualConv(nn.Module):
    """A convolution, [N, I, H, W] -> [N, O, h, w]; padded to keep the size if its stride is 1.

    Args:
        inputs: I.
        outputs: O.
        kernel: its side.
        stride: 1 or 2.
        bias: whether it has biases.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, bias: bool = True
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.scale = 1 / math.sqrt(inputs * kernel**2)
        self.stride, self.padding = stride, kernel // 2 if stride == 1 else 0

    def forward(self, x: Tensor) -> Tensor:
        """Convolve [N, I, H, W]."""
        return F.conv2d(x, self.weight * self.scale, self.bias, self.stride, self.padding)


class FusedLeakyReLU(nn.Module):
    """Add a bias to each channel of [N, C, H, W], and activate."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Activate [N, C, H, W], in its own type."""
        bias = (self.bias * _GAIN).to(x.dtype)[:, None, None]
        return F.leaky_relu_(torch.add(bias, x, alpha=_GAIN), _SLOPE)


class Blur(nn.Module):
    """Smooth [N, C, H, W] by 1, 3, 3, 1 each way, zero-padded.

    Args:
        gain: what the kernel sums up to; 4 where three of four pixels are zeros.
        padding: pixels on each side.
        stride: 2 leaves every other pixel out.
    """

    kernel: Tensor

    def __init__(self, gain: float, padding: int, stride: int = 1) -> None:
        super().__init__()
        self.register_buffer("kernel", smoothing(gain))
        self.padding, self.stride = padding, stride

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """Smooth [N, C, H, W], and add a bias [C]."""
        kernel = self.kernel.flip(0, 1).to(x.dtype).expand(x.shape[1], 1, -1, -1)
        return F.conv2d(x, kernel, bias, self.stride, self.padding, groups=x.shape[1])


class Upsample(nn.Module):
    """Double the size of [N, C, H, W], smoothed by 1, 3, 3, 1 each way, zero-padded."""

    kernel: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kernel", smoothing(4))

    def forward(self, x: Tensor) -> Tensor:
        """Double the size of [N, C, H, W]."""
        channels = x.shape[1]
        kernel = self.kernel.to(x.dtype).expand(channels, 1, -1, -1)
        x = x.contiguous(memory_format=fast_layout(x.device))
        return F.conv_transpose2d(x, kernel, stride=2, padding=1, groups=channels)


def smoothing(gain: float) -> Tensor:
    """A kernel [4, 4] of 1, 3, 3, 1 each way that sums up to `gain`."""
    row = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
    return gain * row * row[:, None]


def conv_layer(
    inputs: int,
    outputs: int,
    kernel: int,
    down: bool = False,
    bias: bool = True,
    active: bool = True,
) -> nn.Sequential:
    """A convolution of the discriminator, and of RAFSwap's mask predictor.

    Args:
        inputs: channels in.
        outputs: channels out.
        kernel: its side.
        down: halve the size, smoothed first.
        bias: with biases; where `active`, they belong to the activation.
        active: followed by the activation.
    """
    # A 1x1 kernel sees no neighbours, so the pixels that it leaves out need no smoothing, either.
    early = down and kernel == 1
    layers: list[nn.Module] = []
    if down:
        layers.append(Blur(1, (kernel + 1) // 2, stride=2 if early else 1))
    stride = 2 if down and not early else 1
    layers.append(EqualConv(inputs, outputs, kernel, stride, bias and not active))
    if active:
        layers.append(FusedLeakyReLU(outputs))
    return nn.Sequential(*layers)


class ModulatedConv(nn.Module):
    """A convolution whose inputs are weighted by a code, for each sample its own (section 2.2).

    Args:
        inputs: I.
        outputs: O.
        kernel: its side.
        style: length of W codes.
        up: double the size.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, style: int, up: bool = False
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, outputs, inputs, kernel, kernel))
        self.modulation = EqualLinear(style, inputs, bias=1)
        if up:
            self.blur = Blur(4, padding=1)
        self.scale = 1 / math.sqrt(inputs * kernel**2)
        self.up = up

    def forward(self, x: Tensor, code: Tensor, bias: Tensor | None = None) -> Tensor:
        """Convolve and demodulate, without the blur.

        Outputs have unit variance, as if inputs had it, times the activation's gain. Kernels are
        normalised in float32, so that half precision does not overflow.

        Args:
            x: [N, I, H, W].
            code: [N, I], an S code.
            bias: [O], added at the end.

        Returns:
            [N, O, H, W], or [N, O, 2H + 1, 2W + 1], which `blur` makes twice the size.
        """
        weight, code = self.weight[0].float() * self.scale, code.float()
        if len(x) == 1:
            # Fewer numbers are in the kernel than in the maps.
            kernel = weight * code[0, :, None, None]
            power = torch.linalg.vector_norm(kernel, dim=(1, 2, 3)).square()
            demodulation = _GAIN * torch.rsqrt(power + _EPSILON)
            return self._convolve(x, kernel * demodulation[:, None, None, None], bias)
        largest = code.abs().amax(1, keepdim=True).clamp(min=_EPSILON)
        code = code / largest  # demodulation takes the length away again
        power = torch.linalg.vector_norm(weight, dim=(2, 3)).square()
        power = (power * code.square()[:, None]).sum(2)
        demodulation = _GAIN * torch.rsqrt(power + _EPSILON / largest.square())
        y = self._convolve(x * code.to(x.dtype)[..., None, None], weight)
        demodulation = demodulation.to(y.dtype)[..., None, None]
        if bias is None:
            return y * demodulation
        return torch.addcmul(bias.to(y.dtype)[:, None, None], y, demodulation)

    def _convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        weight = weight.to(x.dtype)
        if self.up:
            return F.conv_transpose2d(x, weight.transpose(0, 1), bias, stride=2)
        return F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)


class Noise(nn.Module):
    """How strong a layer's noise is."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))


class StyledConv(nn.Module):
    """A modulated convolution, a map added, and the activation.

    It runs in two steps, so that the caller can let go of the first one's input: at 1024 px each
    map of a single face takes 128 MiB.

    Args:
        inputs: I.
        outputs: O.
        style: length of W codes.
        up: double the size.
    """

    def __init__(self, inputs: int, outputs: int, style: int, up: bool = False) -> None:
        super().__init__()
        self.conv = ModulatedConv(inputs, outputs, 3, style, up)
        self.noise = Noise()
        self.activate = FusedLeakyReLU(outputs)

    def convolve(self, x: Tensor, code: Tensor) -> Tensor:
        """The first step; arguments and result as `ModulatedConv.forward`."""
        y: Tensor = self.conv(x, code, None if self.conv.up else self._bias(x))
        return y

    def finish(self, y: Tensor, added: Tensor | None) -> Tensor:
        """The second step: [N, O, S, S] of what `convolve` gave, which may be overwritten.

        Args:
            y: from `convolve`.
            added: [N or 1, 1 or O, S, S], or None for nothing.
        """
        if self.conv.up:
            y = self.conv.blur(y, self._bias(y))
        if added is not None:
            y.add_(added, alpha=_GAIN)
        return F.leaky_relu_(y, _SLOPE)

    def _bias(self, x: Tensor) -> Tensor:
        return (self.activate.bias * _GAIN).to(x.dtype)


class ToRGB(nn.Module):
    """Read a picture off a map, and add it to the upsampled one of the next smaller size.

    Args:
        inputs: I.
        style: length of W codes.
        up: whether there is a smaller one.
    """

    def __init__(self, inputs: int, style: int, up: bool = True) -> None:
        super().__init__()
        self.conv = ModulatedConv(inputs, 3, 1, style)
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))
        if up:
            self.upsample = Upsample()

    def forward(self, x: Tensor, code: Tensor, smaller: Tensor | None = None) -> Tensor:
        """Turn x [N, I, S, S] and codes [N, I] into [N, 3, S, S], always in float32."""
        weight = self.conv.weight[0, :, :, 0, 0].float() * self.conv.scale
        kernel = (weight * code.float()[:, None]).to(x.dtype)
        y = torch.einsum("noi,nihw->nohw", kernel, x).float().add_(self.bias)
        if smaller is None:
            return y
        with torch.autocast(x.device.type, enabled=False):
            return y.add_(self.upsample(smaller))
