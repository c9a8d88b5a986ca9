from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage import color, exposure

from faceloom.ops.colour import GAIN_LIMITS, match_histogram, match_linear, match_mean_std

ALL = [match_mean_std, match_linear, match_histogram]


def picture(seed, mean=(0.5, 0.5, 0.5), spread=0.1, size=(40, 50)):
    """Correlated noise around a colour, well inside 0..1."""
    noise = np.random.default_rng(seed).normal(size=(*size, 3)).clip(-2.5, 2.5)
    mix = np.array([[1.0, 0.3, 0.1], [0.2, 0.8, 0.3], [0.1, 0.2, 0.7]])
    colours = np.array(mean) + spread * 0.7 * noise @ mix
    return torch.from_numpy(colours.clip(0, 1).transpose(2, 0, 1)[None]).float()


SOURCE = picture(1, (0.45, 0.5, 0.6), 0.08)
REFERENCE = picture(2, (0.6, 0.45, 0.4), 0.09, (33, 60))


def rows(x):
    """[H W, 3] float64 pixels of a picture."""
    return x[0].permute(1, 2, 0).double().numpy().reshape(-1, 3)


# --- numbers from elsewhere ---


def test_mean_std_in_scikit_images_lab():
    result = match_mean_std(SOURCE, REFERENCE)
    got, wanted = color.rgb2lab(rows(result)), color.rgb2lab(rows(REFERENCE))
    assert np.allclose(got.mean(0), wanted.mean(0), atol=0.05)
    assert np.allclose(got.std(0), wanted.std(0), atol=0.05)


def test_linear_is_the_closed_form():
    # Pitie & Kokaram 2007 with scipy.linalg.sqrtm, covariances raised by 4e-6 as documented.
    from scipy.linalg import inv, sqrtm

    a, b = rows(SOURCE), rows(REFERENCE)
    cov_a, cov_b = (np.cov(x.T, ddof=0) + 4e-6 * np.eye(3) for x in (a, b))
    root = sqrtm(cov_a)
    gain = inv(root) @ sqrtm(root @ cov_b @ root) @ inv(root)
    wanted = ((a - a.mean(0)) @ gain + b.mean(0)).clip(0, 1)
    assert np.allclose(rows(match_linear(SOURCE, REFERENCE)), wanted, atol=1e-4)


def test_linear_matches_mean_and_covariance():
    result = rows(match_linear(SOURCE, REFERENCE))
    assert np.allclose(result.mean(0), rows(REFERENCE).mean(0), atol=1e-3)
    assert np.allclose(np.cov(result.T), np.cov(rows(REFERENCE).T), atol=2e-4)


def test_histogram_is_scikit_images():
    wanted = exposure.match_histograms(
        SOURCE[0].permute(1, 2, 0).numpy(), REFERENCE[0].permute(1, 2, 0).numpy(), channel_axis=-1
    )
    error = np.abs(rows(match_histogram(SOURCE, REFERENCE)) - wanted.reshape(-1, 3))
    # Levels are 1/255 apart, and the tails hold few pixels.
    assert error.mean() < 0.5 / 255
    assert np.quantile(error, 0.99) < 4 / 255


def test_histogram_undoes_a_tone_curve():
    curved = SOURCE**1.7
    assert torch.allclose(match_histogram(SOURCE, curved), curved, atol=2 / 255)


# --- masks ---


@pytest.mark.parametrize("match", ALL)
def test_pixels_outside_the_masks_do_not_count(match):
    source, reference = SOURCE.clone(), REFERENCE.clone()
    source[..., :10] = 0.95
    reference[..., 40:] = 0.02
    source_mask, reference_mask = torch.ones_like(source[:, :1]), torch.ones_like(reference[:, :1])
    source_mask[..., :10] = 0
    reference_mask[..., 40:] = 0
    wanted = match(source[..., 10:].contiguous(), reference[..., :40].contiguous())
    result = match(source, reference, source_mask, reference_mask)
    assert torch.allclose(result[..., 10:], wanted, atol=1e-4)


@pytest.mark.parametrize("match", ALL)
def test_a_soft_weight_counts_as_a_share_of_a_pixel(match):
    # A column of weight 1/2 twice is a column of weight 1.
    doubled = torch.cat([SOURCE, SOURCE], dim=3)
    result = match(doubled, REFERENCE, torch.full_like(doubled[:, :1], 0.5))
    assert torch.allclose(result[..., :50], match(SOURCE, REFERENCE), atol=1e-4)


