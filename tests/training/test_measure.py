from __future__ import annotations

import pytest
import torch

from faceloom.ops.geometry import transform_points
from faceloom.training.measure import copies, make_copy, turn

SIZE = 64


@pytest.mark.parametrize("name", copies(SIZE))
def test_a_point_of_a_copy_is_where_its_matrix_says(name):
    picture = torch.zeros(2, 3, SIZE, SIZE, dtype=torch.uint8)
    picture[:, :, 20:28, 36:44] = 255  # about (40, 24)
    matrix = copies(SIZE)[name]
    copy = make_copy(picture, matrix)
    across = torch.arange(copy.shape[-1]) + 0.5
    weight = copy[1, 0] / copy[1, 0].sum()
    middle = torch.stack([(weight.sum(0) * across).sum(), (weight.sum(1) * across).sum()])
    wanted = transform_points(matrix[None], torch.tensor([[[40.0, 24]]]))[0, 0]
    torch.testing.assert_close(middle, wanted, atol=0.05, rtol=0)


def test_the_upright_copy_is_the_picture_itself():
    picture = torch.randint(0, 256, (1, 3, SIZE, SIZE), dtype=torch.uint8)
    assert torch.equal(make_copy(picture, copies(SIZE)["upright"]), picture.float() / 255)


@pytest.mark.parametrize("degrees", range(5, 360, 5))
def test_a_turned_copy_keeps_its_size_and_is_turned(degrees):
    # Rounding leaves the determinant of some turns a little below one.
    picture = torch.zeros(1, 3, SIZE, SIZE, dtype=torch.uint8)
    picture[:, :, 30:34, 48:56] = 255  # to the right of the middle
    copy = make_copy(picture, turn(degrees, SIZE))
    assert copy.shape == picture.shape
    angle = torch.tensor(float(degrees)).deg2rad()
    x, y = (SIZE / 2 + 20 * part for part in (angle.cos().item(), angle.sin().item()))
    assert copy[0, 0, int(y), int(x)] > 0.9
