from __future__ import annotations

import math

import pytest
import torch

from faceloom.ops.appearance_map import CORNERS, clamp_poses, fuse_poses, triangulate


def clip(count=400, seed=0):
    """Poses [N, 3] of a head that wanders."""
    random = torch.Generator().manual_seed(seed)
    steps = torch.randn(count, 3, generator=random).cumsum(0)
    return steps * torch.tensor([2.0, 1, 0.5])


def fuse_by_loop(poses, radius, sharpness=None):
    """The slow, obvious way."""
    plane = clamp_poses(poses)
    near = [[math.dist(a, b) <= radius for b in plane.tolist()] for a in plane.tolist()]
    rank = [sum(row) for row in near] if sharpness is None else sharpness.tolist()
    left, kept = set(range(len(plane))), []
    for row in sorted(range(len(plane)), key=lambda row: (-rank[row], row)):
        if row in left:
            kept.append(row)
            left -= {other for other in left if near[row][other]}
    return sorted(kept)


# --- clamping ---


def test_poses_beyond_the_map_come_to_its_edge():
    poses = torch.tensor([[10.0, -20, 99], [90, 3, 0], [-76, 80, 0]])
    wanted = torch.tensor([[10.0, -20], [75, 3], [-75, 75]]).double()
    torch.testing.assert_close(clamp_poses(poses), wanted, atol=0.02, rtol=0)
    assert clamp_poses(torch.zeros(0, 2)).shape == (0, 2)


@pytest.mark.parametrize("shape", [(3,), (2, 1), (2, 4), (1, 2, 2)])
def test_what_is_no_pose_is_refused(shape):
    with pytest.raises(ValueError, match=r"yaw and pitch \[N, 2 or 3\], got \["):
        clamp_poses(torch.zeros(shape))


def test_a_pose_that_is_not_finite_is_named():
    with pytest.raises(ValueError, match=r"Pose 1 is not finite: \[nan, 2.0\] degrees"):
        triangulate(torch.tensor([[0.0, 0], [math.nan, 2]]))


# --- fusing ---


@pytest.mark.parametrize("radius", [0.0, 1.0, 5.0])
def test_views_are_fused_as_by_the_loop(radius):
    poses = clip()
    poses[50:80] = poses[20:50]
    kept = fuse_poses(poses, radius)
    assert kept.tolist() == fuse_by_loop(poses, radius)
    sharp = torch.rand(len(poses), generator=torch.Generator().manual_seed(1)).round(decimals=1)
    assert fuse_poses(poses, radius, sharp).tolist() == fuse_by_loop(poses, radius, sharp)


def test_every_view_has_one_that_is_kept_nearby_and_kept_ones_are_apart():
    poses = clip(2000)
    kept = fuse_poses(poses, 2.0)
    distance = torch.cdist(clamp_poses(poses), clamp_poses(poses[kept]))
    assert distance.amin(1).max() <= 2
    assert distance[kept].fill_diagonal_(9).min() > 2
    assert 1 < len(kept) < 1000


def test_the_densest_or_the_sharpest_stays():
    # The middle one of three has two neighbours, the outer ones one each.
    poses = torch.tensor([[0.0, 0], [1.5, 0], [3, 0], [30, 30]])
    assert fuse_poses(poses, 2.0).tolist() == [1, 3]
    assert fuse_poses(poses, 2.0, torch.tensor([0.1, 0.2, 0.9, 0.0])).tolist() == [0, 2, 3]


def test_equal_poses_are_one_view_and_so_are_those_beyond_one_edge():
    assert fuse_poses(torch.tensor([[3.0, 4], [3, 4], [3, 4]]), 0.0).tolist() == [0]
    assert fuse_poses(torch.tensor([[80.0, 4], [90, 4], [3, 4]]), 0.0).tolist() == [0, 2]


def test_one_view_and_none():
    assert fuse_poses(torch.zeros(1, 3), 2.0).tolist() == [0]
    assert fuse_poses(torch.zeros(0, 3), 2.0).tolist() == []
    assert fuse_poses(torch.zeros(0, 3), 2.0, torch.zeros(0)).tolist() == []


@pytest.mark.parametrize("radius", [-1.0, math.nan, math.inf])
def test_a_radius_that_is_none_is_refused(radius):
    with pytest.raises(ValueError, match="radius must be finite and at least 0 degrees"):
        fuse_poses(torch.zeros(2, 2), radius)


def test_sharpness_of_other_views_is_refused():
    with pytest.raises(ValueError, match=r"Wanted sharpness \[2\], got \[3\]"):
        fuse_poses(torch.zeros(2, 2), 1.0, torch.zeros(3))


# --- triangles ---


def points_of(poses):
    return torch.cat([clamp_poses(poses), torch.tensor(CORNERS, dtype=torch.float64)])


def area_of(points, triangles):
    a, b, c = points[triangles].unbind(1)
    return ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]).abs() / 2


ANGLES = torch.linspace(0, 2 * math.pi, 33)[:-1]
GRID = torch.cartesian_prod(torch.arange(-80.0, 81, 10), torch.arange(-80.0, 81, 10))
DEGENERATE = {
    "one": torch.tensor([[0.0, 0]]),
    "one in a corner": torch.tensor([[90.0, 90]]),
    "all corners": torch.tensor(CORNERS),
    "line": torch.stack([torch.linspace(-90, 90, 40), torch.zeros(40)], 1),
    "diagonal": torch.linspace(-90, 90, 41)[:, None].repeat(1, 2),
    "edge": torch.stack([torch.full((40,), 90.0), torch.linspace(-80, 80, 40)], 1),
    "circle": 30 * torch.stack([ANGLES.cos(), ANGLES.sin()], 1),
    "grid": GRID,
    "clip": clip(),
}


@pytest.mark.parametrize("poses", DEGENERATE.values(), ids=DEGENERATE)
def test_triangles_tile_the_square_and_each_holds_a_view(poses):
    triangles, points = triangulate(poses), points_of(poses)
    assert area_of(points, triangles).sum().item() == pytest.approx(150**2)
    assert area_of(points, triangles).min() > 0
    assert (triangles < len(poses)).any(1).all()


def test_triangles_are_delaunay_s():
    # No point lies within the circle around a triangle.
    poses = clip(60)
    triangles, points = triangulate(poses), points_of(poses)
    a, b, c = points[triangles].unbind(1)
    system = 2 * torch.stack([b - a, c - a], 1)
    right = torch.stack([(b * b - a * a).sum(1), (c * c - a * a).sum(1)], 1)
    centre = torch.linalg.solve(system, right)
    radius = torch.linalg.vector_norm(centre - a, dim=1)
    assert (torch.cdist(centre, points) >= radius[:, None] * (1 - 1e-9)).all()


def test_no_view_leaves_the_square():
    assert triangulate(torch.zeros(0, 3)).sort(dim=1).values.unique().tolist() == [0, 1, 2, 3]
    assert len(triangulate(torch.zeros(0, 3))) == 2
