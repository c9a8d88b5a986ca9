from __future__ import annotations

import math

import pytest
import torch
from scipy import ndimage

from faceloom.ops.heatmaps import blurred_points, decode_disc, disc_power8, patch_gaussian

KINDS = [patch_gaussian, blurred_points, disc_power8]


def some_points(size, count=6, margin=0.1):
    spread = torch.rand(2, count, 2, generator=torch.Generator().manual_seed(3))
    return size * (margin + (1 - 2 * margin) * spread)


def patch_twin(points, size):
    """Pixel by pixel, in the 1-based counting of face_alignment."""
    sigma = round(size / 128)
    side = 6 * sigma + 1
    heat = torch.zeros(*points.shape[:2], size, size)
    for n, item in enumerate(points.tolist()):
        for p, (x, y) in enumerate(item):
            left, top = math.floor(x) - 3 * sigma, math.floor(y) - 3 * sigma
            for i in range(side):
                for j in range(side):
                    row, column = top + i - 1, left + j - 1
                    if 0 <= row < size and 0 <= column < size:
                        dx, dy = (j + 1 - side / 2 - 0.5), (i + 1 - side / 2 - 0.5)
                        value = math.exp(-(dx**2 + dy**2) / (2 * (0.25 * side) ** 2))
                        heat[n, p, row, column] += value
    return heat.clamp(max=1)


# --- FSGAN v1 ---


@pytest.mark.parametrize("size", [128, 256])
def test_patch_is_its_slow_twins(size):
    points = torch.cat([some_points(size), torch.tensor([[[0.2, 3.0], [size - 0.1, -2.0]]] * 2)], 1)
    assert torch.allclose(patch_gaussian(points, size), patch_twin(points, size), atol=1e-6)


def test_patch_sizes_and_deviations():
    for size, side, deviation in ((256, 13, 3.25), (128, 7, 1.75)):
        heat = patch_gaussian(torch.full((1, 1, 2), size / 2 + 0.5), size)[0, 0]
        peak = size // 2 - 1
        assert (heat > 0).sum() == side * side
        assert heat[peak, peak] == 1
        assert heat[peak, peak + 1].item() == pytest.approx(math.exp(-0.5 / deviation**2), abs=1e-6)


@pytest.mark.parametrize(("size", "taps"), [(128, 7), (256, 13)])
def test_blurred_points_are_a_blurred_picture(size, taps):
    points = torch.cat(
        [some_points(size), torch.tensor([[[-5.0, 3.0], [size + 9.0, size]]] * 2)], 1
    )
    d = torch.arange(taps, dtype=torch.float64) - taps // 2
    sigma = 2 if size == 256 else 1
    kernel = torch.exp(-((d / (2 * sigma)) ** 2)).numpy()
    for heat, (x, y) in zip(
        blurred_points(points, size).flatten(0, 1), points.flatten(0, 1).tolist(), strict=True
    ):
        picture = torch.zeros(size, size, dtype=torch.float64)
        picture[min(max(int(y), 0), size - 1), min(max(int(x), 0), size - 1)] = 1
        for axis in (0, 1):
            picture = ndimage.convolve1d(picture, kernel, axis=axis, mode="constant")
        wanted = torch.from_numpy(picture / picture.max())
        assert torch.allclose(heat.double(), wanted, atol=1e-6)


# --- FSGAN v2: numbers computed from its definition ---


def test_disc_by_distance():
    # A point 0, .01, .02, .03 of the side away from a pixel's centre.
    size = 100
    away = torch.tensor([0.0, 1.0, 2.0, 3.0, 3.9])
    points = torch.stack([50.5 + away, torch.full_like(away, 20.5)], dim=-1)[None]
    value = disc_power8(points, size)[0, :, 20, 50]
    assert value.tolist() == pytest.approx([1, 0.72406, 0.46154, 0.21187, 0], abs=1e-5)


@pytest.mark.parametrize(
    ("size", "total", "positive", "top"), [(256, 98.829, 316, 0.92241), (128, 24.723, 80, 0.84587)]
)
def test_disc_in_the_middle(size, total, positive, top):
    heat = disc_power8(torch.full((1, 1, 2), size / 2), size)
    assert heat.sum().item() == pytest.approx(total, abs=1e-3)
    assert (heat > 0).sum() == positive
    assert heat.max().item() == pytest.approx(top, abs=1e-5)


def test_disc_of_a_point_far_away_is_empty():
    assert disc_power8(torch.tensor([[[1000.0, -900.0]]]), 64).max() == 0


def test_disc_has_a_gradient_even_on_a_pixel_centre():
    points = torch.tensor([[[10.5, 7.5], [3.2, 14.9]]], dtype=torch.float64, requires_grad=True)
    disc_power8(points, 20).square().sum().backward()
    assert points.grad.isfinite().all()
    assert points.grad[0, 1].abs().min() > 0


def test_discs_decode_to_their_points():
    # The hard cut at one half makes the disc's outline jagged: a tenth of a pixel remains.
    points = some_points(256, count=30)
    assert torch.allclose(decode_disc(disc_power8(points, 256)), points, atol=0.1)


def test_decoding_ignores_scale_offset_and_weak_clutter():
    heat = disc_power8(torch.tensor([[[40.0, 22.0]]]), 64)
    clutter = disc_power8(torch.tensor([[[10.0, 50.0]]]), 64)
    assert torch.allclose(
        decode_disc(-3 + 7 * (heat + 0.4 * clutter)), decode_disc(heat), atol=1e-4
    )


def test_decoding_a_flat_map_gives_its_centre():
    assert decode_disc(torch.full((1, 1, 8, 20), 0.3)).tolist() == [[[10.0, 4.0]]]


# --- all kinds ---


@pytest.mark.parametrize("kind", KINDS)
def test_shapes_and_errors(kind):
    assert kind(torch.zeros(0, 5, 2), 64).shape == (0, 5, 64, 64)
    assert kind(torch.zeros(3, 0, 2), 64).shape == (3, 0, 64, 64)
    with pytest.raises(ValueError, match=r"\[5, 3\]"):
        kind(torch.zeros(5, 3), 64)
    with pytest.raises(ValueError, match="got 0"):
        kind(torch.zeros(1, 5, 2), 0)


def test_decode_of_nothing_and_of_wrong_input():
    assert decode_disc(torch.zeros(0, 98, 64, 64)).shape == (0, 98, 2)
    with pytest.raises(ValueError, match=r"\[64, 64\]"):
        decode_disc(torch.zeros(64, 64))
