from __future__ import annotations

import math

import pytest
import torch

from faceloom.ops.appearance_map import CORNERS, clamp_poses, fuse_poses, triangulate
from faceloom.ops.view_interpolation import (
    barycentric,
    drop_boundary,
    sum_passes,
    view_passes,
    view_weights,
)

TRIANGLE = torch.tensor([[0.0, 0], [30, 0], [0, 20]]).double()
QUERY = torch.tensor([[10.0, 5]]).double()


def made_up_map(count=300, seed=0):
    """Views [V, 2] of a head that wandered, none within 2 degrees of another."""
    random = torch.Generator().manual_seed(seed)
    poses = torch.randn(count, 2, generator=random) * torch.tensor([20.0, 10])
    return poses[fuse_poses(poses, 2.0)]


def weight_of_each(poses, query):
    """Weights [Q, V] of all views."""
    views, weights = view_weights(poses, query)
    return torch.zeros(len(query), len(poses)).scatter_add_(1, views, weights)


def weights_by_loop(poses, query):
    """The slow, obvious way: the triangle with no negative share, solved for one by one."""
    triangles, count = triangulate(poses), len(poses)
    points = torch.cat([clamp_poses(poses), torch.tensor(CORNERS).double()])
    found = torch.zeros(len(query), count + 4)
    for row, place in enumerate(clamp_poses(query)):
        best = -math.inf
        for corners in triangles:
            system = torch.cat([points[corners].T, torch.ones(1, 3).double()])
            shares = torch.linalg.solve(system, torch.cat([place, torch.ones(1).double()]))
            if shares.min() > best:
                best, inside, mine = shares.min(), corners, shares
        found[row, inside] = mine.float()
    kept = found[:, :count].clamp(min=0)
    return kept / kept.sum(1, keepdim=True)


# --- weights ---


def test_barycentric_weights_of_the_oracle():
    shares = barycentric(TRIANGLE[None], QUERY)
    wanted = torch.tensor([[5 / 12, 1 / 3, 1 / 4]]).double()
    torch.testing.assert_close(shares, wanted)
    without = drop_boundary(shares, torch.tensor([[False, False, True]]))
    torch.testing.assert_close(without, torch.tensor([[5 / 9, 4 / 9, 0]]).double())


def test_the_oracle_s_triangle_as_a_map():
    views, weights = view_weights(TRIANGLE.float(), QUERY.float())
    assert views.tolist() == [[0, 1, 2]]
    torch.testing.assert_close(weights, torch.tensor([[5 / 12, 1 / 3, 1 / 4]]))


def test_shares_are_those_of_areas():
    random = torch.Generator().manual_seed(0)
    triangle, query = torch.randn(50, 3, 2, generator=random), torch.randn(50, 2, generator=random)
    shares = barycentric(triangle, query)
    torch.testing.assert_close(shares.sum(1), torch.ones(50))
    back = (shares[:, :, None] * triangle).sum(1)
    torch.testing.assert_close(back, query, atol=1e-3, rtol=1e-3)


def test_weights_are_the_loop_s():
    poses = made_up_map(40)
    random = torch.Generator().manual_seed(1)
    query = (torch.rand(80, 2, generator=random) - 0.5) * 200
    wanted = weights_by_loop(poses, query)
    torch.testing.assert_close(weight_of_each(poses, query), wanted, atol=1e-5, rtol=0)


def test_weights_sum_to_one_and_are_sorted():
    poses = made_up_map()
    random = torch.Generator().manual_seed(2)
    query = (torch.rand(5000, 3, generator=random) - 0.5) * 200
    views, weights = view_weights(poses, query)
    assert views.shape == weights.shape == (5000, 3)
    torch.testing.assert_close(weights.sum(1), torch.ones(5000))
    assert (weights >= 0).all()
    assert (weights.diff(dim=1) <= 0).all()
    assert (views >= 0).all()
    assert (views < len(poses)).all()
    idle = weights == 0
    assert torch.equal(views[idle], views[:, :1].expand(-1, 3)[idle])


