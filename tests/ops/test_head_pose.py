from __future__ import annotations

import pytest
import torch

from faceloom.ops.geometry import transform_points
from faceloom.ops.head_pose import head_pose, to_degrees
from faceloom.ops.landmark_sets import convert_landmarks, landmark_set

STRAIGHT = 3.9  # degrees by which the mean face looks up


def test_the_mean_face_looks_straight_ahead_but_for_its_pitch(posed):
    torch.testing.assert_close(
        head_pose(posed()), torch.tensor([[0, STRAIGHT, 0]]), atol=0.01, rtol=0
    )


@pytest.mark.parametrize("angle", [-40.0, 25.0])
def test_angles_are_what_the_head_was_turned_by(posed, angle):
    roll = head_pose(posed(roll=angle))[0]
    torch.testing.assert_close(roll, torch.tensor([0, STRAIGHT, angle]), atol=0.01, rtol=0)
    # ops.rotation's positive pitch looks down
    pitch = head_pose(posed(pitch=angle))[0]
    torch.testing.assert_close(pitch, torch.tensor([0, STRAIGHT - angle, 0]), atol=0.01, rtol=0)
    yaw = head_pose(posed(yaw=angle))[0, 0]
    assert yaw == pytest.approx(angle, abs=0.3)  # about an axis that is STRAIGHT off


def test_signs_are_those_that_are_seen(posed):
    # The nose tip is the point nearest to the viewer, and moves where the head looks.
    still = posed()[0]
    tip, forehead, chin = 1, 10, 152
    right, up, clockwise = posed(yaw=20)[0], posed(pitch=-20)[0], posed(roll=20)[0]
    assert right[tip, 0] > still[tip, 0]
    assert head_pose(right[None])[0, 0] > 10
    assert up[tip, 1] < still[tip, 1]
    assert head_pose(up[None])[0, 1] > 10
    assert clockwise[forehead, 0] > clockwise[chin, 0]
    assert head_pose(clockwise[None])[0, 2] > 10


def test_mirror_image_negates_yaw_and_roll(posed):
    points = posed(yaw=30, pitch=10, roll=-12)
    mirrored = (points * torch.tensor([-1.0, 1, 1]))[:, landmark_set(468).mirror]
    wanted = head_pose(points) * torch.tensor([-1, 1, -1])
    torch.testing.assert_close(head_pose(mirrored), wanted, atol=0.2, rtol=0)


def test_turning_scaling_and_moving_the_picture_changes_the_roll_alone(posed):
    points = posed(yaw=30, pitch=10, roll=-12)
    angle = torch.tensor(200.0).deg2rad()
    cos, sin = angle.cos(), angle.sin()
    matrix = 1.7 * torch.tensor([[[cos, -sin, 40], [sin, cos, -300]]])
    moved = head_pose(transform_points(matrix, points))
    wanted = head_pose(points) + torch.tensor([0, 0, 200 - 360])
    torch.testing.assert_close(moved, wanted, atol=0.01, rtol=0)


def test_points_of_the_irises_do_not_count(posed):
    points = posed(yaw=20)
    with_irises = torch.cat([points, torch.rand(1, 10, 3) * 100], 1)
    torch.testing.assert_close(head_pose(with_irises), head_pose(points))


def test_batches_and_none(posed):
    batch = torch.cat([posed(yaw=10), posed(roll=30)])
    rows = torch.cat([head_pose(points[None]) for points in batch])
    torch.testing.assert_close(head_pose(batch), rows, atol=1e-3, rtol=0)
    assert head_pose(batch[:0]).shape == (0, 3)


def test_sixty_eight_points_tell_the_same(posed):
    points = posed(yaw=30, pitch=10, roll=-12)
    found = head_pose(convert_landmarks(points, 68))
    torch.testing.assert_close(found, head_pose(points), atol=1e-3, rtol=0)


@pytest.mark.parametrize("shape", [(2, 468, 2), (2, 68, 2), (2, 106, 3), (468, 3)])
def test_what_tells_no_pose_is_refused(shape):
    with pytest.raises(ValueError, match=r"head pose needs the 468 points .* got \["):
        head_pose(torch.zeros(shape))


def test_degrees_stay_within_half_a_turn():
    angles = torch.tensor([[0.1, 0.2, 3.0], [0, 0, 3.3]])
    wanted = torch.tensor([[5.729578, -11.459156, 171.887339], [0, 0, 189.076073 - 360]])
    torch.testing.assert_close(to_degrees(angles), wanted, atol=1e-4, rtol=0)
