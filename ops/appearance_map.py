"""FSGAN's appearance map: the views of a face, spread over the plane of yaw and pitch.

Views are triangulated together with four boundary points, the corners of the square that reaches
from -75 to 75 degrees both ways. Poses beyond it are moved to its edge.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

REACH = 75.0
"""Degrees of yaw and of pitch at which the map ends."""
CORNERS = ((-REACH, -REACH), (REACH, -REACH), (-REACH, REACH), (REACH, REACH))
"""Yaw and pitch of the boundary points, vertices V to V + 3 of a map of V views."""

# How far poses stay off the edge: on it the shares of all views may be 0, and they would be divided
# by their sum.
_INSET = 0.01


def clamp_poses(poses: Tensor) -> Tensor:
    """Move poses into the map, to a hair inside its edge.

    Args:
        poses: [N, 2 or 3] yaw, pitch and perhaps roll in degrees.

    Returns:
        [N, 2] yaw and pitch, float64 on the CPU.

    Raises:
        ValueError: another shape, or a pose that is not finite.
    """
    if poses.ndim != 2 or poses.shape[1] not in (2, 3):
        raise ValueError(f"Poses must be yaw and pitch [N, 2 or 3], got {list(poses.shape)}.")
    plane = poses[:, :2].detach().double().cpu()
    if not plane.isfinite().all():
        row = int((~plane.isfinite()).any(1).nonzero()[0])
        raise ValueError(f"Pose {row} is not finite: {plane[row].tolist()} degrees.")
    return plane.clamp(_INSET - REACH, REACH - _INSET)


def fuse_poses(poses: Tensor, radius: float, sharpness: Tensor | None = None) -> Tensor:
    """Choose one view of each bunch of views that are almost alike.

    Views are visited one by one; each that is left is kept, and its neighbours are dropped. Every
    view then has a kept one within the radius, and kept ones lie further apart than that. Those
    with most neighbours come first, as in FSGAN's code, or the sharpest, as in the paper; of equals
    the first.

    Args:
        poses: [N, 2 or 3] yaw, pitch and perhaps roll in degrees.
        radius: how far neighbours lie apart at most, in degrees; 0 fuses equal poses alone.
        sharpness: [N] numbers that grow with it, or none for the densest.

    Returns:
        [V] int64 on the CPU: the kept rows, ascending.

    Raises:
        ValueError: a wrong shape, or a pose or radius that is not finite, or a negative radius.
    """
    from scipy.spatial import cKDTree

    plane = clamp_poses(poses).numpy()
    if not 0 <= radius < np.inf:
        raise ValueError(f"radius must be finite and at least 0 degrees, got {radius}.")
    if sharpness is not None and sharpness.shape != (len(plane),):
        raise ValueError(f"Wanted sharpness [{len(plane)}], got {list(sharpness.shape)}.")
    if not len(plane):
        return torch.zeros(0, dtype=torch.int64)
    tree = cKDTree(plane)
    if sharpness is None:
        rank = torch.from_numpy(tree.query_ball_point(plane, radius, return_length=True))
    else:
        rank = sharpness.detach().cpu()
    left = np.ones(len(plane), dtype=bool)
    kept = []
    for row in torch.argsort(rank, descending=True, stable=True).tolist():
        if left[row]:
            left[tree.query_ball_point(plane[row], radius)] = False
            kept.append(row)
    return torch.tensor(sorted(kept))


def triangulate(poses: Tensor) -> Tensor:
    """Triangulate views and boundary points (Delaunay).

    Args:
        poses: [V, 2 or 3] yaw, pitch and perhaps roll in degrees. Of equal ones the map knows one.

    Returns:
        [T, 3] int64 on the CPU: rows of `poses`, or V + k for the boundary point `CORNERS[k]`.

    Raises:
        ValueError: a wrong shape, or a pose that is not finite.
    """
    return delaunay(map_points(poses))[0]


def map_points(poses: Tensor) -> Tensor:
    """Vertices of the map: V views [V, 2 or 3] -> [V + 4, 2] float64, the boundary points last."""
    return torch.cat([clamp_poses(poses), torch.tensor(CORNERS, dtype=torch.float64)])


def delaunay(points: Tensor) -> tuple[Tensor, Tensor]:
    """Triangulate points [P, 2].

    Returns:
        [T, 3] int64 rows of `points`, and [T, 3] int64 the triangles beyond the edges opposite to
        them, or -1.
    """
    from scipy.spatial import Delaunay  # here: SciPy would double the time of ComfyUI's start

    mesh = Delaunay(points.numpy())
    return torch.from_numpy(mesh.simplices).long(), torch.from_numpy(mesh.neighbors).long()
