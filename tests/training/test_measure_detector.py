from __future__ import annotations

import pytest
import torch

from faceloom.faces import Faces
from faceloom.models.loom_detector.closer import turned_boxes
from faceloom.ops.geometry import transform_points
from faceloom.training.measure_detector import HEADER, false_hits, measure_portraits
from faceloom.training.pictures import Pictures

SIDE = 112
BOX = torch.tensor([[30.0, 24, 74, 84]])
POINTS = torch.tensor([[[42.0, 46], [62, 46], [52, 58], [44, 70], [60, 70]]])


def middle(brightness):
    place = torch.arange(len(brightness)) + 0.5
    x, y = (brightness.sum(dim) @ place / brightness.sum() for dim in (0, 1))
    return torch.stack([x, y])


class Finds:
    """Knows the face from a red spot and a green one right of it, and misses by 1 px."""

    def __init__(self, off=1.0):
        self.off = off

    def detect(self, frames, threshold, size=640):
        side = frames.shape[-1]
        red, green = frames[0, :2]
        if red.sum() == 0:
            return Faces.empty((side, side), 1)
        places = [middle(red), middle(green)]
        matrix = torch.zeros(1, 2, 3)
        along = (places[1] - places[0]) / 20
        matrix[0, :, 0], matrix[0, :, 1] = along, torch.stack([-along[1], along[0]])
        matrix[0, :, 2] = places[0] - matrix[0, :, :2] @ POINTS[0, 0]
        points = transform_points(matrix, POINTS) + torch.tensor([self.off * along.norm(), 0.0])
        return Faces(
            frame=torch.zeros(1, dtype=torch.int64),
            box=turned_boxes(BOX, matrix),
            score=torch.ones(1),
            keypoints=points,
            track=torch.full((1,), -1),
            image_size=(side, side),
            frames=1,
        )


@pytest.fixture
def portrait():
    image = torch.zeros(1, 3, SIDE, SIDE, dtype=torch.uint8)
    for channel in range(2):
        x, y = POINTS[0, channel].int().tolist()
        image[0, channel, y - 8 : y + 8, x - 8 : x + 8] = 255
    return Pictures(image, None, ("a",))


def test_every_copy_is_measured_where_the_face_went(portrait):
    rows = measure_portraits(Finds(), portrait, BOX, POINTS)
    assert [row.copy for row in rows][:3] == [
        "as it is",
        "turned +30 degrees",
        "turned -30 degrees",
    ]
    for row in rows:
        assert (row.found, row.others, row.pictures) == (1.0, 0, 1)
        assert row.points == pytest.approx(1 / 20, abs=0.01)
    assert len(str(rows[0]).split("|")) == len(HEADER.splitlines()[0].split("|"))


def test_a_detector_that_finds_nothing_or_something_else(portrait):
    nothing = measure_portraits(Finds(), Pictures(portrait.image * 0, None, ("a",)), BOX, POINTS)
    assert all((row.found, row.points, row.others) == (0, 0, 0) for row in nothing)
    aside = measure_portraits(Finds(), portrait, BOX + 60, POINTS + 60)[0]
    assert (aside.found, aside.others) == (0, 1)


def test_false_hits_by_picture():
    class FindsInSquares:
        def detect(self, frames, threshold, size=640):
            height, width = frames.shape[-2:]
            return [0] if height == width else []

    assert false_hits(FindsInSquares(), ("horse", "moon")) == {"horse": 0, "moon": 1}
