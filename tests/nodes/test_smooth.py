from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from faceloom.faces import Faces
from faceloom.nodes import SmoothFaces
from faceloom.nodes.smooth import face_scale
from faceloom.ops.templates import TEMPLATES, template_points

FIELDS = ("box", "keypoints", "landmarks")


def smooth(faces, reach=2, cut=0.07):
    (smoothed,) = SmoothFaces.execute(faces, reach, cut).args
    return smoothed


def trembling(frames, size=224, tremble=1.0, left=0.0, seed=0):
    """A face a frame, as large as in a crop of `size` px, and each field off by its own noise."""
    random = torch.Generator().manual_seed(seed)

    def noise(*shape):
        return tremble * (torch.rand(frames, *shape, generator=random) - 0.5)

    points = template_points("ghost_frontal", size)
    return Faces(
        frame=torch.arange(frames),
        box=torch.tensor([0.2, 0.2, 0.8, 0.9]) * size + left + noise(4),
        score=torch.linspace(0.5, 0.9, frames),
        keypoints=points + left + noise(5, 2),
        track=torch.full((frames,), -1),
        image_size=(2000, 3000),
        frames=frames,
        landmarks=torch.cat([points, points[:, :1]], 1) + left + noise(5, 3),
    )


def mean_of(faces, first, last):
    return {name: getattr(faces, name)[first : last + 1].mean(0) for name in FIELDS}


def test_all_that_is_placed_is_smoothed_with_the_same_windows():
    faces = trembling(7)
    smoothed = smooth(faces)
    for row, window in enumerate([(0, 0), (0, 2), (0, 4), (1, 5), (2, 6), (4, 6), (6, 6)]):
        for name, wanted in mean_of(faces, *window).items():
            torch.testing.assert_close(getattr(smoothed, name)[row], wanted)
    for name in ("frame", "score", "track"):
        assert torch.equal(getattr(smoothed, name), getattr(faces, name))
    assert (smoothed.frames, smoothed.image_size) == (faces.frames, faces.image_size)


def test_trembling_becomes_less():
    faces = trembling(60)

    def way(points):
        return (points[1:] - points[:-1]).norm(dim=-1).mean()

    assert way(smooth(faces).keypoints) < 0.3 * way(faces.keypoints)


def test_one_picture_is_unchanged():
    faces = trembling(1)
    group = Faces.cat([faces, replace(faces, box=faces.box + 2, keypoints=faces.keypoints + 1)])
    for still in (faces, group):
        smoothed = smooth(still)
        for name in FIELDS:
            assert torch.equal(getattr(smoothed, name), getattr(still, name))


@pytest.mark.parametrize("keypoint", [0, 2])
@pytest.mark.parametrize("size", [224, 1120])
def test_nothing_is_averaged_across_a_cut(size, keypoint):
    # At GHOST's own size its 5 px are the limit; five times as large, 25 px.
    for jump, cut in ((4.9, False), (5.2, True)):
        faces = trembling(6, size, tremble=0)
        faces.keypoints[3:, keypoint, 0] += jump * size / 224
        smoothed = smooth(faces).keypoints[:, keypoint, 0]
        unchanged = torch.allclose(smoothed, faces.keypoints[:, keypoint, 0])
        assert unchanged is cut


def test_other_points_may_jump():
    faces = trembling(6, tremble=0)
    faces.keypoints[3:, [1, 3, 4]] += 6
    assert not torch.equal(smooth(faces).keypoints, faces.keypoints)


def test_turned_faces_have_a_size_too():
    frontal = face_scale(template_points("ghost_frontal", 224)[None])
    assert 0.07 * frontal == pytest.approx(5, abs=0.05)
    for name in TEMPLATES:
        if name.startswith("ghost"):
            scale = face_scale(template_points(name, 224)[None])
            assert float(scale / frontal) == pytest.approx(1, abs=0.1)


def test_people_are_smoothed_apart_and_keep_their_order():
    one, other = trembling(5), trembling(5, left=400, seed=1)
    both = Faces.cat([other, one])
    rows = torch.tensor([7, 0, 3, 9, 1, 5, 2, 8, 4, 6])
    smoothed = smooth(both[rows])
    wanted = Faces.cat([smooth(other), smooth(one)])[rows]
    for name in ("frame", *FIELDS):
        torch.testing.assert_close(getattr(smoothed, name), getattr(wanted, name))


def test_an_absence_ends_the_smoothing():
    faces = trembling(7)
    smoothed = smooth(faces[[0, 1, 2, 4, 5, 6]])
    before, after = smooth(faces[:3]), smooth(faces[4:])
    torch.testing.assert_close(smoothed.keypoints, torch.cat([before.keypoints, after.keypoints]))


def test_reach_zero_and_no_landmarks():
    faces = replace(trembling(5), landmarks=None)
    assert torch.equal(smooth(faces, reach=0).keypoints, faces.keypoints)
    assert smooth(faces).landmarks is None


@pytest.mark.parametrize("frames", [0, 4])
def test_no_faces(frames):
    smoothed = smooth(Faces.empty((20, 30), frames))
    assert len(smoothed) == 0
    assert smoothed.frames == frames
