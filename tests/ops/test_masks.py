from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage
from scipy.spatial import ConvexHull
from skimage.draw import polygon2mask

from faceloom.ops.masks import (
    MODES,
    adjust_mask,
    box_mask,
    combine,
    fit_mask,
    grow,
    hull_mask,
    polygon_mask,
)

SIZE = 64


def star(seed: int, corners: int = 17) -> np.ndarray:
    """A simple, far from convex polygon."""
    random = np.random.default_rng(seed)
    angle = np.sort(random.uniform(0, 2 * np.pi, corners))
    radius = random.uniform(8, 28, corners)
    return SIZE / 2 + radius[:, None] * np.stack((np.cos(angle), np.sin(angle)), axis=1)


def to_tensor(*polygons: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.stack(polygons).astype(np.float32))


def test_polygon_is_a_supersampled_one():
    polygon = star(0)
    mask = polygon_mask(to_tensor(polygon), SIZE)[0, 0].numpy()
    # scikit-image has pixel centres at integers, and (row, column) corners.
    fine = polygon2mask((SIZE * 16, SIZE * 16), polygon[:, ::-1] * 16 - 0.5)
    wanted = fine.reshape(SIZE, 16, SIZE, 16).mean(axis=(1, 3))
    assert np.abs(mask - wanted).max() < 0.1
    assert np.abs(mask - wanted).mean() < 2e-3
    # A pixel off the edge, where no sample can have missed a sliver, it is exact.
    assert (mask[ndimage.maximum_filter(wanted, 3) == 0] == 0).all()
    assert (mask[ndimage.minimum_filter(wanted, 3) == 1] == 1).all()


@pytest.mark.parametrize("direction", [1, -1])
def test_polygon_has_the_area_of_the_shoelace_formula(direction: int):
    polygon = star(1)[::direction].copy()
    x, y = polygon.T
    area = abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
    mask = polygon_mask(to_tensor(polygon), SIZE)
    assert float(mask.sum()) == pytest.approx(area, rel=2e-3)


def test_polygons_on_pixel_borders_are_exact():
    square = torch.tensor([[[2.0, 3.0], [10.0, 3.0], [10.0, 9.0], [2.0, 9.0]]])
    wanted = torch.zeros(1, 1, 16, 16)
    wanted[..., 3:9, 2:10] = 1
    assert torch.equal(polygon_mask(square, 16), wanted)
    half = polygon_mask(square + torch.tensor([0.25, 0.5]), 16)
    assert half[0, 0, 5].tolist() == [0, 0, 0.75, *[1] * 7, 0.25, *[0] * 5]
    assert half[0, 0, :, 5].tolist() == [*[0] * 3, 0.5, *[1] * 5, 0.5, *[0] * 6]


def test_polygon_batch_is_each_alone():
    first, second = to_tensor(star(2)), to_tensor(star(3))
    both = polygon_mask(torch.cat((first, second)), SIZE)
    assert torch.equal(both, torch.cat((polygon_mask(first, SIZE), polygon_mask(second, SIZE))))


def test_crossing_contours_fill_all_that_they_wind_around():
    bow = torch.tensor([[[8.0, 8.0], [56.0, 56.0], [56.0, 8.0], [8.0, 56.0]]])
    mask = polygon_mask(bow, SIZE)[0, 0]
    assert mask[32, 12] == mask[32, 52] == 1
    assert mask[12, 32] == mask[52, 32] == 0
    twice = to_tensor(np.concatenate((star(4), star(4))))
    once = polygon_mask(to_tensor(star(4)), SIZE)
    assert torch.equal(polygon_mask(twice, SIZE), (2 * once).clamp(max=1))


def test_polygon_beyond_the_canvas():
    polygon = torch.tensor([[[-50.0, -20.0], [90.0, -20.0], [90.0, 40.0], [-50.0, 40.0]]])
    mask = polygon_mask(polygon, SIZE)[0, 0]
    assert (mask[:40] == 1).all()
    assert (mask[40:] == 0).all()
    assert not polygon_mask(polygon + 500, SIZE).any()
    assert not polygon_mask(polygon - 500, SIZE).any()


