from __future__ import annotations

import pytest
import torch

from faceloom.ops.draw import draw_boxes, draw_labels, draw_lines, draw_points

RED = (1.0, 0.0, 0.0)
GREY = torch.full((2, 3, 60, 80), 0.5)


def is_colour(image, colour):
    """[H, W] of the pixels that have exactly this colour."""
    return (image == torch.tensor(colour)[:, None, None]).all(dim=0)


def changed(image):
    return (image != GREY).any(dim=1)


# --- boxes ---


def test_a_box_lies_on_its_edges():
    boxes = torch.tensor([[10.0, 20.0, 40.0, 50.0]])
    image = draw_boxes(GREY, boxes, torch.tensor([1]), RED, width=2)
    red = is_colour(image[1], RED)
    wanted = torch.zeros(60, 80, dtype=torch.bool)
    wanted[20:50, 10:40] = True
    wanted[22:48, 12:38] = False
    assert torch.equal(red, wanted)
    assert torch.equal(image[0], GREY[0])
    # One dark pixel on both sides of the line, and nothing else.
    dark = is_colour(image[1], (0.0, 0.0, 0.0))
    assert dark[19, 9:41].all()
    assert dark[22, 12:38].all()
    assert torch.equal(changed(image)[1], red | dark)


def test_boxes_off_the_picture_are_clipped():
    nowhere = torch.tensor([[-90.0, -90, -50, -50], [500, 10, 600, 20], [float("nan"), 0, 9, 9]])
    assert torch.equal(draw_boxes(GREY, nowhere, torch.zeros(3, dtype=torch.int64)), GREY)
    around = torch.tensor([[-9.0, -9.0, 99.0, 99.0]])
    assert torch.equal(draw_boxes(GREY, around, torch.tensor([0])), GREY)
    partly = draw_boxes(GREY, torch.tensor([[-9.0, 30, 20, 99]]), torch.tensor([0]), RED, width=1)
    assert is_colour(partly[0], RED)[30, :20].all()
    assert is_colour(partly[0], RED)[30:, 19].all()


# --- points ---


def test_a_point_is_a_disc_around_its_place():
    points = torch.tensor([[[30.0, 20.0], [60.5, 40.5]]])
    image = draw_points(GREY, points, torch.tensor([0]), RED, radius=3)
    red = is_colour(image[0], RED)
    y, x = torch.meshgrid(torch.arange(60) + 0.5, torch.arange(80) + 0.5, indexing="ij")
    wanted = torch.zeros(60, 80, dtype=torch.bool)
    for centre_x, centre_y in points[0].tolist():
        wanted |= (x - centre_x) ** 2 + (y - centre_y) ** 2 <= 9
    assert torch.equal(red, wanted)
    assert torch.equal(image[1], GREY[1])


def test_points_go_to_their_frames_and_off_points_nowhere():
    bad = [float("nan"), float("inf"), -5.0, 1e9]
    points = torch.tensor([[[10.0, 10.0]], [[70.0, 50.0]], *[[[value, 10.0]] for value in bad]])
    frame = torch.tensor([1, 0, 0, 0, 0, 0])
    image = draw_points(GREY, points, frame, RED, radius=2)
    red = [is_colour(picture, RED) for picture in image]
    assert red[1][10, 10]
    assert not red[1][50, 70]
    assert red[0][50, 70]
    assert red[0].sum() == red[1].sum() == 12


# --- lines ---


def test_a_line_covers_what_is_near_it():
    ends = torch.tensor([[[10.0, 12.0], [60.0, 41.5]]])
    image = draw_lines(GREY, ends, torch.tensor([1]), RED, width=4)
    red = is_colour(image[1], RED)
    y, x = torch.meshgrid(torch.arange(60) + 0.5, torch.arange(80) + 0.5, indexing="ij")
    pixels, (begin, end) = torch.stack([x, y], -1), ends[0]
    way = end - begin
    along = (((pixels - begin) @ way) / way.square().sum()).clamp(0, 1)
    distance = torch.linalg.vector_norm(pixels - begin - along[..., None] * way, dim=-1)
    assert red[distance < 1.99].all()
    assert not red[distance > 2.25].any()
    assert torch.equal(changed(image)[1], red)
    assert torch.equal(image[0], GREY[0])


def test_lines_bend_at_their_points():
    corners = torch.tensor([[[10.0, 10.0], [70.0, 10.0], [70.0, 50.0]]])
    bent = draw_lines(GREY, corners, torch.tensor([0]), RED, width=2)
    parts = torch.stack([corners[0, :2], corners[0, 1:]])
    assert torch.equal(bent, draw_lines(GREY, parts, torch.tensor([0, 0]), RED, width=2))
    for none in (corners[:0], corners[:, :1]):
        frame = torch.zeros(len(none), dtype=torch.int64)
        assert torch.equal(draw_lines(GREY, none, frame, RED), GREY)


def test_of_a_long_line_the_piece_in_the_picture_is_drawn():
    far = torch.tensor([[[-4e6 + 40, 30.5], [4e6 + 40, 30.5]]])
    wide = torch.tensor([[[-20.0, 30.5], [100.0, 30.5]]])
    image = draw_lines(GREY, far, torch.tensor([0]), RED, width=1)
    assert torch.equal(image, draw_lines(GREY, wide, torch.tensor([0]), RED, width=1))
    assert is_colour(image[0], RED)[30].all()


