from __future__ import annotations

import pytest
import torch
from torch.nn.functional import interpolate

from faceloom.nodes import InpaintFace

METHODS = InpaintFace.GET_SCHEMA().inputs[2].options


def inpaint(crops, hole, method="mirror"):
    (filled,) = InpaintFace.execute(crops, hole, method).args
    return filled


@pytest.fixture
def hole():
    """Over the left eye."""
    hole = torch.zeros(1, 64, 64)
    hole[:, 26:34, 18:28] = 1
    return hole


@pytest.mark.parametrize("method", METHODS)
def test_only_the_hole_changes(crops, hole, method):
    filled = inpaint(crops, hole, method)
    inside = hole.expand(4, 3, -1, -1) > 0
    assert torch.equal(filled.image[~inside], crops.image[~inside])
    assert (filled.image[inside] != crops.image[inside]).float().mean() > 0.9
    assert filled.faces is crops.faces
    assert filled.mask is crops.mask


def test_mirror_brings_the_eye_back_and_smooth_does_not(crops, hole):
    inside = hole.expand(4, 3, -1, -1) > 0
    errors = {
        method: (inpaint(crops, hole, method).image - crops.image)[inside].abs().mean()
        for method in METHODS
    }
    assert errors["mirror"] < errors["smooth"] / 1.5


@pytest.mark.parametrize("method", METHODS)
def test_holes_of_another_size_one_for_each_or_everywhere(crops, hole, method):
    holes = interpolate(hole[None], (128, 128))[0].expand(4, -1, -1)
    torch.testing.assert_close(
        inpaint(crops, holes, method).image, inpaint(crops, hole, method).image, atol=0.3, rtol=0
    )
    nothing_known = inpaint(crops, torch.ones(1, 4, 4), method)
    assert torch.equal(nothing_known.image, crops.image)


@pytest.mark.parametrize("method", METHODS)
def test_no_crops(no_crops, hole, method):
    assert len(inpaint(no_crops, hole, method)) == 0


def test_holes_that_do_not_fit_are_refused(crops, hole):
    with pytest.raises(ValueError, match=r"^Inpaint Face: mask holds 2 masks for 4 crops"):
        inpaint(crops, hole.expand(2, -1, -1))
    with pytest.raises(ValueError, match=r"^Inpaint Face: .*holds NaN"):
        inpaint(crops, hole * torch.nan)
