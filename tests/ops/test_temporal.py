from __future__ import annotations

import pytest
import torch

from faceloom.ops.temporal import smooth_runs, split_runs


def smooth_slowly(values, run, reach):
    """GHOST's smoothing of each run, an item at a time."""
    smoothed = values.clone()
    for number in set(run.tolist()):
        rows = (run == number).nonzero()[:, 0].tolist()
        for place, row in enumerate(rows):
            side = min(place, len(rows) - 1 - place, reach)
            smoothed[row] = values[rows[place - side : place + side + 1]].mean(0)
    return smoothed


def test_ghost_s_smoothing_of_five_scalars():
    # smooth_landmarks of ai-forever/ghost with n=2 gives [0, 1, 3.2, 5, 10].
    values, run = torch.tensor([0.0, 1, 2, 3, 10]), torch.zeros(5, dtype=torch.int64)
    torch.testing.assert_close(smooth_runs(values, run, 2), torch.tensor([0.0, 1, 3.2, 5, 10]))


@pytest.mark.parametrize("reach", [0, 1, 2, 5, 30])
@pytest.mark.parametrize("shape", [(), (4,), (5, 2)])
def test_smoothing_is_the_slow_one(reach, shape):
    random = torch.Generator().manual_seed(0)
    run = torch.tensor([0] * 7 + [3] + [1] * 4 + [2] * 12)
    values = 1000 * torch.rand(len(run), *shape, generator=random)
    torch.testing.assert_close(smooth_runs(values, run, reach), smooth_slowly(values, run, reach))


def test_runs_keep_to_themselves():
    values = torch.tensor([0.0, 1, 2, torch.nan, torch.inf, torch.nan])
    smoothed = smooth_runs(values, torch.tensor([0, 0, 0, 1, 1, 1]), 2)
    assert smoothed[:3].tolist() == [0, 1, 2]


def test_what_stands_alone_is_unchanged():
    values = torch.rand(6, 3)
    assert torch.equal(smooth_runs(values, torch.arange(6), 2), values)
    assert torch.equal(smooth_runs(values, torch.zeros(6), 0), values)
    assert smooth_runs(values[:0], torch.zeros(0), 2).shape == (0, 3)


def test_even_motion_stays_as_it_is():
    values = torch.arange(20.0)[:, None] * torch.tensor([3.0, -2.0]) + 500
    torch.testing.assert_close(smooth_runs(values, torch.zeros(20), 4), values)


@pytest.mark.parametrize(("runs", "reach"), [(3, 2), (5, -1)])
def test_what_does_not_fit_is_named(runs, reach):
    with pytest.raises(ValueError, match="smooth_runs wants a run for each of 5 values"):
        smooth_runs(torch.zeros(5), torch.zeros(runs), reach)


def test_runs_are_cut_where_any_point_jumps():
    run = torch.tensor([4, 4, 4, 4, 7, 7])
    points = torch.zeros(6, 2, 2)
    points[2:, 0] += torch.tensor([3.0, 4.0])  # 5 px: not over the limit
    points[3:, 1] += torch.tensor([5.1, 0.0])
    assert split_runs(run, points, torch.full((6,), 5.0)).tolist() == [0, 0, 0, 1, 2, 2]
    assert split_runs(run, points, torch.full((6,), 4.9)).tolist() == [0, 0, 1, 2, 3, 3]
    limit = torch.tensor([5.0, 5, 5, 6, 5, 5])
    assert split_runs(run, points, limit).tolist() == [0, 0, 0, 0, 1, 1]


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_to_cut(count):
    found = split_runs(torch.zeros(count), torch.zeros(count, 2, 2), torch.zeros(count))
    assert found.tolist() == [0] * count
