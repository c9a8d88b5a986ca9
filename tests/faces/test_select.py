"""Selection, against plain Python on seeded random batches."""

from __future__ import annotations

import random

import pytest
import torch

from faceloom.faces import (
    ORDERS,
    Faces,
    above_score,
    by_box_size,
    largest,
    one_frame,
    only_frames,
    parse_indices,
    rank_in_frame,
    sort_faces,
    take,
)

SEEDS = range(8)
FRAMES = 5


def random_faces(seed, count=None):
    """Faces in no order of frames, on a coarse grid so that ties happen; track = row number."""
    rng = random.Random(seed)
    count = rng.randint(0, 20) if count is None else count
    boxes = []
    for _ in range(count):
        x, y, w, h = rng.randint(0, 5), rng.randint(0, 5), rng.randint(1, 4), rng.randint(1, 4)
        boxes.append([x, y, x + w, y + h])
    return Faces(
        frame=torch.tensor([rng.randrange(FRAMES) for _ in range(count)], dtype=torch.int64),
        box=torch.tensor(boxes, dtype=torch.float32).reshape(count, 4),
        score=torch.tensor([rng.randint(0, 4) / 4 for _ in range(count)]),
        keypoints=torch.zeros(count, 5, 2),
        track=torch.arange(count),
        image_size=(10, 10),
        frames=FRAMES,
    )


def boxes_by_frame(faces):
    """For each frame its (row, box), in order."""
    rows = list(zip(faces.track.tolist(), faces.frame.tolist(), faces.box.tolist(), strict=True))
    return [[(row, box) for row, at, box in rows if at == frame] for frame in range(faces.frames)]


PLAIN_KEYS = {
    "left-right": lambda box: (box[0] + box[2]) / 2,
    "right-left": lambda box: -(box[0] + box[2]) / 2,
    "top-bottom": lambda box: (box[1] + box[3]) / 2,
    "bottom-top": lambda box: -(box[1] + box[3]) / 2,
    "large-small": lambda box: -(box[2] - box[0]) * (box[3] - box[1]),
    "small-large": lambda box: (box[2] - box[0]) * (box[3] - box[1]),
}


def test_the_orders_are_the_six():
    assert set(ORDERS) == set(PLAIN_KEYS)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("seed", SEEDS)
def test_sort_is_a_stable_sort_inside_each_frame(order, seed):
    faces = random_faces(seed)
    key = PLAIN_KEYS[order]
    expected = [
        row
        for frame in boxes_by_frame(faces)
        for row, _ in sorted(frame, key=lambda item: key(item[1]))
    ]
    assert sort_faces(faces, order).track.tolist() == expected


def test_an_unknown_order_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="Unknown order 'biggest'; wanted one of: left-right, "):
        sort_faces(random_faces(0), "biggest")


@pytest.mark.parametrize("seed", SEEDS)
def test_rank_counts_the_faces_of_the_same_frame_before(seed):
    faces = random_faces(seed)
    frame = faces.frame.tolist()
    assert rank_in_frame(faces).tolist() == [frame[:i].count(f) for i, f in enumerate(frame)]


@pytest.mark.parametrize("indices", [[0], [-1], [1, -1, 1], [0, 2, 3], [-2, -1], [40], [-40]])
@pytest.mark.parametrize("seed", SEEDS)
def test_take_reads_ranks_in_every_frame(indices, seed):
    faces = random_faces(seed)
    kept = set()
    for frame in boxes_by_frame(faces):
        rows = [row for row, _ in frame]
        kept |= {rows[i] for i in indices if -len(rows) <= i < len(rows)}
    assert take(faces, indices).track.tolist() == sorted(kept)


def test_take_without_an_index_keeps_all():
    faces = random_faces(1, count=6)
    assert take(faces, parse_indices(" ")).track.tolist() == list(range(6))


@pytest.mark.parametrize("seed", SEEDS)
def test_largest_keeps_one_face_a_frame_the_first_of_equals(seed):
    faces = random_faces(seed)
    expected = [
        min(frame, key=lambda item: PLAIN_KEYS["large-small"](item[1]))[0]
        for frame in boxes_by_frame(faces)
        if frame
    ]
    assert largest(faces).track.tolist() == expected


@pytest.mark.parametrize("seed", SEEDS)
def test_score_size_and_frame_filters_keep_what_plain_python_keeps(seed):
    faces = random_faces(seed)
    rows = list(zip(faces.frame.tolist(), faces.box.tolist(), faces.score.tolist(), strict=True))

    def where(keep):
        return [row for row, item in enumerate(rows) if keep(*item)]

    def short(box):
        return min(box[2] - box[0], box[3] - box[1])

    assert above_score(faces, 0.5).track.tolist() == where(lambda f, b, s: s >= 0.5)
    assert by_box_size(faces, 2, 3).track.tolist() == where(lambda f, b, s: 2 <= short(b) <= 3)
    assert by_box_size(faces, 3).track.tolist() == where(lambda f, b, s: short(b) >= 3)
    assert only_frames(faces, [1, -1, 99]).track.tolist() == where(lambda f, b, s: f in (1, 4))
    assert only_frames(faces, []).track.tolist() == where(lambda f, b, s: True)
    assert one_frame(faces, 2).track.tolist() == where(lambda f, b, s: f == 2)


@pytest.mark.parametrize(
    "select",
    [
        *(lambda faces, order=order: sort_faces(faces, order) for order in ORDERS),
        lambda faces: take(faces, [0, -1]),
        largest,
        lambda faces: above_score(faces, 0.5),
        by_box_size,
        lambda faces: only_frames(faces, [0]),
    ],
)
@pytest.mark.parametrize("frames", [0, 3])
def test_no_faces_stay_no_faces_of_as_many_frames(select, frames):
    selected = select(Faces.empty((10, 10), frames))
    assert (len(selected), selected.frames) == (0, frames)


def test_one_frame_is_a_batch_of_one():
    faces = one_frame(random_faces(3, count=12), 4)
    assert faces.frames == 1
    assert set(faces.frame.tolist()) == {0}
    with pytest.raises(ValueError, match="no frame 5 in a batch of 5"):
        one_frame(random_faces(3), 5)


@pytest.mark.parametrize(
    ("text", "indices"),
    [
        ("", []),
        (" , ", []),
        ("3", [3]),
        ("0, 2, 4-6", [0, 2, 4, 5, 6]),
        ("-1,0 ,", [-1, 0]),
        ("2 - 2", [2]),
        ("5,5,1", [5, 5, 1]),
    ],
)
def test_indices_are_read(text, indices):
    assert parse_indices(text) == indices


@pytest.mark.parametrize("text", ["one", "1 2", "1;2", "1.5", "1-", "-2--1", "--1", "0-999999"])
def test_unreadable_indices_are_refused_with_what_was_typed(text):
    with pytest.raises(ValueError, match="wanted numbers and ranges") as error:
        parse_indices(f"0, {text}")
    assert str(error.value).startswith(f"Cannot read '{text}' in '0, {text}';")


def test_a_falling_range_is_refused_with_the_rising_one():
    with pytest.raises(ValueError, match="'6-4' in '0, 6-4' runs down; wanted 4-6"):
        parse_indices("0, 6-4")