@pytest.mark.parametrize("draw", [polygon_mask, hull_mask])
def test_contours_that_enclose_nothing(draw):
    line = torch.tensor([[[4.0, 4.0], [40.0, 20.0], [58.0, 28.0]]])
    assert draw(line, SIZE).shape == (1, 1, SIZE, SIZE)
    assert draw(line, SIZE).max() < 1e-2
    assert not draw(line[:, :2], SIZE).any()
    assert not draw(line[:, :1], SIZE).any()
    assert not draw(line[:, :0], SIZE).any()
    assert draw(line[:0], SIZE).shape == (0, 1, SIZE, SIZE)
    broken = torch.cat((to_tensor(star(5)), to_tensor(star(5))))
    broken[0, 3, 0] = float("nan")
    mask = draw(broken, SIZE)
    assert not mask[0].any()
    assert mask[1].sum() > 100


@pytest.mark.parametrize("draw", [polygon_mask, hull_mask])
def test_points_of_a_wrong_shape(draw):
    with pytest.raises(ValueError, match=r"\[N, P, 2\], got \[4, 2\]"):
        draw(torch.zeros(4, 2), SIZE)


def test_hull_is_scipys():
    random = np.random.default_rng(6)
    clouds = SIZE / 2 + 9 * random.standard_normal((3, 468, 2)).clip(-3, 3)
    masks = hull_mask(to_tensor(*clouds), SIZE)
    for cloud, mask in zip(clouds, masks, strict=True):
        hull = ConvexHull(cloud)
        assert float(mask.sum()) == pytest.approx(hull.volume, rel=1e-3)  # a 2-D "volume"
        exact = polygon_mask(to_tensor(cloud[hull.vertices]), SIZE)[0]
        assert (mask - exact).abs().max() < 0.02


def test_hull_of_a_circle_of_many_points():
    # Every point is a corner, and flatter than the 1440 directions tell apart.
    angle = torch.arange(5000) * (2 * torch.pi / 5000)
    points = 256 + 250 * torch.stack((angle.cos(), angle.sin()), dim=1)[None]
    assert float(hull_mask(points, 512).sum()) == pytest.approx(np.pi * 250**2, rel=1e-4)


def test_box_with_a_hard_edge():
    mask = box_mask(2, 20, (0.1, 0.2, 0.3, 0.4))
    wanted = torch.zeros(2, 1, 20, 20)
    wanted[..., 2:14, 8:16] = 1
    torch.testing.assert_close(mask, wanted)
    assert torch.equal(box_mask(1, 20), torch.ones(1, 1, 20, 20))
    assert box_mask(0, 20).shape == (0, 1, 20, 20)
    assert box_mask(1, 10, (0.05, 0, 0, 0))[0, 0, 0].tolist() == [0.5] * 10


def test_box_with_a_faded_border():
    mask = box_mask(1, 100, blur=0.2)[0, 0]
    assert torch.equal(mask, mask.flip(0))
    assert torch.equal(mask, mask.T)
    row = mask[50, :50]
    assert (row.diff() >= 0).all()
    assert row[0] < 0.02
    assert row[9] == pytest.approx(0.5, abs=0.05)
    assert (row[20:] == 1).all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"padding": (0.5, 0, 0.5, 0)},
        {"padding": (0, 0.9, 0, 0.2)},
        {"padding": (-0.1, 0, 0, 0)},
        {"blur": -1},
    ],
)
def test_box_errors(wrong: dict):
    with pytest.raises(ValueError, match="box_mask wants"):
        box_mask(1, 8, **wrong)


