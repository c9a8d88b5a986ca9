from __future__ import annotations

import math

import pytest
import torch

from faceloom.ops.face_shape import carry_shape
from faceloom.ops.landmark_sets import CONTOURS, landmark_set
from faceloom.ops.reenact import opening
from faceloom.ops.rotation import euler_to_matrix

OVAL = list(CONTOURS["oval"])
NOSE_TIP, LEFT_CHEEK = 1, 205


def place(points, angles=(0, 0, 0), scale=40.0):
    """Points on the mean face's axes, as the landmarks of a turned head."""
    turn = euler_to_matrix(torch.tensor([angles], dtype=torch.float32) * math.pi / 180)
    return points @ turn.mT * scale + torch.tensor([64.0, 60.0, 0.0])


@pytest.fixture
def mean():
    return landmark_set(468).mean[None]


@pytest.fixture
def long_nose(mean):
    """The mean face with a nose further down and further out."""
    bump = torch.exp(-(mean - mean[:, NOSE_TIP : NOSE_TIP + 1]).norm(dim=-1).square() / 0.08)
    return mean + bump[..., None] * torch.tensor([0.0, 0.15, -0.2])


def test_nothing_of_the_shape_is_the_target_itself(mean, long_nose):
    target = place(mean, (20, 5, 10))
    assert carry_shape(place(long_nose), target, 0.0) is target
    none = target[:0]
    assert carry_shape(none, none, 1.0).shape == (0, 468, 3)


@pytest.mark.parametrize("angles", [(0, 0, 0), (35, 10, -20)])
def test_a_face_of_the_same_shape_changes_nothing(mean, angles):
    target = place(mean, angles)
    moved = carry_shape(place(mean, (-15, 0, 30), scale=7.0), target, 1.0)
    torch.testing.assert_close(moved, target, atol=1e-3, rtol=0)


@pytest.mark.parametrize("amount", [0.5, 1.0])
def test_the_nose_comes_along_in_the_targets_pose(mean, long_nose, amount):
    angles = (30, -10, 15)
    moved = carry_shape(place(long_nose, (-20, 0, 0), scale=90.0), place(mean, angles), amount)
    wanted = place(mean.lerp(long_nose, amount), angles)
    way = (wanted - place(mean, angles))[0, NOSE_TIP].norm()
    # The nose is in the fit of the pose, too, and takes a little of itself away.
    assert (moved - wanted)[0, NOSE_TIP].norm() < 0.2 * way


def test_the_outline_stays(mean, long_nose):
    target = place(mean, (10, 0, 0))
    wide = place(long_nose * torch.tensor([1.2, 0.9, 1.0]))
    moved = carry_shape(wide, target, 1.0)
    torch.testing.assert_close(moved[:, OVAL], target[:, OVAL], atol=1e-4, rtol=0)
    assert (moved - target)[0, LEFT_CHEEK].norm() > 1


@pytest.mark.parametrize("part", ["eyes", "inner_mouth"])
def test_openings_stay_the_targets(mean, part):
    source = mean.clone()
    for name in ("left_eye", "right_eye", "inner_mouth"):  # twice as open
        contour = list(CONTOURS[name])
        middle = source[:, contour].mean(1, keepdim=True)
        stretched = torch.tensor([1.0, 2.0, 1.0])
        source[:, contour] = middle + (source[:, contour] - middle) * stretched
    source = source + torch.tensor([0.0, 0.05, 0.0]) * (source[..., 1:2] > 0.3)
    moved = carry_shape(place(source), place(mean), 1.0)
    assert opening(place(source), part) > 1.9 * opening(place(mean), part)
    torch.testing.assert_close(opening(moved, part), opening(place(mean), part), atol=1e-5, rtol=0)


def test_each_face_of_a_batch_is_its_own(mean, long_nose):
    sources = torch.cat([place(mean), place(long_nose), place(mean, scale=9.0)])
    targets = torch.cat([place(mean, (20, 0, 0)), place(mean), place(long_nose, (0, 10, 0))])
    batch = carry_shape(sources, targets, 0.7)
    for row in range(3):
        alone = carry_shape(sources[row : row + 1], targets[row : row + 1], 0.7)
        torch.testing.assert_close(batch[row : row + 1], alone, atol=1e-4, rtol=0)


def test_points_in_one_place_stay_finite(mean):
    target = place(mean)
    assert carry_shape(torch.zeros_like(target), target, 1.0).isfinite().all()
    assert carry_shape(target, torch.zeros_like(target), 1.0).isfinite().all()


def test_errors_say_what_came(mean):
    face = place(mean)
    with pytest.raises(ValueError, match=r"\[N, 468, 3\], got \[1, 468, 2\] and \[1, 468, 3\]"):
        carry_shape(face[..., :2], face, 1.0)
    with pytest.raises(ValueError, match=r"between 0 and 1, got 1\.5"):
        carry_shape(face, face, 1.5)
    with pytest.raises(ValueError, match="68 landmarks"):
        carry_shape(face[:, :68], face[:, :68], 1.0)
