from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import interpolate

from faceloom.host.memory import Hosted
from faceloom.nodes import InpaintFace

METHODS = InpaintFace.GET_SCHEMA().inputs[1].options


def inpaint(crops, hole, method="mirror"):
    (filled,) = InpaintFace.execute(crops, method, hole).args
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


class Recorder:
    """An inpainter that paints the face red, and keeps what it was shown."""

    name, role, licence, size = "recorder", "inpainter", "none", 64

    def __init__(self):
        self.network, self.shown = torch.nn.Identity(), []

    def inpaint(self, images, known, face):
        self.shown.append((known, face))
        return torch.tensor([1.0, 0, 0])[:, None, None].expand_as(images)


def test_what_a_wanted_face_lacks_is_filled_and_the_mask_becomes_it(crops):
    own, face = torch.zeros(4, 1, 64, 64), torch.zeros(1, 64, 64)
    own[..., :32], face[:, 10:50] = 1, 1
    masked = replace(crops, mask=own)
    (filled,) = InpaintFace.execute(masked, "smooth", face=face).args
    missing = (face[:, None] * (1 - own)).expand(4, 3, -1, -1) > 0
    assert torch.equal(filled.image[~missing], crops.image[~missing])
    assert (filled.image[missing] != crops.image[missing]).float().mean() > 0.9
    assert torch.equal(filled.mask, face[:, None].expand(4, -1, -1, -1))


def test_a_network_fills_in_place_of_the_method(crops, hole):
    recorder = Recorder()
    (filled,) = InpaintFace.execute(crops, "mirror", hole, None, Hosted(recorder)).args
    inside = hole.expand(4, 1, -1, -1) > 0
    assert torch.equal(recorder.shown[0][0], 1 - inside.float())
    assert torch.equal(recorder.shown[0][1], torch.ones(4, 1, 64, 64))
    assert filled.image[:, 0][inside[:, 0]].min() == 1
    outside = ~inside.expand(-1, 3, -1, -1)
    assert torch.equal(filled.image[outside], crops.image[outside])


def test_either_hole_or_face_and_crops_of_the_networks_size(crops, hole):
    with pytest.raises(ValueError, match="nothing says what is missing"):
        InpaintFace.execute(crops, "mirror")
    with pytest.raises(ValueError, match="both hole and face are connected"):
        InpaintFace.execute(crops, "mirror", hole, hole)
    large = Recorder()
    large.size = 256
    with pytest.raises(ValueError, match="recorder wants crops of 256 px, got 64 px"):
        InpaintFace.execute(crops, "mirror", hole, None, Hosted(large))