def test_grow_moves_the_edge_both_ways():
    angle = torch.arange(360) * (torch.pi / 180)
    circle = torch.stack((angle.cos(), angle.sin()), dim=1)[None]
    mask = polygon_mask(SIZE / 2 + 15 * circle, SIZE)
    for pixels in (6.0, -6.0):
        # The neighbourhood is an octagon between the disc and 12 % more.
        low, high = sorted((15 + pixels, 15 + 1.12 * pixels))
        area = float(grow(mask, pixels).sum()) / np.pi
        assert (low - 0.5) ** 2 < area < (high + 0.5) ** 2
    assert torch.equal(grow(mask, 0), mask)
    ramp = (torch.arange(SIZE) / SIZE).expand(1, 1, SIZE, SIZE)
    torch.testing.assert_close(grow(ramp, 3)[..., 10:50], ramp[..., 13:53])
    torch.testing.assert_close(grow(ramp, -3)[..., 10:50], ramp[..., 7:47])


def test_combine():
    a = torch.tensor([0.0, 0.25, 0.75, 1.0]).view(1, 1, 2, 2)
    b = torch.tensor([0.5, 0.5, 0.5, 0.75]).view(1, 1, 2, 2)
    wanted = {
        "union": [0.5, 0.5, 0.75, 1.0],
        "intersection": [0.0, 0.25, 0.5, 0.75],
        "difference": [0.0, 0.125, 0.375, 0.25],
        "add": [0.5, 0.75, 1.0, 1.0],
        "multiply": [0.0, 0.125, 0.375, 0.75],
    }
    assert set(wanted) == set(MODES)
    for mode, values in wanted.items():
        assert combine(a, b, mode).flatten().tolist() == values
    with pytest.raises(ValueError, match=r"\[1, 1, 2, 2\] and \[1, 1, 4, 4\]"):
        combine(a, torch.zeros(1, 1, 4, 4), "union")
    with pytest.raises(ValueError, match="got 'xor'"):
        combine(a, b, "xor")


def test_fit_mask_averages_where_it_shrinks():
    board = ((torch.arange(64)[:, None] + torch.arange(64)) % 2).float()[None, None]
    small = fit_mask(board, 8)
    assert small.shape == (1, 1, 8, 8)
    assert (small - 0.5).abs().max() < 0.02
    assert fit_mask(torch.ones(2, 1, 5, 9), 16).shape == (2, 1, 16, 16)
    assert torch.equal(fit_mask(board, 64), board)
    assert fit_mask(torch.zeros(0, 1, 5, 9), 16).shape == (0, 1, 16, 16)
    with pytest.raises(ValueError, match=r"\[N, 1, H, W\], got \[1, 3, 8, 8\]"):
        fit_mask(torch.zeros(1, 3, 8, 8), 4)


def test_adjust_mask_dilates_then_cuts_then_strengthens():
    mask = torch.rand(2, 1, 12, 17, generator=torch.Generator().manual_seed(0)) ** 8
    wide = np.stack([ndimage.grey_dilation(each[0], (5, 5)) for each in mask.numpy()])
    wanted = (1.5 * ((wide - 0.6) / 0.4).clip(0)).clip(0, 1)
    found = adjust_mask(mask, dilation=5, strength=1.5, threshold=0.6)
    np.testing.assert_allclose(found[:, 0].numpy(), wanted, atol=1e-6)
    assert (found == 0).any()
    assert (found == 1).any()


def test_adjust_mask_can_leave_all_as_it_is():
    mask = torch.rand(2, 1, 12, 17, generator=torch.Generator().manual_seed(0))
    assert torch.equal(adjust_mask(mask, 1, 1.0, 0.0), mask)
    assert adjust_mask(mask[:0], 3, 1.0, 0.0).shape == (0, 1, 12, 17)
    assert adjust_mask(mask, 3, 0.0, 0.0).max() == 0


@pytest.mark.parametrize(("dilation", "threshold"), [(2, 0.0), (0, 0.0), (-1, 0.0), (3, 1.0)])
def test_adjust_mask_errors(dilation, threshold):
    with pytest.raises(ValueError, match=f"odd dilation .* got {dilation} and {threshold}"):
        adjust_mask(torch.zeros(1, 1, 4, 4), dilation, 1.0, threshold)
