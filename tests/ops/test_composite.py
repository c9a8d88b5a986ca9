from __future__ import annotations

import pytest
import torch
from torch import Tensor

from faceloom.ops.blend import feather
from faceloom.ops.composite import METHODS, composite
from faceloom.ops.filters import gaussian_blur
from faceloom.ops.masks import hull_mask
from faceloom.ops.poisson import seamless_clone

SIZE = 64
WIDTH = 0.1


def noise(seed: int, count: int = 1) -> Tensor:
    return torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))


def smooth(seed: int, count: int = 1) -> Tensor:
    """A picture of soft tones in about 0.3..0.7."""
    soft = gaussian_blur(noise(seed, count) - 0.5, 5)
    return 0.5 + 0.2 * soft / soft.abs().amax((1, 2, 3), keepdim=True)


@pytest.fixture(scope="module")
def disc():
    angle = torch.arange(64) * torch.pi / 32
    circle = torch.stack([angle.cos(), angle.sin()], -1)[None]
    return hull_mask(circle * 20 + SIZE / 2, SIZE)


@pytest.mark.parametrize("method", METHODS)
def test_shapes_and_no_faces(disc, method: str):
    image, mask = composite(smooth(0), smooth(1), disc, method, WIDTH)
    assert image.shape == (1, 3, SIZE, SIZE)
    assert mask.shape == (1, 1, SIZE, SIZE)
    assert image.dtype == mask.dtype == torch.float32
    none = smooth(0)[:0]
    image, mask = composite(none, none, disc[:0], method, WIDTH)
    assert image.shape == (0, 3, SIZE, SIZE)
    assert mask.shape == (0, 1, SIZE, SIZE)


def test_errors_say_what_came_and_what_was_wanted(disc):
    picture = smooth(0)
    with pytest.raises(
        ValueError, match="poisson, poisson mixed, gaussian, multiband; got 'alpha'"
    ):
        composite(picture, picture, disc, "alpha", WIDTH)
    wanted = r"composite wants .*a mask \[N, 1, H, W\], got "
    with pytest.raises(ValueError, match=wanted + r"\[1, 3, 64, 64\], \[2, 3, 64, 64\]"):
        composite(picture, smooth(0, 2), disc, "gaussian", WIDTH)
    with pytest.raises(ValueError, match=wanted + r".* and \[1, 3, 64, 64\]"):
        composite(picture, picture, picture, "gaussian", WIDTH)
    with pytest.raises(ValueError, match=wanted + r"\[3, 64, 64\]"):
        composite(picture[0], picture[0], disc, "poisson", WIDTH)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("width", [0.0, WIDTH])
def test_target_is_exact_outside_the_mask(disc, method: str, width: float):
    target = noise(1) * 1.4 - 0.2  # also what is beyond 0..1
    image, mask = composite(noise(0), target, disc, method, width)
    outside = disc.expand_as(image) == 0
    assert torch.equal(image[outside], target[outside])
    assert (mask[disc == 0] == 0).all()
    assert mask.max() == 1
    assert (mask >= feather(disc, width)).all()
    assert not torch.equal(image, target)


@pytest.mark.parametrize("method", METHODS)
def test_inside_the_mask_values_stay_in_range(disc, method: str):
    image, _ = composite(noise(0) * 3 - 1, noise(1), disc, method, WIDTH)
    assert 0 <= image.min() <= image.max() <= 1


@pytest.mark.parametrize("method", METHODS)
def test_an_empty_mask_leaves_the_target(method: str):
    source, target, mask = noise(0), noise(1), torch.zeros(1, 1, SIZE, SIZE)
    image, support = composite(source, target, mask, method, WIDTH)
    assert torch.equal(image, target)
    assert support.max() == 0


@pytest.mark.parametrize("method", METHODS)
def test_the_same_picture_stays(disc, method: str):
    picture = smooth(2)
    image, _ = composite(picture, picture, disc, method, WIDTH)
    torch.testing.assert_close(image, picture, atol=1e-4, rtol=0)