def test_among_views_the_weighted_pose_is_the_target_s():
    poses = made_up_map()
    query = torch.tensor([[0.0, 0], [5, -3], [-10.5, 4.5]])
    mixed = weight_of_each(poses, query) @ poses
    torch.testing.assert_close(mixed, query, atol=1e-4, rtol=0)


def test_a_view_s_own_pose_is_that_view_alone():
    poses = made_up_map()
    views, weights = view_weights(poses, poses)
    assert torch.equal(views[:, 0], torch.arange(len(poses)))
    assert torch.equal(weights, torch.tensor([1.0, 0, 0]).expand(len(poses), 3))


def test_views_beyond_the_map_and_targets_there():
    poses = torch.tensor([[0.0, 0], [90, 0], [80, 80]])
    views, weights = view_weights(
        poses, torch.tensor([[75.0, 0], [1e6, 3e5], [-99, -99], [75, 75]])
    )
    assert views[:, 0].tolist() == [1, 2, 0, 2]
    assert (weights[:, 0] > 0.99).all()


@pytest.mark.parametrize("pose", [(0.0, 0.0), (75.0, 75.0), (-90.0, 3.0)])
def test_one_view_takes_all_the_weight(pose):
    random = torch.Generator().manual_seed(3)
    corners = torch.tensor(CORNERS)
    edge = torch.tensor([[75.0, 10], [-75, 0], [0, 75]])
    query = torch.cat([corners, edge, (torch.rand(50, 2, generator=random) - 0.5) * 200])
    views, weights = view_weights(torch.tensor([pose]), query)
    assert not views.any()
    assert torch.equal(weights, torch.tensor([1.0, 0, 0]).expand(len(query), 3))


def test_equal_views_share_no_weight():
    views, weights = view_weights(torch.tensor([[3.0, 4], [3, 4]]), torch.tensor([[0.0, 0]]))
    assert weights.tolist() == [[1, 0, 0]]
    assert views.unique().numel() == 1


def test_no_target_and_no_view():
    views, weights = view_weights(made_up_map(), torch.zeros(0, 3))
    assert views.shape == weights.shape == (0, 3)
    views, _ = view_weights(torch.zeros(0, 2), torch.zeros(0, 2))
    assert views.shape == (0, 3)
    with pytest.raises(ValueError, match="An empty appearance map has no view for 2 poses"):
        view_weights(torch.zeros(0, 2), torch.zeros(2, 2))


def test_the_order_of_targets_does_not_matter():
    poses = made_up_map()
    query = (torch.rand(500, 2, generator=torch.Generator().manual_seed(4)) - 0.5) * 100
    whole = weight_of_each(poses, query)
    torch.testing.assert_close(weight_of_each(poses, query.flip(0)).flip(0), whole)


# --- continuity ---


def altitudes(poses):
    """The smallest altitude of each triangle [T], in degrees."""
    points = torch.cat([clamp_poses(poses), torch.tensor(CORNERS).double()])
    a, b, c = points[triangulate(poses)].unbind(1)
    sides = torch.stack(
        [torch.linalg.vector_norm(p - q, dim=1) for p, q in ((a, b), (b, c), (c, a))]
    )
    area = ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]).abs()
    return area / sides.amax(0)


def passed(poses, path):
    """Triangle of each place [Q], and the views' part of its shares [Q]."""
    points = torch.cat([clamp_poses(poses), torch.tensor(CORNERS).double()])
    triangles = triangulate(poses)
    place = clamp_poses(path)
    shares = torch.stack(
        [barycentric(points[row].expand(len(path), 3, 2), place) for row in triangles], 1
    )
    row = shares.amin(2).argmax(1)
    mine = shares[torch.arange(len(path)), row]
    return row, (mine * (triangles[row] < len(poses))).sum(1)