@pytest.mark.parametrize("match", ALL)
def test_an_empty_mask_leaves_its_item_bit_for_bit(match):
    source, reference = SOURCE.repeat(3, 1, 1, 1), REFERENCE.repeat(3, 1, 1, 1)
    source_mask, reference_mask = torch.ones(3, 1, 40, 50), torch.ones(3, 1, 33, 60)
    source_mask[0] = 0
    reference_mask[1] = 0
    result = match(source, reference, source_mask, reference_mask)
    assert torch.equal(result[:2], source[:2])
    assert torch.allclose(result[2:], match(SOURCE, REFERENCE), atol=1e-5)


# --- hard pictures ---


@pytest.mark.parametrize("match", ALL)
def test_flat_pictures_take_the_reference_colour_without_nan(match):
    for colour in (0.0, 0.3, 1.0):
        flat = torch.full((1, 3, 12, 12), colour)
        towards = match(flat, REFERENCE)[0, :, 0, 0]
        assert torch.allclose(towards, REFERENCE.mean(dim=(0, 2, 3)), atol=0.03)
        assert torch.allclose(match(SOURCE, flat).mean(), flat.mean(), atol=0.05)


@pytest.mark.parametrize("match", ALL)
def test_a_picture_matched_with_itself_stays(match):
    assert torch.allclose(match(SOURCE, SOURCE), SOURCE, atol=1e-4)


@pytest.mark.parametrize("match", ALL[:2])
def test_gains_are_limited(match):
    grey = torch.tensor([1.0, 1.0, 1.0])[None, :, None, None]
    ramp = torch.linspace(-1, 1, 64).view(1, 1, 8, 8) * grey
    weak, strong = 0.5 + 0.03 * ramp, 0.5 + 0.4 * ramp
    grown, shrunk = match(weak, strong), match(strong, 0.5 + 0.003 * ramp)
    # Lab is not linear in RGB, hence the tolerance.
    assert (grown.std() / weak.std()).item() == pytest.approx(GAIN_LIMITS[1], rel=0.1)
    assert (shrunk.std() / strong.std()).item() == pytest.approx(GAIN_LIMITS[0], rel=0.1)


def test_histogram_of_what_the_mask_leaves_out_stays_in_the_references_range():
    source = SOURCE.clone()
    source[..., :5] = 1.0
    mask = torch.ones_like(source[:, :1])
    mask[..., :5] = 0
    result = match_histogram(source, REFERENCE, mask)
    for channel in range(3):
        assert result[:, channel].max() <= REFERENCE[:, channel].max() + 1 / 255
        assert result[:, channel].min() >= REFERENCE[:, channel].min() - 1 / 255


# --- shapes and errors ---


@pytest.mark.parametrize("match", ALL)
def test_a_batch_is_its_items(match):
    other = picture(5, (0.3, 0.6, 0.5), 0.06)
    together = match(torch.cat([SOURCE, other]), torch.cat([REFERENCE, REFERENCE.flip(1)]))
    assert torch.allclose(together[:1], match(SOURCE, REFERENCE), atol=1e-5)
    assert torch.allclose(together[1:], match(other, REFERENCE.flip(1)), atol=1e-5)


@pytest.mark.parametrize("match", ALL)
def test_nothing_in_nothing_out(match):
    assert match(torch.zeros(0, 3, 8, 8), torch.zeros(0, 3, 4, 4)).shape == (0, 3, 8, 8)


@pytest.mark.parametrize("match", ALL)
@pytest.mark.parametrize(
    ("source", "reference", "mask", "words"),
    [
        ((1, 4, 8, 8), (1, 3, 8, 8), None, r"source .*\[1, 4, 8, 8\]"),
        ((2, 3, 8, 8), (3, 3, 8, 8), None, r"\[2, 3, 8, 8\] and \[3, 3, 8, 8\]"),
        ((1, 3, 8, 8), (1, 3, 8, 8), (1, 1, 8, 9), r"\[1, 1, 8, 8\].*\[1, 1, 8, 9\]"),
    ],
)
def test_shapes_that_do_not_fit(match, source, reference, mask, words):
    with pytest.raises(ValueError, match=words):
        match(torch.zeros(source), torch.zeros(reference), mask and torch.zeros(mask))