def test_lines_off_the_picture_and_to_nowhere_are_not_drawn():
    bad = [float("nan"), float("inf"), -float("inf")]
    ends = [[[90.0, 0], [90, 60]], [[-9, 9], [-1e9, 9]], *[[[9, 9], [value, 9]] for value in bad]]
    image = draw_lines(GREY, torch.tensor(ends), torch.zeros(5, dtype=torch.int64), RED, width=2)
    assert torch.equal(image, GREY)


# --- labels ---


def test_a_one_is_written_dot_by_dot():
    image = draw_labels(GREY, torch.tensor([[5.0, 7.0]]), torch.tensor([0]), [1], RED, scale=2)
    red = is_colour(image[0], RED)
    # Margin aside, the letter starts at the position; every dot is 2 x 2 pixels.
    dots = red[7 : 7 + 14 : 2, 5 : 5 + 10 : 2].int().tolist()
    assert dots == [
        [0, 0, 1, 0, 0],
        [0, 1, 1, 0, 0],
        [0, 0, 1, 0, 0],
        [0, 0, 1, 0, 0],
        [0, 0, 1, 0, 0],
        [0, 0, 1, 0, 0],
        [0, 1, 1, 1, 0],
    ]
    assert red.sum() == 4 * 10
    assert is_colour(image[0], (0.0, 0.0, 0.0)).sum() > 0


def test_letters_differ_and_numbers_are_texts():
    places = torch.tensor([[3.0, 3.0]])
    drawn = [
        draw_labels(GREY, places, torch.tensor([0]), [letter]) for letter in "0123456789.-#ACHIPTWY"
    ]
    for i, one in enumerate(drawn):
        assert all(not torch.equal(one, other) for other in drawn[:i])
    by_text = draw_labels(GREY, places, torch.tensor([0]), ["42"])
    assert torch.equal(draw_labels(GREY, places, torch.tensor([0]), [42]), by_text)
    assert torch.equal(draw_labels(GREY, places, torch.tensor([0]), torch.tensor([42])), by_text)


@pytest.mark.parametrize("place", [(-4.0, -3.0), (76.0, 57.0), (-4.0, 57.0)])
def test_a_clipped_label_is_a_piece_of_a_whole_one(place):
    wide = torch.full((1, 3, 100, 140), 0.5)
    whole = draw_labels(wide, torch.tensor([place]) + 20, torch.tensor([0]), ["8"], RED, scale=1)
    image = draw_labels(GREY, torch.tensor([place]), torch.tensor([0]), ["8"], RED, scale=1)
    assert torch.equal(image[0], whole[0, :, 20:80, 20:100])
    assert is_colour(image[0], RED).any()


def test_labels_off_the_picture():
    places = torch.tensor([[500.0, 5.0], [-400.0, 5.0], [5.0, -90.0], [float("nan"), 0.0]])
    image = draw_labels(GREY, places, torch.zeros(4, dtype=torch.int64), range(4))
    assert torch.equal(image, GREY)


# --- all ---


def test_default_sizes_follow_the_picture():
    small, large = torch.zeros(1, 3, 250, 300), torch.zeros(1, 3, 2000, 2400)
    for draw, item, more in (
        (draw_boxes, torch.tensor([[50.0, 50, 200, 200]]), ()),
        (draw_points, torch.tensor([[[100.0, 100.0]]]), ()),
        (draw_labels, torch.tensor([[100.0, 100.0]]), (["#1"],)),
    ):
        share = [
            draw(image, item * k, torch.tensor([0]), *more).amax(dim=1).gt(0).float().mean()
            for image, k in ((small, 1), (large, 8))
        ]
        assert share[1] > share[0] / 3
        assert share[0] > 0


def test_the_input_stays_and_nothing_draws_nothing():
    kept = GREY.clone()
    none = torch.zeros(0, dtype=torch.int64)
    draw_boxes(GREY, torch.tensor([[1.0, 1, 30, 30]]), torch.tensor([0]))
    draw_points(GREY, torch.tensor([[[9.0, 9.0]]]), torch.tensor([0]))
    draw_labels(GREY, torch.tensor([[9.0, 9.0]]), torch.tensor([0]), ["3"])
    assert torch.equal(GREY, kept)
    assert torch.equal(draw_boxes(GREY, torch.zeros(0, 4), none), GREY)
    assert torch.equal(draw_points(GREY, torch.zeros(0, 5, 2), none), GREY)
    assert torch.equal(draw_labels(GREY, torch.zeros(0, 2), none, []), GREY)


def test_errors_say_what_came():
    one = torch.tensor([0])
    with pytest.raises(ValueError, match=r"\[1, 5\] and \[1\]"):
        draw_boxes(GREY, torch.zeros(1, 5), one)
    with pytest.raises(ValueError, match=r"\[2, 7, 2\] and \[1\]"):
        draw_points(GREY, torch.zeros(2, 7, 2), one)
    with pytest.raises(ValueError, match=r"below 2 .*got \[2\]"):
        draw_points(GREY, torch.zeros(1, 7, 2), torch.tensor([2]))
    with pytest.raises(ValueError, match=r"\[3, 60, 80\]"):
        draw_boxes(GREY[0], torch.zeros(1, 4), one)
    with pytest.raises(ValueError, match="'face 1'"):
        draw_labels(GREY, torch.zeros(1, 2), one, ["face 1"])
    with pytest.raises(ValueError, match="1 positions, got 2"):
        draw_labels(GREY, torch.zeros(1, 2), one, ["1", "2"])
