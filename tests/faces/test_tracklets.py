from __future__ import annotations

import pytest
import torch

from faceloom.faces import Faces
from faceloom.faces.tracklets import chronological, first_in_view, tracklets


def faces_at(*places, frames=None):
    """Faces of (frame, left edge of a box of 20 px, track), in the order given."""
    table = torch.tensor(places, dtype=torch.float32).reshape(-1, 3)
    count, left = len(table), table[:, 1]
    top = torch.full_like(left, 30)
    return Faces(
        frame=table[:, 0].long(),
        box=torch.stack([left, top, left + 20, top + 20], 1),
        score=torch.ones(count),
        keypoints=torch.zeros(count, 5, 2),
        track=table[:, 2].long(),
        image_size=(90, 160),
        frames=int(table[:, 0].max()) + 1 if frames is None else frames,
    )


def test_boxes_that_overlap_are_one_face():
    faces = faces_at((0, 10, -1), (0, 60, -1), (1, 14, -1), (1, 57, -1), (2, 18, -1), (2, 54, -1))
    assert tracklets(faces).tolist() == [0, 1, 0, 1, 0, 1]


def test_boxes_that_hardly_overlap_are_not():
    # Shifted by 12 of 20 px the overlap is 8 / 32, by 10 px it is 10 / 30.
    faces = faces_at((0, 0, -1), (1, 10, -1), (2, 22, -1))
    assert tracklets(faces).tolist() == [0, 0, 1]
    assert tracklets(faces, overlap=0.2).tolist() == [0, 0, 0]
    assert tracklets(faces, overlap=0.4).tolist() == [0, 1, 2]


def test_a_face_that_was_missing_is_new():
    faces = faces_at((0, 10, -1), (0, 60, 3), (1, 60, 3), (2, 10, -1), (3, 10, -1), (3, 60, 3))
    assert tracklets(faces).tolist() == [0, 1, 1, 2, 2, 3]


def test_the_best_pair_comes_first_and_no_face_serves_twice():
    # The second face overlaps the one before by more than the first does, which begins anew.
    assert tracklets(faces_at((0, 10, -1), (1, 18, -1), (1, 12, -1))).tolist() == [0, 1, 0]
    # 20 overlaps both 12 and 24: it follows 24, and 12 has no one left.
    assert tracklets(faces_at((0, 12, -1), (0, 24, -1), (1, 20, -1))).tolist() == [0, 1, 1]


def test_tracks_are_followed_wherever_they_go():
    faces = faces_at((0, 10, 0), (0, 60, 1), (1, 60, 0), (1, 10, 1), (2, 130, 0), (2, 12, 1))
    assert tracklets(faces).tolist() == [0, 1, 0, 1, 0, 1]


def test_tracked_and_untracked_faces_do_not_mix():
    assert tracklets(faces_at((0, 10, -1), (1, 10, 4), (2, 10, -1))).tolist() == [0, 1, 2]


def test_two_faces_of_one_track_are_told_apart_by_place():
    # A person and their mirror image.
    faces = faces_at((0, 10, 5), (0, 80, 5), (1, 78, 5), (1, 12, 5), (2, 14, 5), (2, 76, 5))
    assert tracklets(faces).tolist() == [0, 1, 1, 0, 0, 1]


def test_the_order_of_the_batch_does_not_matter():
    random = torch.Generator().manual_seed(0)
    places = [(frame, 40 * k + frame, -1) for frame in range(8) for k in range(3) if frame != 3 + k]
    faces = faces_at(*places)
    wanted = tracklets(faces)
    assert wanted.max() == 5  # each of three faces was missing once
    for _ in range(5):
        rows = torch.randperm(len(faces), generator=random)
        found = tracklets(faces[rows])
        same, wanted_same = (x[:, None] == x for x in (found, wanted[rows]))
        assert torch.equal(same, wanted_same)


def test_chronological_order_and_first_faces():
    faces = faces_at((2, 60, -1), (1, 10, -1), (1, 60, -1), (0, 10, -1), (4, 10, -1))
    found = tracklets(faces)
    assert found.tolist() == [1, 0, 1, 0, 2]
    assert chronological(faces, found).tolist() == [3, 1, 2, 0, 4]
    assert first_in_view(faces, found).tolist() == [3, 2, 4]


@pytest.mark.parametrize("frames", [0, 1, 5])
def test_no_faces(frames):
    faces = Faces.empty((90, 160), frames)
    found = tracklets(faces)
    assert found.shape == chronological(faces, found).shape == (0,)
    assert found.dtype == torch.int64
    assert first_in_view(faces, found).shape == (0,)


def test_broken_boxes_begin_anew():
    faces = faces_at((0, 10, -1), (1, 10, -1), (2, 10, -1))
    faces.box[1] = torch.nan
    assert tracklets(faces).tolist() == [0, 1, 2]
    faces.box[1] = 12.0  # no area
    assert tracklets(faces).tolist() == [0, 1, 2]