@pytest.mark.parametrize("method", METHODS)
def test_batch_equals_each_alone(disc, method: str):
    small = disc * (torch.arange(SIZE) < 30)
    source, target, mask = smooth(0, 3), smooth(1, 3), torch.cat([disc, small, disc * 0])
    triples = zip(source.split(1), target.split(1), mask.split(1), strict=True)
    alone = zip(*(composite(*each, method, WIDTH) for each in triples), strict=True)
    together = composite(source, target, mask, method, WIDTH)
    for got, wanted in zip(together, alone, strict=True):
        torch.testing.assert_close(got, torch.cat(wanted), atol=1e-3, rtol=0)


def test_gaussian_is_a_mix_along_the_feathered_mask(disc):
    source, target = noise(0), noise(1)
    alpha = feather(disc, WIDTH)
    image, _ = composite(source, target, disc, "gaussian", WIDTH)
    torch.testing.assert_close(image, alpha * source + (1 - alpha) * target)


def test_multiband_shows_each_picture_where_it_is_alone(disc):
    source, target = smooth(0) * 0 + 0.7, smooth(1) * 0 + 0.3
    image, _ = composite(source, target, disc, "multiband", WIDTH)
    middle = image[..., 28:36, 28:36]
    assert 0.55 < middle.mean() <= 0.7 + 1e-4
    assert image[..., :4, :4].max() <= 0.3


@pytest.mark.parametrize("method", ["poisson", "poisson mixed"])
def test_poisson_takes_the_targets_tones(disc, method: str):
    target = smooth(1)
    source = target + torch.tensor([0.1, -0.08, 0.05])[:, None, None]
    image, _ = composite(source, target, disc, method, WIDTH)
    torch.testing.assert_close(image, target, atol=1e-3, rtol=0)
    plain, _ = composite(source, target, disc, "gaussian", WIDTH)
    assert (plain - target).abs().max() > 0.09


def test_poisson_keeps_the_sources_structure(disc):
    source, target = torch.full((1, 3, SIZE, SIZE), 0.5), torch.full((1, 3, SIZE, SIZE), 0.6)
    source[..., 30:34, 30:34] = 0.2  # a mole
    image, _ = composite(source, target, disc, "poisson", WIDTH)
    mole, skin = image[..., 31:33, 31:33].mean(), image[..., 38:42, 38:42].mean()
    assert (skin - mole).item() == pytest.approx(0.3, abs=0.01)
    assert skin.item() == pytest.approx(0.6, abs=0.02)


def test_hair_at_the_edge_does_not_flow_into_the_face(disc):
    source, target = torch.full((1, 3, SIZE, SIZE), 0.6), torch.full((1, 3, SIZE, SIZE), 0.6)
    target[..., :20, :] = 0.1  # hair over the mask's upper edge
    image, _ = composite(source, target, disc, "poisson", WIDTH)
    plain = seamless_clone(source, target, disc)
    below = (..., slice(24, 30), slice(24, 40))
    assert (image[below] - 0.6).abs().max() < 0.5 * (plain[below] - 0.6).abs().max()
    assert (image[below] - 0.6).abs().max() < 0.15


def test_a_kept_eye_is_no_edge_for_the_tones(disc):
    """A hole, such as an eye, shows the target, but its dark does not colour the face around."""
    source, target = torch.full((1, 3, SIZE, SIZE), 0.6), torch.full((1, 3, SIZE, SIZE), 0.6)
    target[..., 30:34, 30:34] = 0.1
    mask = disc.clone()
    mask[..., 30:34, 30:34] = 0
    image, _ = composite(source, target, mask, "poisson", 0.0)
    assert (image[..., 30:34, 30:34] == 0.1).all()
    ring = image[..., 27:37, 27:37].clone()
    ring[..., 3:7, 3:7] = 0.6
    assert (ring - 0.6).abs().max() < 0.02


def test_a_negative_width_is_refused(disc):
    with pytest.raises(ValueError, match=r"at least 0, got -0\.1"):
        composite(smooth(0), smooth(1), disc, "gaussian", -0.1)
