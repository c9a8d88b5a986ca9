"""View interpolation's weights against one look-up for each target, and how steep they are."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import torch
from scipy.spatial import Delaunay
from torch import Tensor

from ..ops.appearance_map import CORNERS, clamp_poses, fuse_poses
from ..ops.view_interpolation import view_weights
from .timing import THREADS, median_ms, use_threads

VIEWS = 2_000
TARGETS = 10_000
FINE = 100  # steps between two frames, in which a change is measured


def main() -> None:
    """Print times, their ratio, the largest difference, and how fast weights change."""
    use_threads()
    poses, anywhere = scattered(VIEWS, 60, seed=0), scattered(TARGETS, 75, seed=1)
    print(f"weights of {TARGETS} poses in a map of {VIEWS} views, {THREADS} threads")
    for name, query in (("anywhere", anywhere), ("of a clip", wander(TARGETS, seed=2))):
        ours = partial(view_weights, poses, query)
        theirs = partial(weights_by_loop, poses, query)
        ours_ms, theirs_ms = median_ms(ours, theirs, rounds=5, warm_up=1)
        difference = (weight_of_each(*ours(), VIEWS) - weight_of_each(*theirs(), VIEWS)).abs().max()
        print(
            f"  {name:9} faceloom {ours_ms:6.1f} ms   one by one {theirs_ms:7.1f} ms   "
            f"ratio {theirs_ms / ours_ms:4.1f}x   largest difference {difference:.0e}"
        )
    clip = wander(3_000, seed=3)
    views = clip[fuse_poses(clip, 2.0)]
    median, most, largest = steepness(views, wander(500, seed=4))
    print(
        f"  along a clip, {len(views)} views 2 degrees apart, a weight changes by "
        f"{median:.2f} a degree (median), 99 % by less than {most:.2f}, at most {largest:.1f}"
    )


def scattered(count: int, reach: float, seed: int) -> Tensor:
    """Poses [N, 2] all over a square, in degrees."""
    random = torch.Generator().manual_seed(seed)
    return (2 * torch.rand(count, 2, generator=random) - 1) * reach


def wander(frames: int, seed: int) -> Tensor:
    """Poses [N, 2] of a head that turns about, smoothly: sines of random periods and phases."""
    random = torch.Generator().manual_seed(seed)
    time = torch.arange(frames)[:, None, None] / 25
    frequency, phase = torch.rand(2, 6, 2, generator=random)
    waves = torch.sin(2 * math.pi * (frequency * time + phase)).sum(1)
    return waves * torch.tensor([12.0, 6.0])


def weights_by_loop(poses: Tensor, query: Tensor) -> tuple[Tensor, Tensor]:
    """The way of FSGAN's data set, and of most code: SciPy is asked for each pose by itself."""
    mesh = Delaunay(np.concatenate([clamp_poses(poses).numpy(), np.array(CORNERS)]))
    views, weights = np.zeros((len(query), 3), np.int64), np.zeros((len(query), 3))
    for row, pose in enumerate(clamp_poses(query).numpy()):
        triangle = int(mesh.find_simplex(pose))
        affine, corners = mesh.transform[triangle], mesh.simplices[triangle]
        two = affine[:2] @ (pose - affine[2])
        shares = np.array([*two, 1 - two.sum()]) * (corners < len(poses))
        views[row] = np.where(corners < len(poses), corners, 0)
        weights[row] = shares / shares.sum()
    return torch.from_numpy(views), torch.from_numpy(weights).float()


def weight_of_each(views: Tensor, weights: Tensor, count: int) -> Tensor:
    """Weights [Q, V] of all V views."""
    every = torch.zeros(len(views), count)
    return every.scatter_add_(1, views, weights)


def steepness(poses: Tensor, path: Tensor) -> tuple[float, float, float]:
    """Median, 99 % and largest change of any view's weight along a path, for each degree."""
    part = torch.linspace(0, 1, FINE + 1)[None, :-1, None]
    fine = (path[:-1, None] + part * path.diff(dim=0)[:, None]).flatten(0, 1).double()
    change = weight_of_each(*view_weights(poses, fine), len(poses)).diff(dim=0).abs().amax(1)
    steps = (change / torch.linalg.vector_norm(fine.diff(dim=0), dim=1)).double()
    median, most, largest = (float(steps.quantile(part)) for part in (0.5, 0.99, 1.0))
    return median, most, largest


if __name__ == "__main__":
    main()
