"""Face shape: one face's bones under another face's pose and expression."""

from __future__ import annotations

import torch
from torch import Tensor

from .landmark_sets import CONTOURS, landmark_set

# Of the mean face, whose outer eye corners are 1.73 apart. The outline stays the target's, because
# beyond it lies what is not replaced; from this far inside, the shape is all the source's.
_FROM_OUTLINE = 0.35
# Eyes and mouth move as a whole, and take along what lies this far around them (a deviation).
_REACH = 0.15
_PARTS = (("left_eye",), ("right_eye",), ("lips", "inner_mouth"))
_BROWS_TRUST = 0.3  # brows rise: they say less of how a head is turned than bones do


def carry_shape(source: Tensor, target: Tensor, amount: float) -> Tensor:
    """Give target faces the source's shape, and leave their pose, expression and outline.

    Both faces are turned to the front and brought to one size by their upper halves, which
    expressions move least (a similarity to the mean face); their difference there, turned back,
    is the shape. Eyes and mouth move without changing, so that they stay as far open as they were,
    and towards the outline the shape fades into the target's.

    Args:
        source: [N, 468, 3] float32 landmarks (x, y) and depth, in one unit.
        target: [N, 468, 3] float32 landmarks, in any other unit.
        amount: share of the source's shape, 0..1; 0 gives the target.

    Returns:
        [N, 468, 3] float32 landmarks in the target's unit.

    Raises:
        ValueError: landmarks of another shape, or `amount` outside of 0..1.
    """
    if source.ndim != 3 or source.shape != target.shape or source.shape[2] != 3:
        raise ValueError(
            "carry_shape wants source and target landmarks of one shape [N, 468, 3], "
            f"got {list(source.shape)} and {list(target.shape)}."
        )
    if not 0 <= amount <= 1:
        raise ValueError(f"The share of the source's shape lies between 0 and 1, got {amount}.")
    mean = landmark_set(source.shape[1]).mean.to(target)
    if amount == 0 or not len(target):
        return target
    front, _ = _frontal(source, mean)
    own, back = _frontal(target, mean)
    change = _move_whole(front - own, mean) * _inside(mean)[:, None]
    return target + amount * change @ back


def _frontal(points: Tensor, mean: Tensor) -> tuple[Tensor, Tensor]:
    """Points on the mean face, and the linear map [N, 3, 3] that leads vectors there back.

    The similarity is Umeyama's (1991), weighted.
    """
    weight = _bones(mean)[:, None]
    weight = weight / weight.sum()
    middle, centre = (weight * mean).sum(0), (weight * points).sum(1, keepdim=True)
    before, after = mean - middle, points - centre
    # On the CPU: MPS has no singular values, and 3 x 3 matrices are no work for a GPU.
    u, values, vt = torch.linalg.svd(((weight * before).mT @ after).cpu())
    sign = torch.ones_like(values)
    sign[:, 2] = torch.sign(torch.linalg.det(u @ vt))
    scale = (values * sign).sum(-1).to(points) / (weight * before.square()).sum()
    turn = ((u * sign[:, None]) @ vt).to(points)
    scale = scale.clamp(min=1e-6)[:, None, None]
    return after @ turn.mT / scale + middle, scale * turn


def _bones(mean: Tensor) -> Tensor:
    """[468]: how well each point tells pose and size; below the upper lip nothing does."""
    top_of_lips = mean[list(CONTOURS["lips"]), 1].min()
    weight = (mean[:, 1] < top_of_lips).to(mean)
    for name in ("left_brow", "right_brow"):
        weight[list(CONTOURS[name])] = _BROWS_TRUST
    return weight


def _inside(mean: Tensor) -> Tensor:
    """[468]: 0 on the outline of the face, rising smoothly to 1 further in."""
    way = (_distance(mean, CONTOURS["oval"]) / _FROM_OUTLINE).clamp(0, 1)
    return way.square() * (3 - 2 * way)


def _move_whole(change: Tensor, mean: Tensor) -> Tensor:
    """Give every point of eyes and mouth, and less so those around, the mean change of its part."""
    parts = [[point for name in names for point in CONTOURS[name]] for names in _PARTS]
    near = torch.stack([torch.exp(-(_distance(mean, p) / _REACH).square() / 2) for p in parts])
    # Where two parts reach, their sum is not to exceed the share of the nearer one.
    share = near * near.amax(0) / near.sum(0).clamp(min=1e-9)
    whole = torch.stack([change[:, part].mean(1) for part in parts], 1)
    return change * (1 - share.sum(0))[:, None] + share.mT @ whole


def _distance(mean: Tensor, points: tuple[int, ...] | list[int]) -> Tensor:
    """[468] distance of each point of the mean face to the nearest of some."""
    apart = mean[:, None] - mean[list(points)]
    return torch.linalg.vector_norm(apart, dim=-1).amin(1)  # type: ignore[no-any-return]
