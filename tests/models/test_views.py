from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from faceloom.faces import Faces
from faceloom.models.views import ANGLES, detect_views, turn_back, upright

COLOURS = torch.arange(1, 6) / 8
"""Red of the pixels that stand for eyes, nose and mouth corners."""
SHAPE = torch.tensor([[-3, -4], [3, -4], [0, 0], [-2, 4], [2, 4]])
TURN = torch.tensor([[0, 1], [-1, 0]])
"""A quarter turn counter-clockwise as it is seen, of vectors (x, y)."""


def face(frame, x, y, angle=0, blue=0.5):
    """Draw five pixels about (x, y), the face turned counter-clockwise by `angle`."""
    for colour, place in zip(COLOURS, SHAPE, strict=True):
        for _ in range(angle // 90):
            place = TURN @ place
        frame[0, y + place[1], x + place[0]] = colour
        frame[2, y + place[1], x + place[0]] = blue


class Reader:
    """Finds the five pixels of one face a frame; blue is the score of an upright one.

    A turned one scores `turned` more, and its points are wrong, unless it is `honest`: then they
    are where the pixels are.
    """

    def __init__(self, turned=-0.2, honest=True):
        self.turned, self.honest, self.calls = turned, honest, []

    def detect(self, frames, threshold, size=640):
        self.calls.append((tuple(frames.shape[2:]), size))
        rows = []
        for index, frame in enumerate(frames):
            if not frame[0].any():
                continue
            places = [(frame[0] - colour).abs().lt(1e-4).nonzero()[0].flip(0) for colour in COLOURS]
            points = torch.stack(places) + 0.5
            score = frame[2].amax().item()
            if not upright(points[None]).item():
                score += self.turned
                middle = points.mean(0)
                points = points if self.honest else SHAPE + middle
            reach = torch.tensor([8.0, 8.0])
            box = torch.cat([points.mean(0) - reach, points.mean(0) + reach])
            rows.append((index, box, score, points))
        rows = [row for row in rows if row[2] >= threshold]
        return Faces(
            frame=torch.tensor([row[0] for row in rows], dtype=torch.int64),
            box=torch.stack([row[1] for row in rows]) if rows else torch.zeros(0, 4),
            score=torch.tensor([row[2] for row in rows], dtype=torch.float32),
            keypoints=torch.stack([row[3] for row in rows]) if rows else torch.zeros(0, 5, 2),
            track=torch.full((len(rows),), -1),
            image_size=tuple(frames.shape[2:]),
            frames=len(frames),
        )


def turned_frames(blue=0.5):
    frames = torch.zeros(5, 3, 40, 60)
    for index, angle in enumerate(ANGLES):
        face(frames[index], 20, 15, angle, blue)
    return frames


def truth(frames):
    return [Reader().detect(frame[None], 0.0).keypoints[0] for frame in frames[:4]]


@pytest.mark.parametrize(
    "detector",
    [
        # like SCRFD: points turn with the face, and the score may even rise
        Reader(turned=0.3, honest=True),
        # like YuNet: points look upright on any face, and the score falls
        Reader(turned=-0.1, honest=False),
    ],
)
def test_each_face_comes_from_the_view_in_which_it_is_upright(detector):
    frames = turned_frames()
    found = detect_views(detector, frames, 0.2, [640], ANGLES)
    assert found.frame.tolist() == [0, 1, 2, 3]
    assert (found.frames, found.image_size) == (5, (40, 60))
    for points, wanted in zip(found.keypoints, truth(frames), strict=True):
        torch.testing.assert_close(points, wanted)
    torch.testing.assert_close(found.score, torch.full((4,), 0.5))
    shapes = [call[0] for call in detector.calls]
    assert shapes == [(40, 60), (60, 40), (40, 60), (60, 40)]


@pytest.mark.parametrize("angle", ANGLES)
def test_turning_back_undoes_the_turn(angle):
    frames = turned_frames()
    copies = torch.rot90(frames, angle // 90, (2, 3))
    found = turn_back(Reader().detect(copies, 0.0), angle)
    wanted = Reader().detect(frames, 0.0)
    assert found.image_size == wanted.image_size
    torch.testing.assert_close(found.keypoints, wanted.keypoints)
    torch.testing.assert_close(found.box, wanted.box)


def test_a_face_that_is_upright_in_no_view_stays():
    frames = turned_frames()[1:2]
    for angles in ((0,), (0, 180)):
        assert len(detect_views(Reader(), frames, 0.2, [640], angles)) == 1


def test_of_two_sizes_the_higher_score_wins():
    class Sized(Reader):
        def detect(self, frames, threshold, size=640):
            faces = super().detect(frames, threshold, size)
            return replace(faces, score=faces.score + size / 10_000, box=faces.box + size / 1000)

    frames = turned_frames()[[0]]
    for sizes in ([320, 640], [640, 320]):
        found = detect_views(Sized(), frames, 0.2, sizes)
        torch.testing.assert_close(found.score, torch.tensor([0.564]))
    detector = Sized()
    detect_views(detector, frames, 0.2, [640, 640])
    assert [call[1] for call in detector.calls] == [640]


def test_faces_apart_stay_apart_and_come_by_score():
    class Both(Reader):
        def detect(self, frames, threshold, size=640):
            halves = frames.clone(), frames.clone()
            for half, side in zip(halves, (slice(0, 30), slice(30, 60)), strict=True):
                half[..., side] = 0
            return Faces.cat([Reader().detect(half, threshold, size) for half in halves])

    frames = torch.zeros(2, 3, 40, 60)
    for frame in frames:
        face(frame, 15, 20, blue=0.5)
        face(frame, 45, 20, blue=0.9)
    found = detect_views(Both(), frames, 0.2, [640, 320])
    assert found.frame.tolist() == [0, 0, 1, 1]
    torch.testing.assert_close(found.score, torch.tensor([0.9, 0.5, 0.9, 0.5]))


def test_no_face_in_any_view():
    found = detect_views(Reader(), torch.zeros(2, 3, 10, 20), 0.5, [640, 0], ANGLES)
    assert (len(found), found.frames, found.image_size) == (0, 2, (10, 20))


def test_one_view_is_the_detectors_own():
    detector, frames = Reader(), turned_frames()
    found = detect_views(detector, frames, 0.2, [480])
    assert detector.calls == [((40, 60), 480)]
    torch.testing.assert_close(found.box, Reader().detect(frames, 0.2).box)


def test_upright_means_within_45_degrees_and_eyes_above_the_mouth():
    degrees = torch.tensor([0.0, 44, -44, 46, -46, 90, 180])
    turn = torch.deg2rad(degrees)
    rows = torch.stack([turn.cos(), turn.sin(), -turn.sin(), turn.cos()], 1).reshape(-1, 2, 2)
    points = SHAPE.float() @ rows
    assert upright(points).tolist() == [True] * 3 + [False] * 4
    mirrored = SHAPE.float() * torch.tensor([1.0, -1])
    assert upright(mirrored[None]).tolist() == [False]


@pytest.mark.parametrize(("sizes", "angles"), [([640], (45,)), ([640], ()), ([], (0,))])
def test_views_that_there_are_not(sizes, angles):
    with pytest.raises(ValueError, match=r"detect_views wants sizes and angles of 0, 90, 180, 270"):
        detect_views(Reader(), torch.zeros(1, 3, 8, 8), 0.5, sizes, angles)
