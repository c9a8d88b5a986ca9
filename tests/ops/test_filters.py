from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage
from skimage import morphology

from faceloom.ops.filters import close, dilate, erode, gaussian_blur, soft_erosion


def scipy_blur(x, sigma):
    planes = x.double().flatten(0, 1).numpy()
    blurred = [ndimage.gaussian_filter(plane, sigma, mode="nearest") for plane in planes]
    return torch.from_numpy(np.stack(blurred)).view(x.shape)


def disc(size, centre, radius):
    axis = torch.arange(float(size))
    return (torch.hypot(axis[:, None] - centre, axis - centre) <= radius).float()[None, None]


# --- Gaussian ---


@pytest.mark.parametrize("sigma", [0.4, 1.0, 7.3, 40.0])
@pytest.mark.parametrize("size", [(70, 131), (5, 300), (1, 1)])
def test_blur_is_scipys(sigma, size):
    x = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(gaussian_blur(x, sigma).double(), scipy_blur(x, sigma), atol=2e-6)


def test_every_item_has_its_own_sigma():
    x = torch.rand(3, 2, 40, 60)
    y = gaussian_blur(x, torch.tensor([0.0, 1.5, 12.0]))
    assert torch.equal(y[0], x[0])
    for item, sigma in ((1, 1.5), (2, 12.0)):
        assert torch.allclose(y[item].double(), scipy_blur(x, sigma)[item], atol=2e-6)


def test_sigma_zero_leaves_the_picture():
    x = torch.rand(1, 3, 9, 9)
    assert torch.equal(gaussian_blur(x, 0), x)
    assert torch.equal(gaussian_blur(x, torch.zeros(1)), x)


