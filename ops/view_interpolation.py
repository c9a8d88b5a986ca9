"""FSGAN's view interpolation: up to three views of a face, mixed for the pose of each target."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .appearance_map import CORNERS, clamp_poses, delaunay, map_points

# Shares below this are rounding noise of a pose on an edge or a vertex, and not worth a pass.
_NOISE = 1e-6


class ViewPasses(NamedTuple):
    """The P pairs of a target and a view whose reenactments are summed, by target and view."""

    target: Tensor
    """[P] int64 row of the target."""
    view: Tensor
    """[P] int64 row of the view."""
    weight: Tensor
    """[P] above 0; those of one target sum to 1."""


def view_weights(poses: Tensor, query: Tensor) -> tuple[Tensor, Tensor]:
    """Find the views around each pose, and how much of each to take.

    The pose's barycentric weights in its triangle of the appearance map, without the boundary
    points' shares, divided by what remains. Poses beyond the map are moved to its edge. A map of
    one view gives it all of the weight.

    Weights are continuous. On a path of d degrees each changes by d / (h * r) at most: h is the
    smallest altitude of the triangles passed, and r the smallest remainder, which is 1 among the
    views and vanishes at the four boundary points alone. Measured on a clip, views 2 degrees apart:
    0.35 a degree in the median, 99 % under 0.7 (`bench.views`); up to 7 in thin triangles at the
    rim of a short clip's views.

    Args:
        poses: [V, 2 or 3] yaw, pitch and perhaps roll of the views in degrees.
        query: [Q, 2 or 3] the same of the targets.

    Returns:
        Views [Q, 3] int64, rows of `poses`, and their weights [Q, 3] float32, which sum to 1; the
        largest comes first. Where a weight is 0, the view is that of the first weight. Both are on
        the device of `query`.

    Raises:
        ValueError: no view for some queries, a wrong shape, or a pose that is not finite.
    """
    points, wanted = map_points(poses), clamp_poses(query)
    count = len(points) - len(CORNERS)
    if not count and len(wanted):
        raise ValueError(f"An empty appearance map has no view for {len(wanted)} poses.")
    vertex, shares = _locate(points, wanted)
    weight, order = drop_boundary(shares, vertex >= count).sort(dim=1, descending=True)
    view = vertex.gather(1, order)
    view = torch.where(weight > 0, view, view[:, :1])
    return view.to(query.device), weight.float().to(query.device)


def barycentric(triangle: Tensor, query: Tensor) -> Tensor:
    """Barycentric coordinates of points: each corner's share, negative beyond the opposite edge.

    Args:
        triangle: [Q, 3, 2] corners, not all on one line.
        query: [Q, 2] a point for each triangle.

    Returns:
        [Q, 3], which sum to 1.
    """
    first, second, third = triangle.unbind(1)
    one, other, way = first - third, second - third, query - third
    whole = _cross(one, other)
    shares = [_cross(way, other) / whole, _cross(one, way) / whole]
    return torch.stack([*shares, 1 - shares[0] - shares[1]], 1)


def drop_boundary(shares: Tensor, boundary: Tensor) -> Tensor:
    """Give the boundary's shares to the views, in proportion to theirs.

    Args:
        shares: [Q, 3] barycentric coordinates; what is negative by rounding counts as 0.
        boundary: [Q, 3] bool: which corners are boundary points, never all three.

    Returns:
        [Q, 3] weights in 0..1 that sum to 1.
    """
    kept = shares.clamp(min=0).masked_fill(boundary, 0)
    kept = kept / kept.sum(1, keepdim=True)
    kept = kept.masked_fill(kept < _NOISE, 0)
    return kept / kept.sum(1, keepdim=True)


def view_passes(views: Tensor, weights: Tensor) -> ViewPasses:
    """List the reenactments to make: each pair of a target and a view once, none of weight 0.

    Args:
        views: [N, K] int64, the views of each target.
        weights: [N, K], at least 0.

    Returns:
        At most N * K passes, targets in their order.

    Raises:
        ValueError: the shapes differ.
    """
    if views.ndim != 2 or views.shape != weights.shape:
        raise ValueError(
            f"Wanted views and weights of one shape [N, K], got {list(views.shape)} and "
            f"{list(weights.shape)}."
        )
    target, place = (weights > 0).nonzero(as_tuple=True)
    stride = int(views.max()) + 1 if views.numel() else 1
    # One number for each pair: MPS knows unique numbers, but not unique rows.
    pair = target * stride + views[target, place]
    unique, number = torch.unique(pair, return_inverse=True)
    total = weights.new_zeros(len(unique)).index_add(0, number, weights[target, place])
    return ViewPasses(unique // stride, unique % stride, total)


def sum_passes(results: Tensor, passes: ViewPasses, targets: int) -> Tensor:
    """Sum the results of passes, times their weights, for each target.

    Args:
        results: [P, ...] pictures or masks [P, C, S, S], one for each pass.
        passes: as `view_passes` listed them.
        targets: N, how many targets there are.

    Returns:
        [N, ...]; 0 for targets without a pass.
    """
    weight = passes.weight.to(results).view(-1, *[1] * (results.ndim - 1))
    total = results.new_zeros(targets, *results.shape[1:])
    return total.index_add_(0, passes.target.to(results.device), results * weight)


def _locate(points: Tensor, query: Tensor) -> tuple[Tensor, Tensor]:
    """Find the triangle around each of Q poses: its vertices [Q, 3] and the pose's shares [Q, 3].

    From the triangle with the nearest centre each pose goes on through the edge that it lies
    furthest beyond, all poses at once. In a Delaunay triangulation that leads home without circles
    (De Floriani et al., 1991). SciPy's own search inverts a matrix for each triangle first, which
    takes longer than all of this.
    """
    from scipy.spatial import cKDTree

    triangles, neighbours = delaunay(points)
    corners = points[triangles]
    row = torch.from_numpy(cKDTree(corners.mean(1).numpy()).query(query.numpy())[1])
    shares = barycentric(corners.index_select(0, row), query)
    lost = (shares.amin(1) < -_NOISE).nonzero()[:, 0]
    # index_select and index_copy_ work alone: brackets wake all threads each time, for so little.
    for _ in range(len(triangles)):  # rounding could make circles around edges
        if not len(lost):
            break
        edge = shares.index_select(0, lost).argmin(1, keepdim=True)
        onward = neighbours.index_select(0, row.index_select(0, lost)).gather(1, edge)[:, 0]
        mine = barycentric(corners.index_select(0, onward), query.index_select(0, lost))
        row.index_copy_(0, lost, onward)
        shares.index_copy_(0, lost, mine)
        lost = lost.masked_select(mine.amin(1) < -_NOISE)
    return triangles.index_select(0, row), shares


def _cross(one: Tensor, other: Tensor) -> Tensor:
    return one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]
