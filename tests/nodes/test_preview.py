from __future__ import annotations

import itertools

import pytest
import torch

from faceloom.nodes import PreviewFaces


def preview(image, faces, boxes=True, points=True, numbers=True):
    (drawn,) = PreviewFaces.execute(image, faces, boxes, points, numbers).args
    return drawn


@pytest.mark.parametrize("choices", list(itertools.product([False, True], repeat=3)))
def test_only_what_was_chosen_is_drawn(image, faces, choices):
    drawn = preview(image, faces, *choices)
    changed = (drawn != image).any(-1)
    assert not changed[1].any()
    boxes, points, numbers = choices
    assert changed[0, 60:67, 8].all() == boxes
    eye = faces.keypoints[0, 0].long()
    assert changed[0, eye[1], eye[0]] == points
    assert changed[0, 10:20, 8:16].float().mean() > 0.5 or not numbers
    assert changed.any() == any(choices)


def test_faces_without_landmarks_or_cut_by_the_edge_are_drawn(world):
    frames = world.picture(40, 40, [(-30, -30, 20, 20), (20, 20, 90, 95)])
    drawn = preview(frames, world.faces(frames, landmarks=False))
    assert drawn.shape == frames.shape
    assert (drawn != frames).any()


def test_no_face_draws_nothing(image, no_faces):
    assert torch.equal(preview(image, no_faces), image)


def test_any_kind_of_picture(image, faces, as_kind):
    drawn = preview(as_kind(image), faces)
    assert drawn.shape == image.shape
    assert drawn.isfinite().all()


def test_another_picture_is_refused(image, faces):
    with pytest.raises(ValueError, match="Preview Faces: image holds 1 frames"):
        preview(image[:1], faces)


def test_page_gets_both_pictures_where_there_is_one_to_compare(image, faces, as_kind, monkeypatch):
    shown = []
    monkeypatch.setattr("faceloom.nodes.preview.shown", lambda frames: shown.append(frames) or [1])
    chosen = (image, faces, True, False, False)
    assert PreviewFaces.execute(*chosen).ui is None
    output = PreviewFaces.execute(*chosen, before=as_kind(torch.ones(2, 9, 7, 3)))
    assert output.ui == {"faceloom_compare": [{"before": [1], "after": [1]}]}
    before, after = shown
    assert before.shape == (1, 3, 9, 7)
    assert torch.equal(after, output.args[0][:1].movedim(-1, 1))


def test_what_is_no_picture_to_compare_is_refused(image, faces):
    with pytest.raises(ValueError, match="Preview Faces: before must be"):
        PreviewFaces.execute(image, faces, True, True, True, before=torch.ones(3))
