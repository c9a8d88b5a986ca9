"""Smoothing along time: what follows a face through successive frames."""

from __future__ import annotations

import torch
from torch import Tensor


def smooth_runs(values: Tensor, run: Tensor, reach: int) -> Tensor:
    """Replace each value by the mean of its neighbours in time, both sides alike.

    GHOST's smoothing (`smooth_landmarks` in its `video_processing.py`): the window has `reach`
    frames on each side, and fewer where the run begins or ends, so that nothing lags behind.

    Args:
        values: [N, ...] float; rows of one run lie together, in order of time.
        run: [N] int, the same number for all rows of a run.
        reach: frames on each side, at least 0; 0 changes nothing.

    Returns:
        The shape of `values`.

    Raises:
        ValueError: `run` is not [N], or `reach` is negative.
    """
    if run.shape != values.shape[:1] or reach < 0:
        raise ValueError(
            f"smooth_runs wants a run for each of {len(values)} values and a reach of at least 0, "
            f"got runs {list(run.shape)} and reach {reach}."
        )
    _, number, length = torch.unique_consecutive(run, return_inverse=True, return_counts=True)
    place = torch.arange(len(run), device=run.device) - (length.cumsum(0) - length)[number]
    side = torch.minimum(place, length[number] - 1 - place).clamp(max=reach)
    side = side.reshape(-1, *[1] * (values.ndim - 1))
    total = values
    for step in range(1, reach + 1):
        pair = values.roll(step, 0) + values.roll(-step, 0)
        total = torch.where(side >= step, total + pair, total)
    return total / (2 * side + 1)


def split_runs(run: Tensor, points: Tensor, limit: Tensor) -> Tensor:
    """Cut runs where a point jumps.

    Args:
        run: [N] int; rows of one run lie together, in order of time.
        points: [N, P, 2] float, the points to watch.
        limit: [N] float, the longest way that a point may go from the row before.

    Returns:
        [N] int64 numbers of the shorter runs, from 0.
    """
    way = torch.linalg.vector_norm(points[1:] - points[:-1], dim=-1).amax(1)
    begins = (run[1:] != run[:-1]) | (way > limit[1:])
    return torch.cat([begins.new_zeros(min(1, len(run))), begins]).cumsum(0)
