from __future__ import annotations

import pytest
import torch

from faceloom.ops.inpaint import fill, pull_push

METHODS = ["smooth", "mirror"]


def ramp(height=60, width=80):
    """A picture whose channels rise along x, along y and along both, within 0..1."""
    x = torch.linspace(0.1, 0.9, width).expand(height, width)
    y = torch.linspace(0.2, 0.8, height)[:, None].expand(height, width)
    return torch.stack([x, y, (x + y) / 2])[None]


def hole_at(top, bottom, left, right, like):
    hole = torch.zeros_like(like[:, :1])
    hole[..., top:bottom, left:right] = 1
    return hole


@pytest.mark.parametrize("method", METHODS)
def test_outside_the_hole_nothing_changes(method):
    image = torch.rand(2, 3, 33, 47)
    hole = hole_at(5, 20, 10, 30, image)
    filled = fill(image, hole, method)
    assert torch.equal(filled[hole.expand_as(image) == 0], image[hole.expand_as(image) == 0])
    assert not torch.equal(filled, image)


@pytest.mark.parametrize("method", METHODS)
def test_what_is_under_a_hole_does_not_matter(method):
    image = torch.rand(1, 3, 40, 40)
    hole = hole_at(8, 30, 3, 25, image)
    assert torch.equal(fill(image, hole, method), fill(image * (1 - hole) + 7 * hole, hole, method))


@pytest.mark.parametrize("method", METHODS)
def test_a_flat_picture_is_filled_flat(method):
    image = torch.tensor([0.8, 0.5, 0.2])[None, :, None, None].expand(1, 3, 50, 64).contiguous()
    filled = fill(image, hole_at(0, 50, 20, 60, image), method)
    assert torch.allclose(filled, image, atol=1e-6)


def test_smooth_continues_a_ramp():
    image = ramp()
    hole = hole_at(20, 40, 25, 55, image)
    error = (fill(image, hole) - image).abs()
    # The ramp changes by 0.3 over the hole; a nearest or mean filling is wrong by 0.1 and more.
    assert error.max() < 0.04
    # No jump at the border of the hole: neighbours differ as little as in the ramp.
    filled = fill(image, hole)
    assert filled.diff(dim=-1).abs().max() < 0.03
    assert filled.diff(dim=-2).abs().max() < 0.03


def test_smooth_stays_within_the_known_values():
    image = torch.rand(1, 3, 64, 64)
    known = (torch.rand(1, 1, 64, 64) > 0.9).float()
    low, high = (image + 9 * (1 - known)).amin(), (image * known).amax()
    filled = pull_push(image, known)
    assert filled.min() >= low - 1e-6
    assert filled.max() <= high + 1e-6


def test_mirror_restores_a_symmetric_picture():
    half = torch.rand(1, 3, 40, 25)
    image = torch.cat([half, half.flip(-1)], dim=-1)
    hole = hole_at(5, 30, 3, 20, image)
    assert torch.allclose(fill(image, hole, "mirror"), image, atol=1e-5)


def test_mirror_follows_light_from_the_side():
    half = 0.3 + 0.2 * torch.rand(1, 3, 64, 40)
    image = torch.cat([half, half.flip(-1)], dim=-1) + 0.3 * ramp(64, 80)[:, :1]
    hole = hole_at(20, 40, 8, 28, image)
    error = (fill(image, hole, "mirror") - image).abs().max()
    assert error < 0.03
    # Texture alone is 0.2 strong: no smooth filling comes close.
    assert (fill(image, hole) - image).abs().max() > 3 * error


def test_mirror_fills_smoothly_where_both_sides_are_hidden():
    image = ramp()
    hole = hole_at(20, 40, 30, 50, image)
    assert torch.allclose(fill(image, hole, "mirror"), fill(image, hole), atol=0.02)


def test_a_soft_hole_mixes():
    image = torch.rand(1, 3, 32, 32)
    hard = hole_at(8, 24, 8, 24, image)
    filled = fill(image, hard)
    assert torch.allclose(fill(image, 0.25 * hard), 0.75 * image + 0.25 * filled, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_items_are_apart_and_an_unknown_picture_stays(method):
    image = torch.rand(3, 3, 24, 24)
    hole = hole_at(4, 12, 4, 12, image)
    hole[1] = 1
    filled = fill(image, hole, method)
    assert torch.equal(filled[1], image[1])
    assert torch.allclose(filled[2:], fill(image[2:], hole[2:], method), atol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 3)])
def test_tiny_pictures(size):
    known = torch.zeros(1, 1, *size)
    known[..., 0, 0] = 1
    values = torch.full((1, 2, *size), float("nan"))
    values[..., 0, 0] = 0.7
    assert torch.allclose(pull_push(values, known), torch.full((1, 2, *size), 0.7))


def test_filling_has_a_gradient():
    image = torch.rand(1, 3, 16, 16, requires_grad=True)
    hole = hole_at(4, 10, 2, 8, image)
    pull_push(image, 1 - hole).sum().backward()
    # Every filled value is a mean of known ones: the shares add up to the number of pixels.
    assert image.grad.sum().item() == pytest.approx(image.numel(), rel=1e-5)
    assert (image.grad * hole).abs().max() == 0


def test_nothing_and_wrong_input():
    assert fill(torch.zeros(0, 3, 8, 8), torch.zeros(0, 1, 8, 8)).shape == (0, 3, 8, 8)
    with pytest.raises(ValueError, match=r"\[1, 3, 8, 8\] and \[1, 1, 8, 9\]"):
        fill(torch.zeros(1, 3, 8, 8), torch.zeros(1, 1, 8, 9))
    with pytest.raises(ValueError, match="'telea'"):
        fill(torch.zeros(1, 3, 8, 8), torch.zeros(1, 1, 8, 8), "telea")
