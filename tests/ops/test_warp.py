from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from faceloom.ops.geometry import invert_affine, transform_points
from faceloom.ops.warp import crop

FIRST = torch.tensor([0])


def turned(scale: float, degrees: float, centre: tuple[float, float], size: int) -> torch.Tensor:
    """The matrix [1, 2, 3] that shows `centre` in the middle of a crop."""
    cos, sin = (scale * f(math.radians(degrees)) for f in (math.cos, math.sin))
    x, y = centre
    return torch.tensor(
        [[[cos, -sin, size / 2 - cos * x + sin * y], [sin, cos, size / 2 - sin * x - cos * y]]]
    )


def checkerboard(side: int) -> torch.Tensor:
    index = torch.arange(side)
    return ((index[:, None] + index) % 2).float().expand(1, 3, side, side)


def noise(batch: int, height: int, width: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(batch, 3, height, width, generator=generator)


def slow_bilinear(frame: torch.Tensor, matrix: torch.Tensor, size: int, mode: str) -> np.ndarray:
    """SciPy's own bilinear sampling; its pixel centres are at integers, ours at + 0.5."""
    centres = torch.arange(size) + 0.5
    grid = torch.cartesian_prod(centres, centres).flip(1)
    x, y = transform_points(invert_affine(matrix), grid[None])[0].T.double().numpy() - 0.5
    channels = [
        map_coordinates(c, [y, x], order=1, mode=mode, cval=0.0) for c in frame.double().numpy()
    ]
    return np.stack(channels).reshape(-1, size, size)


@pytest.mark.parametrize(("padding", "mode"), [("border", "nearest"), ("zeros", "grid-constant")])
@pytest.mark.parametrize("centre", [(30.2, 17.9), (3.0, 2.0), (50.0, 38.0)])
def test_enlargement_is_bilinear(padding, mode, centre):
    frames, matrix = noise(2, 40, 53), turned(2.3, 25, centre, 48)
    found = crop(frames, matrix, torch.tensor([1]), 48, padding)
    expected = slow_bilinear(frames[1], matrix, 48, mode)
    np.testing.assert_allclose(found[0], expected, atol=2e-5)


@pytest.mark.parametrize("degrees", [0, 7, 30, 45, 90])
@pytest.mark.parametrize("reduction", [2, 3.3, 8])
def test_checkerboard_fades(reduction, degrees):
    frame, matrix = checkerboard(800), turned(1 / reduction, degrees, (400.3, 399.6), 64)
    # Plain bilinear keeps full contrast, or locks on to one colour.
    plain = slow_bilinear(frame[0], matrix, 64, "nearest")
    assert np.abs(plain - 0.5).mean() > 0.1
    found = crop(frame, matrix, FIRST, 64)
    assert float(found.std()) < 0.02
    assert float(found.mean()) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("reduction", [0.3, 1, 1.4, 2.7, 6, 20])
def test_crops_do_not_shift(reduction):
    # Symmetric filters keep a ramp, so a wrong half pixel anywhere shows as an offset.
    side = 900
    x = (torch.arange(side) + 0.5).expand(side, side)
    frame = torch.stack([x, x.T, x + x.T])[None]
    matrix = turned(1 / reduction, 20, (450.2, 449.1), 32)
    centres = torch.arange(32) + 0.5
    grid = torch.cartesian_prod(centres, centres).flip(1)[None]
    points = transform_points(invert_affine(matrix), grid)[0].T.reshape(2, 32, 32)
    error = crop(frame, matrix, FIRST, 32)[0, :2] - points
    assert float(error.mean().abs()) < 0.02
    assert float(error.abs().max()) < 0.05 * max(reduction, 1)


def test_reduction_by_whole_numbers_is_the_triangle_filter():
    frame = noise(1, 96, 96)
    found = crop(frame, turned(1 / 3, 0, (48, 48), 32), FIRST, 32)
    weights = torch.tensor([1.0, 2, 3, 2, 1]) / 9
    kernel = (weights[:, None] * weights).expand(3, 1, 5, 5)
    expected = torch.nn.functional.conv2d(frame, kernel, stride=3, groups=3, padding=1)
    inside = (..., slice(1, -1), slice(1, -1))
    torch.testing.assert_close(found[inside], expected[inside], atol=1e-5, rtol=0)


@pytest.mark.parametrize("scale", [0.2, 1.5])
def test_permuted_frames(scale):
    frames = noise(2, 60, 70)
    view = frames.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    assert not view.is_contiguous()
    matrix = torch.cat([turned(scale, 10, (35, 30), 24), turned(scale, -40, (20, 40), 24)])
    frame = torch.tensor([1, 0])
    torch.testing.assert_close(crop(view, matrix, frame, 24), crop(frames, matrix, frame, 24))


@pytest.mark.parametrize("scale", [0.1, 1.0, 4.0])
def test_face_outside_the_frame(scale):
    frames = noise(1, 20, 30)
    matrix = turned(scale, 15, (-900.0, 700.0), 16)
    assert not crop(frames, matrix, FIRST, 16, "zeros").any()
    corner = frames[..., -1:, :1] if scale >= 1 else frames[..., -20:, :20]
    found = crop(frames, matrix, FIRST, 16)
    torch.testing.assert_close(found, found[..., :1, :1].expand_as(found))
    if scale >= 1:
        torch.testing.assert_close(found[..., :1, :1], corner)


def test_border_and_zeros_around_a_small_frame():
    white = torch.ones(1, 3, 7, 5)
    matrix = turned(0.5, 0, (2.5, 3.5), 64)
    torch.testing.assert_close(crop(white, matrix, FIRST, 64), torch.ones(1, 3, 64, 64))
    area = crop(white, matrix, FIRST, 64, "zeros")[0, 0].sum()
    assert float(area) == pytest.approx(7 * 5 / 4, rel=0.2)


def test_no_faces_and_broken_matrices():
    frames = noise(1, 20, 30)
    none = crop(frames, torch.zeros(0, 2, 3), torch.zeros(0, dtype=torch.int64), 16)
    assert none.shape == (0, 3, 16, 16)
    broken = torch.stack([torch.zeros(2, 3), torch.full((2, 3), math.nan)])
    assert crop(frames, broken, torch.tensor([0, 0]), 16).shape == (2, 3, 16, 16)


def test_nan_elsewhere_in_the_frame_stays_out():
    frames = noise(1, 200, 200)
    frames[..., :60] = math.nan
    assert bool(crop(frames, turned(0.5, 30, (140, 100), 32), FIRST, 32).isfinite().all())


@pytest.mark.parametrize("scale", [0.37, 1.6])
def test_gradient(scale):
    frames = noise(1, 14, 15).double()[:, :1].requires_grad_()
    matrix = turned(scale, 17, (7.03, 7.11), 5).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda f, m: crop(f, m, FIRST, 5), (frames, matrix), eps=1e-7)


@pytest.mark.parametrize(
    ("frames", "matrix", "frame", "message"),
    [
        ((3, 8, 8), (1, 2, 3), [0], r"frames \[B, C, H, W\].*\[3, 8, 8\]"),
        ((1, 3, 0, 8), (1, 2, 3), [0], r"with pixels, got \[1, 3, 0, 8\]"),
        ((1, 3, 8, 8), (2, 3), [0], r"matrices \[N, 2, 3\], got \[2, 3\]"),
        ((1, 3, 8, 8), (1, 2, 3), [0, 0], "one frame number for each of 1"),
        ((1, 3, 8, 8), (1, 2, 3), [1], "has 1 frames, but the faces name frames 1..1"),
    ],
)
def test_errors(frames, matrix, frame, message):
    with pytest.raises(ValueError, match=message):
        crop(torch.zeros(frames), torch.zeros(matrix), torch.tensor(frame), 16)
