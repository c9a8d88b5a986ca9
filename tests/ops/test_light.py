from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from faceloom.ops.filters import gaussian_blur
from faceloom.ops.light import match_light


def noise(seed: int, *shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def slow_light(source: Tensor, reference: Tensor, mask: Tensor, width: float) -> np.ndarray:
    """Normalised convolution by SciPy, one picture at a time, in float64."""
    source, reference, mask = (each.double().numpy() for each in (source, reference, mask))
    difference, weight = reference - source, mask[0]
    for _ in range(2):
        mean = [np.average(channel, weights=weight) for channel in difference]
        square = sum((d - m) ** 2 for d, m in zip(difference, mean, strict=True))
        weight = mask[0] * np.exp(-square / (2 * 0.3**2))
    sigma = width * source.shape[1]
    share = gaussian_filter(weight, sigma, mode="nearest")
    shift = [gaussian_filter(d * weight, sigma, mode="nearest") for d in difference]
    return source + np.stack(shift) / np.maximum(share, 1e-3)


@pytest.mark.parametrize("width", [0.03, 0.07, 0.2])
def test_light_is_the_slow_twin(width: float):
    source, reference = noise(0, 2, 3, 20, 24), noise(1, 2, 3, 20, 24)
    mask = noise(2, 2, 1, 20, 24).sub(0.5).clamp(0)
    mask[..., 14:] = 0
    got = match_light(source, reference, mask, width)
    for number in range(2):
        wanted = slow_light(source[number], reference[number], mask[number], width)
        np.testing.assert_allclose(got[number].numpy(), wanted, atol=1e-4)


def test_an_even_difference_is_met_exactly():
    source = noise(3, 1, 3, 40, 40) * 0.5
    mask = torch.zeros(1, 1, 40, 40)
    mask[..., 8:32, 8:32] = 1
    shift = torch.tensor([0.1, -0.05, 0.2])[:, None, None]
    lit = match_light(source, source + shift, mask)
    inside = lit[..., 8:32, 8:32]
    torch.testing.assert_close(inside, source[..., 8:32, 8:32] + shift, atol=1e-5, rtol=0)
    # 0.07 * 40 = 2.8 px, and a Gaussian ends after four deviations, even in the mask's direction.
    dot = torch.zeros_like(mask)
    dot[..., 20, 20] = 1
    far = torch.ones(40, 40, dtype=torch.bool)
    far[8:33, 8:33] = False
    assert torch.equal(match_light(source, source + shift, dot)[..., far], source[..., far])


def test_broad_light_is_taken_and_fine_structure_stays():
    ramp = torch.linspace(-0.15, 0.15, 64)
    detail = (noise(4, 1, 3, 64, 64) - 0.5) * 0.1
    detail = detail - gaussian_blur(detail, 4)
    source, reference = 0.5 + detail, 0.5 + ramp.expand(1, 3, 64, 64)
    lit = match_light(source, reference, torch.ones(1, 1, 64, 64))
    inner = (..., slice(16, -16), slice(16, -16))
    torch.testing.assert_close(lit[inner], (source + ramp)[inner], atol=0.01, rtol=0)


def test_objects_are_no_light():
    source, reference = torch.full((1, 3, 64, 64), 0.6), torch.full((1, 3, 64, 64), 0.65)
    reference[..., 24:40, :12] = 0.0  # hair
    mask = torch.ones(1, 1, 64, 64)
    lit = match_light(source, reference, mask)
    # Beside the hair the skin keeps the skin's light; a plain average would darken it by 0.2.
    assert (lit[..., 24:40, 14:] - 0.65).abs().max() < 0.06
    plain = source + gaussian_blur(reference - source, 0.07 * 64)
    assert (plain[..., 24:40, 14:] - 0.65).abs().max() > 0.15


def test_nothing_to_do():
    source = noise(5, 2, 3, 16, 16)
    assert torch.equal(match_light(source, source, torch.ones(2, 1, 16, 16)), source)
    reference = noise(6, 2, 3, 16, 16)
    assert torch.equal(match_light(source, reference, torch.zeros(2, 1, 16, 16)), source)
    assert match_light(source[:0], source[:0], torch.zeros(0, 1, 16, 16)).shape == (0, 3, 16, 16)


def test_batch_equals_each_alone():
    source, reference, mask = noise(7, 3, 3, 20, 20), noise(8, 3, 3, 20, 20), noise(9, 3, 1, 20, 20)
    mask[1] = 0
    triples = zip(source.split(1), reference.split(1), mask.split(1), strict=True)
    alone = torch.cat([match_light(*each) for each in triples])
    torch.testing.assert_close(match_light(source, reference, mask), alone)


def test_errors_say_what_came_and_what_was_wanted():
    picture, mask = torch.zeros(2, 3, 8, 8), torch.zeros(2, 1, 8, 8)
    wanted = r"match_light wants .*a mask \[N, 1, H, W\], got "
    with pytest.raises(ValueError, match=wanted + r"\[2, 3, 8, 8\], \[1, 3, 8, 8\]"):
        match_light(picture, picture[:1], mask)
    with pytest.raises(ValueError, match=wanted + r".* and \[1, 1, 8, 8\]"):
        match_light(picture, picture, mask[:1])
    with pytest.raises(ValueError, match=wanted + r"\[3, 8, 8\]"):
        match_light(picture[0], picture[0], mask)
    with pytest.raises(ValueError, match="sigma must be finite and at least 0, got -8"):
        match_light(picture, picture, mask, -1.0)
