from __future__ import annotations

import pytest
import torch

from faceloom.ops.appearance_picture import SIZE, draw_appearance_map

NO_PATH = torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64)
YELLOW, GREY, RED = (1, 0.82, 0.2), (0.5, 0.53, 0.58), (1, 0.35, 0.45)
EDGE, DEGREE = 64, (SIZE - 128) / 150


def pixel(yaw, pitch):
    """Row and column of a pose in the picture: yaw to the right, pitch upwards."""
    return round(SIZE / 2 - pitch * DEGREE), round(SIZE / 2 + yaw * DEGREE)


def draw(poses, kept, path=NO_PATH, shade=0.3):
    images = torch.full((len(kept), 3, 16, 16), shade)
    return draw_appearance_map(poses, torch.tensor(kept).long(), images, *path)[0]


def shows(picture, colour, place, reach=2):
    """Whether a colour is seen around a place."""
    row, column = place
    part = picture[:, row - reach : row + reach + 1, column - reach : column + reach + 1]
    return bool(((part - torch.tensor(colour)[:, None, None]).abs().amax(0) < 0.1).any())


def test_views_lie_where_their_poses_are():
    poses = torch.tensor([[40.0, 20, 5], [-30, -10, 0], [41, 20, 0]])
    picture = draw(poses, [0, 1])
    assert picture.shape == (3, SIZE, SIZE)
    assert 0 <= picture.min() <= picture.max() <= 1
    assert shows(picture, YELLOW, pixel(40, 20))
    assert shows(picture, YELLOW, pixel(-30, -10))
    assert not shows(picture, YELLOW, pixel(-40, 20))
    # the dropped one
    assert shows(picture, GREY, pixel(41, 20))
    assert not shows(picture, YELLOW, pixel(41, 20), reach=1)


def test_edges_between_views_differ_from_those_to_the_boundary():
    poses = torch.tensor([[-50.0, 0], [50, 0], [0, 50]])
    picture = draw(poses, [0, 1, 2])
    # Thin lines mix with the paper: how much bluer than red, and how bright they are.
    for place, blue in ((pixel(-25, 25), True), (pixel(25, 25), True), (pixel(62.5, -37.5), False)):
        row, column = place
        part = picture[:, row - 3 : row + 4, column - 3 : column + 4]
        assert ((part[2] - part[0]).max() > 0.3) == blue
        assert part[0].max() > 0.2


def test_faces_are_shown_beneath():
    row, column = pixel(0, 0)
    part = draw(torch.zeros(1, 3), [0], shade=0.8)[:, row - 30 : row - 15, column - 8 : column + 8]
    assert (part - 0.8).abs().max() < 0.01


def test_the_way_of_the_targets_is_joined_within_each_run():
    path = torch.tensor([[20.0, 20], [50, 20], [20, -40], [50, -40], [50, -60]])
    picture = draw(torch.zeros(1, 3), [0], (path, torch.tensor([0, 0, 1, 1, 1])))
    assert shows(picture, RED, pixel(35, 20))
    assert shows(picture, RED, pixel(35, -40))
    assert not shows(picture, RED, pixel(35, -10))
    # The first of a run is larger than the next.
    row, column = pixel(20, 20)
    assert shows(picture, RED, (row - 4, column), reach=0)
    row, column = pixel(50, 20)
    assert not shows(picture, RED, (row - 4, column), reach=0)


def test_poses_beyond_the_map_show_at_its_edge():
    picture = draw(torch.tensor([[120.0, 5]]), [0], (torch.tensor([[-99.0, -99]]), torch.zeros(1)))
    assert shows(picture, YELLOW, pixel(75, 5))
    assert shows(picture, RED, pixel(-75, -75))


@pytest.mark.parametrize("count", [0, 1])
def test_few_views_make_a_picture(count):
    picture = draw(torch.zeros(count, 3), list(range(count)))
    assert picture.isfinite().all()
    assert shows(picture, YELLOW, pixel(0, 0)) == bool(count)