@pytest.mark.parametrize("reach", [(15.0, 8.0), (40.0, 25.0), (74.0, 40.0)])
@pytest.mark.parametrize("seed", range(2))
def test_weights_change_by_no_more_than_the_step_times_the_constant(reach, seed):
    # A Lissajous figure: among the views, around them, and out to the edge.
    poses = made_up_map(seed=seed)
    turn = torch.linspace(0, 2 * math.pi, 8001).double()
    path = torch.stack([reach[0] * (3 * turn).sin(), reach[1] * (2 * turn + 1).sin()], 1)
    weights = weight_of_each(poses, path).double()
    change = weights.diff(dim=0).abs().amax(1)
    step = torch.linalg.vector_norm(path.diff(dim=0), dim=1)
    row, remainder = passed(poses, path)
    steepness = 1 / (altitudes(poses)[row] * remainder)
    # A step's triangles are those of its ends: it is too short to pass a third one unseen, but
    # for slivers, which the largest constant nearby covers.
    nearby = torch.nn.functional.max_pool1d(steepness[None, None], 5, 1, 2)[0, 0]
    bound = step * torch.maximum(nearby[1:], nearby[:-1]) * 1.01 + 1e-5
    assert (change <= bound).all()
    # And the bound says something: most steps change weights, and none jumps.
    assert change.max() < 0.3
    assert change.max() > 1e-3


def test_the_step_over_the_edge_of_a_boundary_triangle_is_small():
    poses = torch.tensor([[0.0, 0], [30, 0], [0, 20]])
    # Between the views and the corner at (75, 75), from one triangle into the next.
    path = torch.stack([torch.linspace(15, 60, 4001), torch.linspace(60, 5, 4001)], 1)
    assert weight_of_each(poses, path).diff(dim=0).abs().max() < 2e-3


# --- passes ---


def test_passes_are_the_pairs_with_weight_each_once():
    views = torch.tensor([[4, 2, 2], [1, 1, 1], [0, 3, 0], [2, 2, 4]])
    weights = torch.tensor([[0.5, 0.3, 0.2], [1.0, 0, 0], [0.6, 0.4, 0], [0.0, 0.25, 0.75]])
    passes = view_passes(views, weights)
    pairs = list(zip(passes.target.tolist(), passes.view.tolist(), strict=True))
    assert pairs == [(0, 2), (0, 4), (1, 1), (2, 0), (2, 3), (3, 2), (3, 4)]
    torch.testing.assert_close(passes.weight, torch.tensor([0.5, 0.5, 1, 0.6, 0.4, 0.25, 0.75]))


def test_sums_are_those_of_the_loop():
    poses = made_up_map()
    query = torch.tensor([[0.0, 0], [5, 5], [-60, 0], [70, -70], [3, 1]])
    views, weights = view_weights(poses, query)
    passes = view_passes(views, weights)
    assert len(passes.target) == int((weights > 0).sum()) < 15
    shown = torch.rand(len(poses), 5, 3, 4, 4, generator=torch.Generator().manual_seed(5))
    summed = sum_passes(shown[passes.view, passes.target], passes, 5)
    for row in range(5):
        wanted = sum(
            weight * shown[view, row]
            for view, weight in zip(views[row].tolist(), weights[row].tolist(), strict=True)
        )
        torch.testing.assert_close(summed[row], wanted)


def test_half_precision_results_and_masks_are_summed():
    passes = view_passes(torch.tensor([[0, 1]]), torch.tensor([[0.25, 0.75]]))
    masks = torch.tensor([0.0, 1.0]).half().view(2, 1, 1, 1)
    summed = sum_passes(masks, passes, 1)
    assert summed.dtype is torch.float16
    assert summed.item() == 0.75


def test_no_target_has_no_pass():
    passes = view_passes(torch.zeros(0, 3, dtype=torch.int64), torch.zeros(0, 3))
    assert [len(part) for part in passes] == [0, 0, 0]
    assert sum_passes(torch.zeros(0, 3, 8, 8), passes, 0).shape == (0, 3, 8, 8)


def test_weights_of_other_views_are_refused():
    with pytest.raises(ValueError, match=r"one shape \[N, K\], got \[2, 3\] and \[2, 2\]"):
        view_passes(torch.zeros(2, 3, dtype=torch.int64), torch.zeros(2, 2))
