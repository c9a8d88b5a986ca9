from __future__ import annotations

import pytest
import torch

from faceloom.faces import AppearanceMap, Crops, Faces


@pytest.fixture
def crops():
    faces = Faces(
        frame=torch.arange(4),
        box=torch.rand(4, 4),
        score=torch.rand(4),
        keypoints=torch.rand(4, 5, 2),
        track=torch.full((4,), -1),
        image_size=(60, 80),
        frames=4,
    )
    return Crops(torch.rand(4, 3, 8, 8), torch.rand(4, 2, 3), faces, "arcface")


def test_views_are_chosen_and_moved_with_their_poses(crops):
    poses = torch.arange(12.0).view(4, 3)
    views = AppearanceMap(crops, poses)
    assert len(views) == 4
    for index, rows in ((2, [2]), ([3, 1], [3, 1]), (poses[:, 0] > 4, [2, 3]), (slice(0, 0), [])):
        chosen = views[index]
        assert torch.equal(chosen.poses, poses[rows])
        assert torch.equal(chosen.crops.image, crops.image[rows])
    moved = views.to("meta")
    assert moved.device == moved.crops.device == torch.device("meta")


def test_what_does_not_fit_is_refused(crops):
    with pytest.raises(ValueError, match=r"AppearanceMap.poses must have shape \[4, 3\], got \[4"):
        AppearanceMap(crops, torch.zeros(4, 2))
    with pytest.raises(ValueError, match=r"AppearanceMap.poses must have shape \[4, 3\], got \[3"):
        AppearanceMap(crops, torch.zeros(3, 3))
    with pytest.raises(TypeError, match=r"AppearanceMap\.poses must hold floating-point numbers"):
        AppearanceMap(crops, torch.zeros(4, 3, dtype=torch.int64))
    with pytest.raises(TypeError, match=r"AppearanceMap\.crops must be Crops, got Faces"):
        AppearanceMap(crops.faces, torch.zeros(4, 3))
