from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from faceloom.nodes import PasteFaces


def masked(crops, value=1.0):
    """Crops in plain magenta with a round mask."""
    axis = torch.linspace(-1, 1, crops.size)
    disc = (axis[:, None].square() + axis.square() < 0.5).float() * value
    colour = torch.tensor([1.0, 0.0, 1.0])[:, None, None].expand(len(crops), 3, 64, 64)
    return replace(crops, image=colour.clone(), mask=disc.expand(len(crops), 1, -1, -1).clone())


def test_only_what_the_mask_covers_changes(image, crops):
    pasted, mask = PasteFaces.execute(image, masked(crops)).args
    assert pasted.shape == image.shape
    assert mask.shape == (3, 80, 128)
    assert torch.equal(pasted[mask == 0], image[mask == 0])
    assert torch.equal(pasted[1], image[1])
    assert mask[[0, 2]].flatten(1).mean(1).min() > 0.1
    full = pasted[mask == 1]
    torch.testing.assert_close(full, torch.tensor([1.0, 0.0, 1.0]).expand_as(full))


def test_given_mask_replaces_the_crops_own(image, crops):
    for mask, changed in ((torch.zeros(1, 9, 7), False), (torch.ones(4, 200, 100), True)):
        pasted, area = PasteFaces.execute(image, masked(crops), mask).args
        assert bool(area.max()) == changed
        assert torch.equal(pasted, image) != changed


def test_masks_go_with_the_crops_in_order(image, crops):
    strengths = torch.tensor([0.0, 0.5, 1.0, 0.25])
    masks = strengths[:, None, None].expand(4, 30, 30)
    _, area = PasteFaces.execute(image, masked(crops), masks).args
    x, y = crops.faces.keypoints[:, 2].long().unbind(1)
    torch.testing.assert_close(area[crops.faces.frame, y, x], strengths)


def test_no_face_leaves_every_bit_of_any_kind_of_picture(image, no_crops, kind, as_kind):
    frames = as_kind(image)
    pasted, mask = PasteFaces.execute(frames, no_crops, torch.ones(1, 5, 5)).args
    white = {"8-bit": 255, "16-bit": 65535}.get(kind, 1)
    seen = frames.float() / white
    assert torch.equal(pasted, seen.expand(-1, -1, -1, 3) if kind == "grey" else seen)
    assert torch.equal(mask, torch.zeros(3, 80, 128))
    assert pasted.data_ptr() != frames.data_ptr()


def test_any_kind_of_picture(image, crops, kind, as_kind):
    frames = as_kind(image)
    pasted, mask = PasteFaces.execute(frames, masked(crops)).args
    assert pasted.dtype == torch.float32
    assert pasted.shape == (3, 80, 128, 4 if kind == "RGBA" else 3)
    colour = pasted[..., :3][mask == 1]
    torch.testing.assert_close(colour, torch.tensor([1.0, 0.0, 1.0]).expand_as(colour))


@pytest.mark.parametrize(("dtype", "white"), [(torch.float32, 1), (torch.uint8, 255)])
def test_alpha_stays(image, crops, dtype, white):
    alpha = torch.linspace(0, 1, 128).expand(3, 80, 128)[..., None]
    frames = (torch.cat([image, alpha], -1) * white).to(dtype)
    pasted, _ = PasteFaces.execute(frames, masked(crops)).args
    assert torch.equal(pasted[..., 3], frames[..., 3].float() / white)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda image: image[:2], "holds 2 frames of 128x80"),
        (lambda image: image[:, :, :60], "Connect the image that Detect Faces was given"),
        (lambda image: image * torch.nan, "holds NaN"),
        (lambda image: image[0], "connect an IMAGE"),
        (lambda image: image.repeat(1, 1, 1, 2), "connect an IMAGE"),
    ],
)
def test_frames_that_do_not_fit_are_refused(image, crops, change, message):
    with pytest.raises(ValueError, match=f"^Paste Faces: image .*{message}"):
        PasteFaces.execute(change(image), crops)


def test_masks_that_do_not_fit_are_refused(image, crops):
    with pytest.raises(ValueError, match="Paste Faces: mask holds 3 masks for 4 crops"):
        PasteFaces.execute(image, crops, torch.ones(3, 64, 64))
