from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from faceloom.nodes import BlendFaces
from faceloom.ops.composite import METHODS


def blend(crops, target, method="gaussian", feather=0.04, opacity=1.0, mask=None):
    (blended,) = BlendFaces.execute(crops, target, method, feather, opacity, mask).args
    return blended


@pytest.fixture
def swapped(crops):
    """Paler faces with a square mask in the middle."""
    mask = torch.zeros(4, 1, 64, 64)
    mask[:, :, 16:48, 16:48] = 1
    return replace(crops, image=crops.image * 0.5 + 0.3, mask=mask)


@pytest.mark.parametrize("method", METHODS)
def test_blend_stays_inside_the_mask(crops, swapped, method):
    blended = blend(swapped, crops, method)
    assert blended.mask[swapped.mask == 0].max() == 0
    outside = (swapped.mask == 0).expand(-1, 3, -1, -1)
    assert torch.equal(blended.image[outside], crops.image[outside])
    assert (blended.image[..., 24:40, 24:40] != crops.image[..., 24:40, 24:40]).any()
    assert blended.image.min() >= 0
    assert blended.image.max() <= 1
    assert blended.faces is swapped.faces


@pytest.mark.parametrize("method", METHODS)
def test_opacity_thins_the_mask_that_the_blend_is_pasted_with(crops, swapped, method):
    none, half, full = (blend(swapped, crops, method, opacity=x) for x in (0.0, 0.5, 1.0))
    assert none.mask.max() == 0
    assert full.mask.max() == 1
    torch.testing.assert_close(half.mask, full.mask / 2)
    assert torch.equal(half.image, full.image)


@pytest.mark.parametrize("method", METHODS)
def test_given_mask_of_any_size_replaces_the_own(crops, swapped, method):
    none = blend(swapped, crops, method, mask=torch.zeros(1, 10, 30))
    assert torch.equal(none.image, crops.image)
    assert none.mask.max() == 0
    full = blend(swapped, crops, method, mask=torch.ones(4, 100, 100))
    assert full.image.isfinite().all()
    assert full.mask[:, :, 32, 32].min() == 1


def test_gaussian_in_the_middle_is_the_swap(crops, swapped):
    middle = (..., slice(28, 36), slice(28, 36))
    torch.testing.assert_close(blend(swapped, crops).image[middle], swapped.image[middle])


def test_poisson_takes_the_tones_of_its_surroundings(crops, swapped):
    """A swap that differs from the target by a constant becomes the target."""
    lighter = replace(swapped, image=(crops.image * 0.8 + 0.1))
    target = replace(crops, image=crops.image * 0.8)
    difference = (blend(lighter, target, "poisson").image - target.image).abs()
    assert difference.max() < 0.01
    assert (blend(lighter, target, "gaussian").image - target.image).abs().max() > 0.09


@pytest.mark.parametrize("method", METHODS)
def test_no_crops(no_crops, method):
    for mask in (None, torch.ones(1, 8, 8)):
        blended = blend(no_crops, no_crops, method, mask=mask)
        assert blended.image.shape == (0, 3, 64, 64)
        assert blended.mask.shape == (0, 1, 64, 64)


@pytest.mark.parametrize("method", METHODS)
def test_pieces_make_no_difference(crops, swapped, method):
    many = swapped.as_frames()[[0, 1, 2, 3] * 3]
    target = crops.as_frames()[[0, 1, 2, 3] * 3]
    blended = blend(many, target, method)
    once = blend(swapped, crops, method)
    torch.testing.assert_close(blended.image, once.image.repeat(3, 1, 1, 1), atol=2e-4, rtol=0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("change", [lambda x: x * 255, lambda x: x * 6 - 3])
def test_values_beyond_0_and_1_give_no_nan(crops, swapped, method, change):
    bright = replace(swapped, image=change(swapped.image))
    assert blend(bright, replace(crops, image=change(crops.image)), method).image.isfinite().all()


def test_pairs_that_do_not_fit_are_refused(crops, source, swapped):
    with pytest.raises(ValueError, match=r"^Blend Faces: crops holds 4 crops .*, target 1"):
        blend(swapped, source)
    with pytest.raises(ValueError, match=r"^Blend Faces: .*not cut from the same places"):
        blend(swapped, replace(crops, matrix=crops.matrix * 1.1))
    with pytest.raises(ValueError, match=r"^Blend Faces: mask holds NaN"):
        blend(swapped, crops, mask=torch.full((1, 4, 4), torch.nan))
