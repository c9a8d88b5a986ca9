"""GHOST's mask: the hull of a swapped face, wider or narrower as its jaw is the target's or not.

Restated from ai-forever/ghost, `utils/inference/masks.py` (Groshev et al. 2022, "GHOST: a new face
swap approach for image and video domains"). The original cuts coordinates to whole pixels, which
makes edges tremble; here hulls move smoothly, and lie where the original's lie on average.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .landmark_sets import SETS, convert_landmarks
from .masks import fit_mask, hull_mask

SIDE = 224
"""Side in pixels of the crop in which GHOST draws; all lengths of `GROWTHS` are pixels of it."""


class Growth(NamedTuple):
    """How far a mask shrinks or grows, and how softly it ends."""

    shrink: int
    """Side of the square that erodes the hull; negative: of the one that dilates it."""
    sigma_x: int
    """Standard deviation of the blur across."""
    sigma_y: int
    """Standard deviation of the blur down; the border that is emptied is twice as wide."""
    lift: float
    """How far brows rise, in half distances from the eye's upper lid."""


GROWTHS: tuple[Growth, ...] = (
    Growth(15, 15, 10, 2.7),
    Growth(10, 10, 8, 2.0),
    Growth(5, 5, 5, 2.0),
    Growth(-5, 5, 10, 0.5),
)
"""GHOST's table, from a result much narrower than the target to a wider one."""

Group = tuple[int, ...]


@dataclass(frozen=True)
class _Points:
    """Where a set of landmarks has what GHOST looks at; a group stands for its mean."""

    left_jaw: tuple[Group, ...]
    """The end of the jaw's line, and its points 5/16 and 9/16 of the way to the chin."""
    right_jaw: tuple[Group, ...]
    brows: Group
    """The upper line of both brows, left to right."""
    lids: tuple[Group, ...]
    """The point of the upper lid below each point of `brows`."""


# 106 points as GHOST has them. A published list turns them into iBUG's 68 (among others
# https://stackoverflow.com/a/67174339): its jaw 1, 10, 12, 14, 16, 3, 5, 7, 0 takes every second
# point, so 13 and 2 lie half-way between two of the 68, and its brows are GHOST's upper lines.
_POINTS: dict[int, _Points] = {
    106: _Points(
        left_jaw=((1,), (13,), (2,)),
        right_jaw=((17,), (29,), (18,)),
        brows=(43, 48, 49, 51, 50, 102, 103, 104, 105, 101),
        lids=((35,), (41,), (40,), (42,), (39,), (89,), (95,), (94,), (96,), (93,)),
    ),
    98: _Points(
        left_jaw=((0,), (5,), (9,)),
        right_jaw=((32,), (27,), (23,)),
        brows=(33, 34, 35, 36, 37, 42, 43, 44, 45, 46),
        lids=((60,), (61,), (62,), (63,), (64,), (68,), (69,), (70,), (71,), (72,)),
    ),
    68: _Points(
        left_jaw=((0,), (2, 3), (4, 5)),
        right_jaw=((16,), (14, 13), (12, 11)),
        brows=(17, 18, 19, 20, 21, 22, 23, 24, 25, 26),
        lids=((36,), (37,), (37, 38), (38,), (39,), (42,), (43,), (43, 44), (44,), (45,)),
    ),
}


def jaw_offset(result: Tensor, target: Tensor, size: int) -> Tensor:
    """Measure how much narrower the jaw of the result is than the target's.

    On each side the ways that three points of the jaw went inwards are added; the larger sum
    counts.

    Args:
        result: [N, L, 2 or 3] landmarks of the swapped faces, (x, y) in crop pixels.
        target: landmarks of the same faces before the swap, in the same crops and set.
        size: side of the crops in pixels.

    Returns:
        [N] in pixels of GHOST's crop; negative where the result is wider.

    Raises:
        ValueError: the landmarks are of a set that the mask does not know.
    """
    moved = (_known(result) - _known(target))[..., 0] * (SIDE / size)
    points = _POINTS[moved.shape[1]]
    left = _means(moved, points.left_jaw).sum(1)
    right = -_means(moved, points.right_jaw).sum(1)
    return torch.maximum(left, right)


def growth_of(offset: Tensor) -> Tensor:
    """Find the row of `GROWTHS`, [N] int64, for offsets [N] in pixels of GHOST's crop."""
    return (offset <= 6).long() + (offset <= 3).long() + (offset < -3).long()


