from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from faceloom.models.stylegan2.layers import (
    Blur,
    EqualConv,
    EqualLinear,
    FusedLeakyReLU,
    ModulatedConv,
    PixelNorm,
    StyledConv,
    ToRGB,
    Upsample,
    conv_layer,
)


def upfirdn(x, kernel, up=1, down=1, pad=(0, 0)):
    """Insert zeros, pad, convolve with the flipped kernel, drop pixels (upfirdn2d's reference)."""
    n, c, h, w = x.shape
    spread = x.new_zeros(n, c, h, up, w, up)
    spread[:, :, :, 0, :, 0] = x
    spread = F.pad(spread.reshape(n * c, 1, h * up, w * up), (*pad, *pad))
    y = F.conv2d(spread, kernel.flip(0, 1)[None, None])
    return y.reshape(n, c, *y.shape[2:])[:, :, ::down, ::down]


def grouped(conv, x, code, demodulate=True):
    """A modulated convolution by a kernel for each sample, as the paper's code has it."""
    n, inputs = code.shape
    kernels = conv.scale * conv.weight * code[:, None, :, None, None]
    if demodulate:
        kernels = kernels * (kernels.square().sum((2, 3, 4), keepdim=True) + 1e-8).rsqrt()
    outputs, side = kernels.shape[1], kernels.shape[-1]
    x = x.reshape(1, n * inputs, *x.shape[2:])
    if conv.up:
        kernels = kernels.transpose(1, 2).reshape(n * inputs, outputs, side, side)
        y = F.conv_transpose2d(x, kernels, stride=2, groups=n)
        return upfirdn(y.reshape(n, outputs, *y.shape[2:]), conv.blur.kernel, pad=(1, 1))
    y = F.conv2d(x, kernels.reshape(-1, inputs, side, side), padding=side // 2, groups=n)
    return y.reshape(n, outputs, *y.shape[2:])


def styled(layer, x, code, added=0):
    """`StyledConv`, step by step."""
    y = grouped(layer.conv, x, code) + added + layer.activate.bias[:, None, None]
    return F.leaky_relu(y, 0.2) * math.sqrt(2)


def styled_conv(up, seed=0):
    torch.manual_seed(seed)
    layer = StyledConv(6, 5, 7, up)
    torch.nn.init.normal_(layer.activate.bias)
    return layer


def run(layer, x, code, added=None):
    return layer.finish(layer.convolve(x, code), added)


def test_pixel_norm_gives_a_mean_square_of_one():
    x = torch.randn(3, 9) * 5
    torch.testing.assert_close(PixelNorm()(x).square().mean(1), torch.ones(3))


@pytest.mark.parametrize("multiplier", [1, 0.01])
def test_linear_layers_scale_at_run_time(multiplier):
    torch.manual_seed(0)
    layer = EqualLinear(6, 4, bias=0.3, multiplier=multiplier)
    x, weight = torch.randn(3, 6), layer.weight * multiplier / math.sqrt(6)
    assert layer.weight.std().item() * multiplier == pytest.approx(1, abs=0.5)
    wanted = x @ weight.T + 0.3 * multiplier
    torch.testing.assert_close(layer(x), wanted)
    layer.active = True
    torch.testing.assert_close(layer(x), torch.where(wanted > 0, wanted, wanted / 5) * 2**0.5)


@pytest.mark.parametrize(("stride", "side"), [(1, 8), (2, 3)])
def test_convolutions_scale_at_run_time(stride, side):
    layer = EqualConv(6, 4, 3, stride)
    torch.nn.init.normal_(layer.bias)
    x, padding = torch.randn(2, 6, 8, 8), 1 if stride == 1 else 0
    wanted = F.conv2d(x, layer.weight / math.sqrt(54), layer.bias, stride, padding)
    assert wanted.shape[2:] == (side, side)
    torch.testing.assert_close(layer(x), wanted)


def test_activation_adds_bends_and_scales():
    layer, x = FusedLeakyReLU(3), torch.randn(2, 3, 4, 4)
    torch.nn.init.normal_(layer.bias)
    y = x + layer.bias[:, None, None]
    torch.testing.assert_close(layer(x), torch.where(y > 0, y, 0.2 * y) * 2**0.5)


@pytest.mark.parametrize(
    ("layer", "sides"),
    [
        (Blur(4, 1), {"pad": (1, 1)}),
        (Blur(1, 2), {"pad": (2, 2)}),
        (Blur(1, 1, stride=2), {"pad": (1, 1), "down": 2}),
        (Upsample(), {"pad": (2, 1), "up": 2}),
    ],
)
def test_resampling_agrees_with_zeros_a_filter_and_dropped_pixels(layer, sides):
    x = torch.randn(2, 3, 6, 8)
    torch.testing.assert_close(layer(x), upfirdn(x, layer.kernel, **sides))
    layer.kernel = torch.rand(4, 4)  # whatever a file holds
    torch.testing.assert_close(layer(x), upfirdn(x, layer.kernel, **sides))


def test_smoothing_kernels_sum_up_to_their_gain():
    row = torch.tensor([1.0, 3, 3, 1])
    torch.testing.assert_close(Blur(1, 1).kernel, torch.outer(row, row) / 64)
    torch.testing.assert_close(Upsample().kernel, torch.outer(row, row) / 16)


@pytest.mark.parametrize("kernel", [1, 3])
def test_halving_layers_smooth_and_then_convolve(kernel):
    layer, x = conv_layer(3, 4, kernel, down=True, active=False), torch.randn(2, 3, 8, 8)
    torch.nn.init.normal_(layer[1].bias)
    pad = (kernel + 1) // 2
    smooth = upfirdn(x, layer[0].kernel, pad=(pad, pad))
    weight = layer[1].weight / math.sqrt(3 * kernel**2)
    wanted = F.conv2d(smooth, weight, layer[1].bias, stride=2)
    torch.testing.assert_close(layer(x), wanted)
    assert wanted.shape[2:] == (4, 4)


def test_layers_have_the_published_keys():
    assert list(conv_layer(3, 4, 3).state_dict()) == ["0.weight", "1.bias"]
    assert list(conv_layer(3, 4, 3, active=False).state_dict()) == ["0.weight", "0.bias"]
    assert list(conv_layer(3, 4, 1, True, False, False).state_dict()) == ["0.kernel", "1.weight"]


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("up", [False, True])
@pytest.mark.parametrize("channels", [None, 1, 5])
def test_styled_convolution_agrees_with_a_kernel_for_each_sample(count, up, channels):
    layer, x, code = styled_conv(up), torch.randn(count, 6, 8, 8), torch.randn(count, 7)
    side = 16 if up else 8
    added = None if channels is None else torch.randn(min(count, 2), channels, side, side)[:1]
    s = layer.conv.modulation(code)
    found = run(layer, x.clone(), s, added)
    assert found.shape == (count, 5, side, side)
    if count:
        wanted = styled(layer, x, s, 0 if added is None else added)
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("up", [False, True])
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_the_order_in_memory_does_not_matter(up, order):
    layer, x, code = styled_conv(up), torch.randn(2, 6, 8, 8), torch.randn(2, 6)
    found = run(layer, x.contiguous(memory_format=order), code)
    torch.testing.assert_close(found, styled(layer, x, code), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("scale", [1e-3, 1, 1e3])
def test_demodulation_keeps_its_constant_at_any_length_of_the_code(count, scale):
    # Where kernels nearly vanish the constant counts, so it must not depend on normalisation.
    layer, x = styled_conv(False).requires_grad_(False), torch.randn(count, 6, 8, 8)
    layer.conv.weight.mul_(1e-2)
    code = torch.randn(count, 6) * scale
    found = run(layer, x.clone(), code)
    torch.testing.assert_close(found, styled(layer, x, code), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("count", [1, 3])
def test_a_code_of_zeros_leaves_bias_alone(count):
    layer = styled_conv(False)
    found = run(layer, torch.randn(count, 6, 8, 8), torch.zeros(count, 6))
    wanted = layer.activate(torch.zeros_like(found))
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("up", [False, True])
def test_gradients_agree_with_those_of_a_kernel_for_each_sample(count, up):
    layer, found = styled_conv(up), []
    x, code = torch.randn(count, 6, 8, 8), torch.randn(count, 6)
    added = torch.randn(1, 5, *[16 if up else 8] * 2)
    weights = [layer.conv.weight, layer.activate.bias]
    for function in (run, styled):
        given = [each.clone().requires_grad_() for each in (x, code, added)]
        function(layer, *given).square().sum().backward()
        found.append([each.grad.clone() for each in given + weights])
        layer.zero_grad()
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_pictures_are_read_and_added_up(count):
    layer, x = ToRGB(6, 7), torch.randn(count, 6, 8, 8)
    torch.nn.init.normal_(layer.bias)
    code, smaller = torch.randn(count, 6), torch.randn(count, 3, 4, 4)
    found = layer(x, code, smaller)
    assert found.shape == (count, 3, 8, 8)
    if count:
        plain = grouped(layer.conv, x, code, demodulate=False) + layer.bias
        torch.testing.assert_close(layer(x, code), plain, rtol=1e-5, atol=1e-5)
        wanted = plain + upfirdn(smaller, layer.upsample.kernel, up=2, pad=(2, 1))
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("up", [False, True])
def test_half_precision_has_room_for_strong_codes(count, up):
    # In float16 nothing above 65,504 exists; kernels times these codes would be far beyond.
    layer = styled_conv(up).requires_grad_(False)
    x, code = torch.randn(count, 6, 8, 8) * 50, torch.randn(count, 6) * 1e6
    wanted = styled(layer, x, code)
    found = run(layer.half(), x.half(), code)
    assert found.dtype == torch.float16
    torch.testing.assert_close(found.float(), wanted, rtol=0.02, atol=0.5)


def test_modulated_convolutions_begin_with_codes_of_one():
    conv = ModulatedConv(6, 5, 3, 7)
    torch.testing.assert_close(conv.modulation(torch.zeros(1, 7)), torch.ones(1, 6))
