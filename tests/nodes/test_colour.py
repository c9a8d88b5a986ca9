from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import interpolate

from faceloom.nodes import MatchColour
from faceloom.nodes.colour import METHODS

CAST = torch.tensor([0.7, 1.0, 0.8])[:, None, None]


def match(crops, target, method="linear (MKL)", strength=1.0, light=1.0, mask=None):
    (matched,) = MatchColour.execute(crops, target, method, strength, light, mask).args
    return matched


@pytest.fixture
def tinted(crops):
    return replace(crops, image=crops.image * CAST)


@pytest.mark.parametrize("light", [0.0, 1.0])
@pytest.mark.parametrize("method", METHODS)
def test_colours_come_closer_to_the_target(crops, tinted, method, light):
    matched = match(tinted, crops, method, light=light)
    before, after = ((one.image - crops.image).abs().mean() for one in (tinted, matched))
    assert after < before / 4
    assert matched.mask is crops.mask
    assert matched.faces is tinted.faces


def test_strength_and_light_of_0_change_nothing(crops, tinted):
    assert torch.equal(match(tinted, crops, strength=0.0, light=0.0).image, tinted.image)


def test_light_follows_the_targets_shade(crops):
    shade = torch.linspace(0.6, 1, 64)
    dark = replace(crops, image=crops.image * shade)
    left = (..., slice(8, 56), slice(20, 30))
    errors = [
        (match(crops, dark, strength=0.0, light=light).image - dark.image)[left].abs().mean()
        for light in (0.0, 1.0)
    ]
    assert errors[1] < errors[0] / 3


def test_colours_are_compared_inside_the_mask(crops, tinted):
    corner = torch.zeros(1, 32, 32)
    corner[:, :8, :8] = 1
    spotted = crops.image.clone()
    spotted[..., 20:, 20:] = torch.tensor([0.0, 1.0, 0.0])[:, None, None]
    target = replace(crops, image=spotted)
    matched = match(tinted, target, mask=corner, light=0.0)
    means = [one[..., :14, :14].mean((2, 3)) for one in (matched.image, spotted)]
    torch.testing.assert_close(*means, atol=0.02, rtol=0)
    own = replace(tinted, mask=interpolate(corner[None], (64, 64)).expand(4, -1, -1, -1))
    assert (match(own, target, light=0.0).image - matched.image).abs().max() < 0.05


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_an_empty_and_a_full_mask(crops, tinted, method, value):
    matched = match(tinted, crops, method, mask=torch.full((4, 9, 7), value))
    assert matched.image.isfinite().all()
    if value == 0:
        assert torch.equal(matched.image, tinted.image)


@pytest.mark.parametrize("method", METHODS)
def test_no_crops(no_crops, method):
    assert len(match(no_crops, no_crops, method)) == 0


@pytest.mark.parametrize("method", METHODS)
def test_landmarks_are_not_needed(crops, bare_crops, few_points, method):
    for given in (bare_crops, few_points):
        assert match(given, crops, method).image.isfinite().all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("change", [lambda x: x * 255, lambda x: x * 6 - 3, lambda x: 0 * x])
def test_values_beyond_0_and_1_and_flat_pictures_give_no_nan(crops, method, change):
    other = replace(crops, image=change(crops.image))
    for pair in ((crops, other), (other, crops), (other, other)):
        assert match(*pair, method).image.isfinite().all()


def test_pairs_that_do_not_fit_are_refused(crops, source):
    with pytest.raises(ValueError, match=r"^Match Colour: crops holds 4 crops of 64 px, target 1"):
        match(crops, source)
    elsewhere = replace(crops, matrix=crops.matrix + 5)
    with pytest.raises(ValueError, match=r"^Match Colour: .*not cut from the same places"):
        match(crops, elsewhere)
    with pytest.raises(ValueError, match=r"^Match Colour: mask holds 3 masks for 4 crops"):
        match(crops, crops, mask=torch.ones(3, 64, 64))