def test_blur_has_a_gradient():
    x = torch.rand(1, 1, 6, 7, dtype=torch.float64, requires_grad=True)
    sigma = torch.tensor([1.2], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(gaussian_blur, (x, sigma))


def test_blur_of_nothing():
    assert gaussian_blur(torch.zeros(0, 3, 8, 8), torch.zeros(0)).shape == (0, 3, 8, 8)


@pytest.mark.parametrize(
    ("shape", "sigma", "words"),
    [
        ((3, 8, 8), 1.0, r"\[3, 8, 8\]"),
        ((2, 3, 8, 8), torch.ones(3), r"\[2, 3, 8, 8\], got shape \[3\]"),
        ((2, 3, 8, 8), -1.0, "-1.0"),
        ((2, 3, 8, 8), torch.tensor([1.0, float("nan")]), "nan"),
    ],
)
def test_blur_refuses(shape, sigma, words):
    with pytest.raises(ValueError, match=words):
        gaussian_blur(torch.zeros(shape), sigma)


# --- morphology ---


@pytest.mark.parametrize("radius", [1, 3, 8, 20])
def test_dilation_lies_between_a_disc_and_one_12_percent_larger(radius):
    mask = (torch.rand(1, 1, 90, 70, generator=torch.Generator().manual_seed(0)) > 0.999).float()
    grown = dilate(mask, radius)[0, 0].numpy() > 0
    # A real disc by the distance to the nearest set pixel.
    distance = ndimage.distance_transform_edt(mask[0, 0].numpy() == 0)
    assert grown[distance <= radius].all()
    assert not grown[distance > 1.12 * radius].any()


@pytest.mark.parametrize("radius", [2, 5, 9])
def test_grey_dilation_is_scikit_images(radius):
    mask = torch.rand(1, 1, 50, 60, generator=torch.Generator().manual_seed(2))
    # scikit-image: the octagon as a plain footprint, one value per neighbourhood.
    point = torch.zeros(1, 1, 2 * radius + 1, 2 * radius + 1)
    point[0, 0, radius, radius] = 1
    footprint = dilate(point, radius)[0, 0].numpy()
    wanted = morphology.dilation(mask[0, 0].numpy(), footprint)
    assert np.array_equal(dilate(mask, radius)[0, 0].numpy(), wanted)
    assert torch.equal(erode(1 - mask, radius), 1 - dilate(mask, radius))


def test_a_mask_at_the_border_is_not_eroded_there():
    mask = torch.zeros(1, 1, 30, 30)
    mask[..., :12, :] = 1
    kept = erode(mask, 4)
    assert kept[..., :8, :].min() == 1
    assert kept[..., 8:, :].max() == 0
    assert erode(torch.ones(1, 1, 10, 10), 50).min() == 1


def test_radius_grows_without_steps():
    mask = disc(41, 20, 3)
    areas = [dilate(mask, radius).sum().item() for radius in (0, 2.0, 2.25, 2.5, 3.0)]
    assert areas == sorted(areas)
    assert len(set(areas)) == 5
    assert torch.equal(dilate(mask, 0), mask)


@pytest.mark.parametrize("radius", [1, 3, 6])
def test_close_is_scipys(radius: int):
    mask = torch.rand(2, 1, 40, 40, generator=torch.Generator().manual_seed(radius)).pow(4)
    mask[..., :12, :] = 0
    dot = torch.zeros(1, 1, 2 * radius + 1, 2 * radius + 1)
    dot[..., radius, radius] = 1
    octagon = dilate(dot, radius)[0, 0].numpy() > 0
    # Room for the dilation: outside the picture is neutral here, and 0 in the padding.
    wide = np.pad(mask.numpy(), ((0, 0), (0, 0), (20, 20), (20, 20)))
    wanted = np.stack([ndimage.grey_closing(each[0], footprint=octagon) for each in wide])
    inner = slice(2 * radius, -2 * radius)
    got = close(mask, radius)[:, 0].numpy()[:, inner, inner]
    np.testing.assert_array_equal(got, wanted[:, 20:-20, 20:-20][:, inner, inner])


@pytest.mark.parametrize("radius", [0, 0.4, 1.5, 2.7, 5])
def test_close_takes_nothing_away(radius: float):
    mask = torch.rand(1, 1, 24, 24, generator=torch.Generator().manual_seed(1)).pow(6)
    assert (close(mask, radius) >= mask).all()
    square = torch.zeros(1, 1, 24, 24)
    square[..., 6:18, 6:18] = 1
    assert torch.equal(close(square, radius), square)


def test_close_fills_cracks_but_not_wide_gaps():
    mask = torch.ones(1, 1, 40, 40)
    mask[..., 5:8, 4:36] = 0  # 3 px
    mask[..., 20:32, 10:30] = 0  # 12 px
    closed = close(mask, 2)
    assert (closed[..., 5:8, :] == 1).all()
    assert (closed[..., 24:28, 14:26] == 0).all()
    with pytest.raises(ValueError, match=r"at least 0 px, got -2"):
        close(mask, -2)
    with pytest.raises(ValueError, match=r"\[N, 1, H, W\], got \[40, 40\]"):
        close(mask[0, 0], 2)


def test_morphology_of_nothing_and_of_wrong_input():
    for each in (dilate, close):
        assert each(torch.zeros(0, 1, 8, 8), 3).shape == (0, 1, 8, 8)
    with pytest.raises(ValueError, match=r"\[2, 3, 8, 8\]"):
        dilate(torch.zeros(2, 3, 8, 8), 1)
    with pytest.raises(ValueError, match="-2"):
        erode(torch.zeros(1, 1, 8, 8), -2)


# --- soft erosion: numbers computed from FSGAN's definition, kernel 21, threshold 0.6 ---


def test_cone_as_impulse_response():
    point = torch.zeros(1, 1, 41, 41)
    point[..., 20, 20] = 1
    soft, hard = soft_erosion(point)
    assert hard.sum() == 0
    # Nothing is hard, so the largest value is scaled to 1: centre weight 0.00524413 of sum 1.
    assert soft[0, 0, 20, 20] == 1
    assert soft[0, 0, 10, 10] == 0
    assert soft.double().sum().item() == pytest.approx(1 / 0.00524413, rel=1e-5)


def test_a_straight_edge_loses_one_pixel():
    mask = torch.zeros(1, 1, 80, 80)
    mask[..., 30:] = 1
    soft, hard = soft_erosion(mask)
    assert hard[0, 0, 40, :31].sum() == 0
    assert hard[0, 0, 40, 31:60].min() == 1
    assert torch.equal(soft[0, 0, 40, 31:60], torch.ones(29))
    # Mean under the cone, by depth in pixels from the border pixel on.
    response = [0.5347, 0.6026, 0.6677, 0.7287, 0.7851, 0.8362, 0.8816, 0.9209, 0.9538, 0.9803]
    for depth, value in enumerate(response):
        shallow, deep = (soft_erosion(mask, threshold=value + d)[1] for d in (-2e-4, 2e-4))
        assert shallow[0, 0, 40, 30 + depth] == 1
        assert deep[0, 0, 40, 30 + depth] == 0


def test_a_disc():
    soft, hard = soft_erosion(disc(257, 128, 80))
    assert hard.sum() == 19293
    assert soft.double().sum().item() == pytest.approx(21758.06, abs=0.01)
    assert soft[0, 0, 128, 208].item() == pytest.approx(0.78442, abs=1e-5)


def test_more_iterations_erode_more_and_items_are_apart():
    mask = torch.cat([disc(101, 50, 30), torch.zeros(1, 1, 101, 101), disc(101, 50, 12)])
    soft, hard = soft_erosion(mask, iterations=3)
    assert hard[0].sum() < soft_erosion(mask)[1][0].sum()
    assert soft[1].abs().sum() == 0
    alone = soft_erosion(mask[2:], iterations=3)[0]
    assert torch.allclose(soft[2:], alone, atol=1e-6)


def test_soft_erosion_of_nothing_and_of_wrong_input():
    soft, hard = soft_erosion(torch.zeros(0, 1, 8, 8))
    assert soft.shape == hard.shape == (0, 1, 8, 8)
    with pytest.raises(ValueError, match="20"):
        soft_erosion(torch.zeros(1, 1, 8, 8), kernel_size=20)
