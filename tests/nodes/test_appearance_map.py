from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from faceloom.faces import AppearanceMap as Views
from faceloom.host.memory import Hosted
from faceloom.nodes import AppearanceMap
from faceloom.ops.head_pose import head_pose
from faceloom.ops.view_interpolation import view_weights


class FakePose:
    """Gives the poses it was made with, in turn."""

    name, role, licence = "fake pose", "head pose", "MIT"

    def __init__(self, poses):
        self.network = nn.Identity()
        self.left = list(poses)
        self.calls = []

    def pose(self, frames, faces):
        self.calls.append((tuple(frames.shape), faces.frame.tolist()))
        return torch.tensor([self.left.pop(0) for _ in range(len(faces))])


def build(source, radius=2.0, keep="densest", poses=None, target=None):
    model = None if poses is None else Hosted(FakePose(poses))
    return AppearanceMap.execute(source, radius, keep, model, target).args


def test_a_model_s_poses_choose_the_views(crops, bare_crops):
    poses = [(0.0, 0, 1), (1.0, 0, 2), (30.0, 10, 3), (-1.0, 0, 4)]
    views, picture = build(bare_crops, poses=poses)
    assert isinstance(views, Views)
    assert torch.equal(views.poses, torch.tensor([poses[0], poses[2]]))
    assert torch.equal(views.crops.image, crops.image[[0, 2]])
    assert torch.equal(views.crops.faces.frame, crops.faces.frame[[0, 2]])
    assert picture.shape == (1, 768, 768, 3)


def test_a_model_sees_each_crop_as_a_frame_and_a_few_at_a_time(bare_crops):
    model = Hosted(FakePose([(0.0, 0, 0)] * 12))
    many = bare_crops[[0, 1, 2, 3] * 3]
    AppearanceMap.execute(many, 2.0, "densest", model)
    frames = (12, 3, many.size, many.size)
    assert model.use().calls == [(frames, list(range(8))), (frames, list(range(8, 12)))]


def test_without_a_model_the_landmarks_tell(crops):
    views, _ = build(crops, radius=0.0)
    wanted = head_pose(crops.faces.landmarks)
    for pose in views.poses:
        assert (wanted[:, :2] - pose[:2]).abs().sum(1).min() < 0.1
    # All faces here are drawn alike.
    assert len(build(crops)[0]) == 1


def test_the_sharpest_of_those_alike_is_kept(bare_crops):
    image = bare_crops.image.clone()
    image[[0, 2, 3]] = image[[0, 2, 3]].mean((2, 3), keepdim=True)
    poses = [(0.0, 0, 0), (1.5, 0, 0), (-1.5, 0, 0), (40.0, 0, 0)]
    blurred = replace(bare_crops, image=image)
    views, _ = build(blurred, keep="densest", poses=poses)
    assert views.poses[:, 0].tolist() == [0, 40]
    views, _ = build(blurred, keep="sharpest", poses=poses)
    assert views.poses[:, 0].tolist() == [1.5, -1.5, 40]


def test_one_frame_is_a_map_of_one_view(bare_crops):
    views, picture = build(bare_crops[:1], poses=[(12.0, -3, 0)])
    assert len(views) == 1
    assert picture.isfinite().all()
    rows, weights = view_weights(views.poses, torch.tensor([[0.0, 0], [74, 74]]))
    assert not rows.any()
    assert weights.tolist() == [[1, 0, 0], [1, 0, 0]]


def test_no_face_is_an_empty_map(no_crops, crops):
    for keep in ("densest", "sharpest"):
        views, picture = build(no_crops, keep=keep, target=crops)
        assert len(views) == 0
        assert views.poses.shape == (0, 3)
        assert picture.shape == (1, 768, 768, 3)
    _, picture = build(crops, target=no_crops)
    assert torch.equal(picture, build(crops)[1])


def test_identical_poses_and_those_beyond_the_map(bare_crops):
    views, _ = build(bare_crops, 0.0, poses=[(5.0, 5, 0), (5.0, 5, 9), (80.0, 0, 0), (95.0, 0, 0)])
    # What was measured is kept; the map alone ends at 75 degrees.
    assert views.poses[:, 0].tolist() == [5, 80]


def test_the_picture_shows_the_way_of_the_targets(crops, bare_crops):
    poses = [(0.0, 0, 0), (30.0, 10, 0), (-30.0, 10, 0), (0.0, 30, 0)]
    _, without = build(bare_crops, poses=poses)
    way = [(50.0, -50, 0)] * 4
    _, with_way = build(bare_crops, poses=poses + way, target=crops)
    changed = (without != with_way).any(-1)[0].nonzero()
    # 50 degrees are 213 px from the middle, to the right and down
    assert (changed.float().mean(0) - (384 + 213)).abs().max() < 2
    assert (changed - (384 + 213)).abs().max() < 12


def test_faces_without_landmarks_are_told_what_to_connect(bare_crops, few_points, crops):
    wanted = r"^Appearance Map: .*no landmarks\. Put Find Landmarks after Detect Faces, or connect"
    with pytest.raises(ValueError, match=wanted):
        build(bare_crops)
    with pytest.raises(ValueError, match=wanted):
        build(crops, target=bare_crops)
    with pytest.raises(ValueError, match=r"^Appearance Map: head pose needs .* got \[4, 5, 3\]"):
        build(few_points)


def test_a_pose_that_is_no_number_is_refused(bare_crops):
    poses = [(0.0, 0, 0), (float("nan"), 0, 0), (1.0, 1, 0), (2.0, 2, 0)]
    with pytest.raises(ValueError, match=r"^Appearance Map: Pose 1 is not finite"):
        build(bare_crops, poses=poses)
