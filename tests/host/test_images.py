"""The border between IMAGE, MASK and NCHW tensors."""

from __future__ import annotations

import pytest
import torch

from faceloom.host.images import (
    frames_from_image,
    image_from_frames,
    mask_from_masks,
    masks_from_mask,
)
from faceloom.host.session import Session, using


@pytest.fixture(autouse=True)
def on_cpu():
    with using(Session(device=torch.device("cpu"))):
        yield


def test_rgb_goes_in_and_out_unchanged_even_beyond_one():
    image = torch.rand(2, 3, 5, 3) * 4 - 1
    frames = frames_from_image(image, "Node")
    assert frames.shape == (2, 3, 3, 5)
    assert torch.equal(frames[1, 2], image[1, :, :, 2])
    assert torch.equal(image_from_frames(frames), image)
    assert image_from_frames(frames).is_contiguous()


def test_grey_is_repeated_and_alpha_ignored():
    grey, rgba = torch.rand(1, 4, 4, 1), torch.rand(1, 4, 4, 4)
    assert torch.equal(frames_from_image(grey, "Node"), grey.permute(0, 3, 1, 2).repeat(1, 3, 1, 1))
    assert torch.equal(frames_from_image(rgba, "Node"), rgba[..., :3].permute(0, 3, 1, 2))


@pytest.mark.parametrize(
    ("dtype", "white"), [(torch.uint8, 255), (torch.uint16, 65535), (torch.int16, 32767)]
)
def test_integers_are_scaled(dtype, white):
    image = torch.tensor([0, white]).to(dtype).reshape(1, 1, 2, 1)
    assert frames_from_image(image, "Node")[0, 0, 0].tolist() == [0, 1]
    assert masks_from_mask(image[..., 0], "Node").flatten().tolist() == [0, 1]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_become_float32(dtype):
    assert frames_from_image(torch.ones(1, 2, 2, 3, dtype=dtype), "Node").dtype == torch.float32
    assert masks_from_mask(torch.ones(2, 2, dtype=dtype), "Node").dtype == torch.float32


def test_an_empty_batch_passes():
    assert frames_from_image(torch.empty(0, 4, 5, 3), "Node").shape == (0, 3, 4, 5)
    assert image_from_frames(torch.empty(0, 3, 4, 5)).shape == (0, 4, 5, 3)
    assert masks_from_mask(torch.empty(0, 4, 5), "Node").shape == (0, 1, 4, 5)
    assert mask_from_masks(torch.empty(0, 1, 4, 5)).shape == (0, 4, 5)


@pytest.mark.parametrize("shape", [(4, 5, 3), (1, 4, 5, 2), (1, 4, 5, 5), (1, 0, 5, 3), (2, 3)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"^Detect Faces: image must be .*\[B,H,W,C\]") as error:
        frames_from_image(torch.zeros(shape), "Detect Faces")
    assert f"got {list(shape)}" in str(error.value)
    assert "connect an IMAGE" in str(error.value)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf, -1e19])
def test_nan_infinity_and_absurd_values_are_refused(value):
    image, mask = torch.zeros(2, 4, 4, 3), torch.zeros(2, 4, 4)
    image[1, 2, 3, 0] = mask[1, 2, 3] = value
    with pytest.raises(ValueError, match=r"^Detect Faces: source holds NaN or infinite values"):
        frames_from_image(image, "Detect Faces", "source")
    with pytest.raises(ValueError, match=r"^Face Mask: mask holds NaN or infinite values"):
        masks_from_mask(mask, "Face Mask")


def test_what_is_not_a_picture_is_refused():
    with pytest.raises(TypeError, match=r"^Node: image must be .*, got list; connect"):
        frames_from_image([1, 2], "Node")
    with pytest.raises(TypeError, match=r"^Node: image must be .*, got int64; connect"):
        frames_from_image(torch.zeros(1, 2, 2, 3, dtype=torch.int64), "Node")
    with pytest.raises(TypeError, match=r"^Node: mask must be .*, got complex64; connect"):
        masks_from_mask(torch.zeros(2, 2, dtype=torch.complex64), "Node")


def test_masks_go_in_and_out():
    mask = torch.rand(3, 4, 5)
    masks = masks_from_mask(mask, "Node")
    assert masks.shape == (3, 1, 4, 5)
    assert torch.equal(mask_from_masks(masks), mask)
    assert torch.equal(masks_from_mask(mask[0], "Node"), masks[:1])


def test_masks_are_limited_and_may_be_boolean():
    wide = torch.tensor([[-1.0, 0.25, 2.0]])
    assert masks_from_mask(wide, "Node").flatten().tolist() == [0, 0.25, 1]
    assert masks_from_mask(wide > 0, "Node").flatten().tolist() == [0, 1, 1]


@pytest.mark.parametrize("shape", [(4,), (1, 1, 4, 4), (0, 4), (2, 4, 0)])
def test_other_mask_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"^Face Mask: mask must be .*\[B,H,W\], got .*connect"):
        masks_from_mask(torch.zeros(shape), "Face Mask")


def test_frames_stay_where_they_are():
    with using(Session(device=torch.device("meta"))):
        image = torch.ones(1, 2, 2, 3)
        assert frames_from_image(image, "Node").data_ptr() == image.data_ptr()
        assert masks_from_mask(torch.ones(2, 2), "Node").device.type == "cpu"