def ghost_mask(landmarks: Tensor, size: int, growth: Tensor) -> Tensor:
    """Draw GHOST's mask of each face.

    The brows are lifted, the convex hull of all points is filled, eroded or dilated, emptied along
    the crop's border, and blurred. It is made for crops in which the face is as large as in
    GHOST's own, aligned to one of `templates.POSE_TEMPLATES` or ArcFace's.

    Args:
        landmarks: [N, L, 2 or 3] float32, (x, y) in crop pixels: 106, 98 or 68 points, or a face
            mesh of 468 or 478, of which the 68 are taken, as the mask ends at the brows.
        size: side S of the crops in pixels.
        growth: [N] int64, rows of `GROWTHS`.

    Returns:
        [N, 1, S, S] float32 in 0..1, drawn at `SIDE` px and resized.

    Raises:
        ValueError: the landmarks are of a set that the mask does not know.
    """
    points = _known(landmarks) * (SIDE / size)
    lift = points.new_tensor([each.lift for each in GROWTHS])[growth]
    mask = hull_mask(_pixels(_lift_brows(points, lift)), SIDE)
    for number, each in enumerate(GROWTHS):
        rows = growth == number
        mask[rows] = _soften(mask[rows], each)
    return fit_mask(mask, size)


def _known(landmarks: Tensor) -> Tensor:
    """The plane points [N, L, 2] of a set in `_POINTS`."""
    points, count = landmarks[..., :2], landmarks.shape[1]
    if count in _POINTS:
        return points
    if count not in SETS or count < min(_POINTS):
        raise ValueError(
            f"GHOST's mask cannot be drawn from {count} landmarks. Use a landmarker that gives "
            "106, 98 or 68 points, or the 468 or 478 of a face mesh."
        )
    return convert_landmarks(points, 68)


def _means(values: Tensor, groups: tuple[Group, ...]) -> Tensor:
    """The mean of each group of the points' values: [N, L, ...] -> [N, groups, ...]."""
    return torch.stack([values[:, list(group)].mean(1) for group in groups], 1)


def _lift_brows(points: Tensor, lift: Tensor) -> Tensor:
    """Move the brows [N, L, 2] away from the lids by [N] half distances."""
    known = _POINTS[points.shape[1]]
    brows, lifted = list(known.brows), points.clone()
    above = points[:, brows] - _means(points, known.lids)
    lifted[:, brows] += 0.5 * lift[:, None, None] * above
    return lifted


def _pixels(points: Tensor) -> Tensor:
    """Corners [N, 4 L, 2] of the pixels that GHOST takes for points, by cutting off fractions.

    Pixel k, whose centre is k to cv2 and k + 0.5 here, stands for points from k + 0.5 to k + 1.5:
    on average a point is the right and lower end of its pixel.
    """
    return torch.cat([points - points.new_tensor([x, y]) for x in (0, 1) for y in (0, 1)], 1)


def _soften(mask: Tensor, growth: Growth) -> Tensor:
    """Shrink or grow masks [N, 1, H, W], empty their border and blur them."""
    if growth.shrink > 0:
        mask = -_square_max(-mask, growth.shrink)
    else:
        mask = _square_max(mask, -growth.shrink)
    border = 2 * growth.sigma_y
    mask = F.pad(mask[..., border:-border, border:-border], (border,) * 4)
    across = _blur_rows(mask, growth.sigma_x)
    return _blur_rows(across.mT, growth.sigma_y).mT.clamp(0, 1)


def _square_max(mask: Tensor, side: int) -> Tensor:
    """Maximum over a square about each pixel; an even one reaches further left and up, as cv2's."""
    before, after = side // 2, side - 1 - side // 2
    padded = F.pad(mask, (before, after, before, after), value=-torch.inf)
    return F.max_pool2d(padded, side, stride=1)


def _blur_rows(mask: Tensor, sigma: int) -> Tensor:
    """Gaussian along the rows, cut at 3 sigma and mirrored at the border, as cv2's of 8 bits."""
    reach = 3 * sigma
    offset = torch.arange(-reach, reach + 1, dtype=mask.dtype, device=mask.device)
    taps = torch.exp(-0.5 * (offset / sigma).square())
    padded = F.pad(mask, (reach, reach, 0, 0), mode="reflect")
    return F.conv2d(padded, (taps / taps.sum()).view(1, 1, 1, -1))
