from __future__ import annotations

import pytest
import torch

from faceloom.ops.geometry import transform_points
from faceloom.training.augment import chance, cut, degrade, jitter, light, occlude, recolour


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def images():
    return torch.rand(6, 3, 32, 32, generator=seeded(9))


@pytest.mark.parametrize(
    "function", [degrade, light, recolour, lambda x, random: occlude(x, random, 0.8)[0]]
)
def test_the_same_seed_gives_the_same_pictures_in_range(function, images):
    once, again, other = (function(images, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(once, again)
    assert not torch.equal(once, other)
    assert once.shape == images.shape
    assert once.min() >= 0
    assert once.max() <= 1


def test_jitter_stays_within_its_bounds():
    matrix = jitter(seeded(), 500, 64, turn=30, zoom=1.5, shift=0.1)
    scale = torch.linalg.det(matrix[:, :, :2]).sqrt()
    angle = torch.atan2(matrix[:, 1, 0], matrix[:, 0, 0]).rad2deg()
    moved = transform_points(matrix, torch.full((500, 1, 2), 32.0))[:, 0] - 32
    assert 1.4 < scale.max() <= 1.5001
    assert 1 / 1.5001 <= scale.min() < 0.71
    assert 28 < angle.abs().max() <= 30.001
    assert 6 < moved.abs().max() <= 6.4001


def test_cut_is_the_identity_for_the_identity():
    picture = torch.randint(0, 256, (1, 3, 16, 16), dtype=torch.uint8, generator=seeded())
    torch.testing.assert_close(cut(picture, torch.eye(2, 3)[None], 16), picture / 255)


def test_cut_moves_points_where_the_matrix_says():
    picture = torch.zeros(1, 1, 20, 20)
    picture[0, 0, 6, 4] = 1  # its centre is at (4.5, 6.5)
    matrix = torch.tensor([[[0.0, -1, 17], [1, 0, 2]]])  # a quarter turn, and a shift
    crop = cut(picture, matrix, 20)
    x, y = transform_points(matrix, torch.tensor([[[4.5, 6.5]]]))[0, 0].tolist()
    assert crop[0, 0, int(y), int(x)] > 0.99
    assert crop.sum() < 1.01


def test_cut_keeps_labels_whole_and_knows_both_borders():
    label = torch.tensor([3, 17], dtype=torch.uint8).repeat(8, 4).view(1, 1, 8, 8)
    beyond = jitter(seeded(), 1, 8, turn=40, zoom=2, shift=0.5)
    assert set(cut(label, beyond, 8, "nearest").unique().tolist()) <= {0, 3, 17}
    assert set(cut(label, beyond, 8, "nearest", "border").unique().tolist()) <= {3, 17}


def test_occlude_changes_what_it_says_it_covers(images):
    covered, cover = occlude(images, seeded(3), 0.5)
    bare = (cover == 0).expand_as(images)
    assert torch.equal(covered[bare], images[bare])
    assert (cover.flatten(1).amax(1) > 0.5).any()
    assert (cover.flatten(1).amax(1) == 0).any()


def test_chance_is_as_likely_as_asked():
    assert abs(chance(seeded(), 0.3, 10_000).float().mean() - 0.3) < 0.02
