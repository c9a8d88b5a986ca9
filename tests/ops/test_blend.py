from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import convolve1d

from faceloom.ops.blend import feather, multiband_blend


def ellipse(h, w, x, y, a, b):
    rows, columns = torch.arange(h)[:, None] + 0.5, torch.arange(w) + 0.5
    return (((columns - x) / a) ** 2 + ((rows - y) / b) ** 2 < 1).float()[None, None]


def pictures(n, h, w):
    return torch.rand(2, n, 3, h, w, generator=torch.Generator().manual_seed(1)).unbind(0)


def test_feather_follows_the_error_function_at_a_straight_edge():
    mask = torch.zeros(1, 1, 100, 200)
    mask[..., :100] = 1
    width = 0.1  # of 100 px, so sigma is 10 px
    row = feather(mask, width)[0, 0, 50]
    for depth in (0.5, 3.5, 6.5, 10.5, 19.5):
        ramp = math.erf(depth / 10 / math.sqrt(2))
        wanted = ramp**2 * (3 - 2 * ramp)
        assert row[int(100 - depth)] == pytest.approx(wanted, abs=2e-3), depth
    assert row[100:].max() == 0


def test_feather_stays_within_the_mask_and_scales_with_it():
    masks = torch.cat([ellipse(128, 128, 64, 64, 50, 40), ellipse(128, 128, 64, 64, 25, 20)])
    soft = feather(masks, 0.08)
    assert (soft <= masks).all()
    assert soft[:, 0, 64, 64].min() > 0.99
    assert torch.allclose(soft[1:], feather(masks[1:], 0.08), atol=1e-6)
    shrunk = torch.nn.functional.avg_pool2d(soft[:1], 2)
    assert (shrunk[..., 16:48, 16:48] - soft[1:, :, 48:80, 48:80]).abs().max() < 0.02


def test_feather_softens_a_border_that_cuts_the_mask():
    soft = feather(torch.ones(1, 1, 64, 64), 0.1)
    assert soft[0, 0, 32, 32] > 0.99
    assert soft[..., 0, :].max() < 0.05
    assert soft[..., -1].max() < 0.05


def test_feather_of_no_width_or_nothing():
    mask = ellipse(20, 20, 10, 10, 5, 5)
    assert torch.equal(feather(mask, 0), mask)
    assert torch.equal(feather(torch.zeros_like(mask), 0.2), torch.zeros_like(mask))
    assert feather(mask[:0], 0.1).shape == (0, 1, 20, 20)


KERNEL = np.array([1, 4, 6, 4, 1]) / 16


def halved(x):
    for axis in (0, 1):
        x = convolve1d(x, KERNEL, axis=axis, mode="nearest")
    return x[::2, ::2]


def doubled(x, shape):
    x = np.pad(x, 2, mode="edge")
    spread = np.zeros((2 * x.shape[0], 2 * x.shape[1]))
    spread[::2, ::2] = 4 * x
    for axis in (0, 1):
        spread = convolve1d(spread, KERNEL, axis=axis)
    return spread[4 : 4 + shape[0], 4 : 4 + shape[1]]


def burt_adelson(source, target, mask, levels):
    """The slow obvious twin for one channel: two pyramids, mixed level by level, collapsed."""
    mixed = []
    for level in range(levels + 1):
        inner = np.maximum(2 * mask - 1, 0) ** 2
        if level < levels:
            smaller = halved(source), halved(target)
            bands = [
                x - doubled(s, x.shape) for x, s in zip((source, target), smaller, strict=True)
            ]
            mixed.append(inner * bands[0] + (1 - inner) * bands[1])
            source, target, mask = *smaller, halved(mask)
    result = inner * source + (1 - inner) * target
    for band in reversed(mixed):
        result = band + doubled(result, band.shape)
    return result


@pytest.mark.parametrize(("size", "levels"), [((37, 50), 3), ((64, 64), 4), ((33, 17), 1)])
def test_multiband_equals_two_pyramids_mixed_by_level(size, levels):
    source, target = pictures(1, *size)
    mask = ellipse(*size, size[1] / 2, size[0] / 2, size[1] * 0.4, size[0] * 0.3)
    result = multiband_blend(source, target, mask, levels)
    for channel in range(3):
        planes = [x[0, channel].double().numpy() for x in (source, target)]
        wanted = torch.from_numpy(burt_adelson(*planes, mask[0, 0].double().numpy(), levels))
        wanted = torch.where(mask[0, 0] > 0, wanted, target[0, channel])
        assert torch.allclose(result[0, channel].double(), wanted.double(), atol=1e-5)


@pytest.mark.parametrize("size", [(64, 64), (61, 90), (7, 5), (1, 1), (1, 30)])
def test_multiband_identities(size):
    source, target = pictures(2, *size)
    ones = torch.ones(2, 1, *size)
    mask = (torch.rand(2, 1, *size) < 0.7).float()
    assert torch.equal(multiband_blend(target, target, mask), target)
    assert torch.equal(multiband_blend(source, target, 0 * ones), target)
    assert torch.allclose(multiband_blend(source, target, ones), source, atol=1e-5)
    result = multiband_blend(source, target, mask, 20)
    assert result.isfinite().all()
    outside = mask.expand_as(target) == 0
    assert torch.equal(result[outside], target[outside])


def test_multiband_cuts_little_off_at_the_edge():
    white, black = torch.ones(1, 1, 128, 128), torch.zeros(1, 1, 128, 128)
    mask = ellipse(128, 128, 64, 64, 40, 40)
    for alpha, most in ((mask, 0.14), (feather(mask, 0.06), 0.08)):
        result = multiband_blend(white, black, alpha)
        assert result.diff(dim=-1).abs().amax() < most
        assert result[0, 0, 64, 64] > 0.9


def test_multiband_is_differentiable_and_takes_no_pictures():
    source, target = (x.requires_grad_() for x in pictures(1, 32, 32))
    multiband_blend(source, target, ellipse(32, 32, 16, 16, 12, 12)).sum().backward()
    assert source.grad.abs().sum() > 0
    assert torch.allclose(source.grad + target.grad, torch.ones_like(target), atol=1e-5)
    empty = torch.zeros(0, 3, 9, 9)
    assert multiband_blend(empty, empty, torch.zeros(0, 1, 9, 9)).shape == (0, 3, 9, 9)


def test_errors_tell_what_came():
    picture, mask = torch.rand(1, 3, 8, 8), torch.rand(1, 1, 8, 8)
    with pytest.raises(ValueError, match=r"got \[1, 3, 8, 8\], .* and \[1, 3, 8, 8\]"):
        multiband_blend(picture, picture, picture)
    with pytest.raises(ValueError, match=r"\[1, 3, 8, 4\]"):
        multiband_blend(picture, picture[..., :4], mask)
    with pytest.raises(ValueError, match="at least 0 levels, got -1"):
        multiband_blend(picture, picture, mask, -1)
    with pytest.raises(ValueError, match=r"got \[1, 3, 8, 8\]"):
        feather(picture, 0.1)
    with pytest.raises(ValueError, match=r"got -0\.1"):
        feather(mask, -0.1)
