"""Soft masks in crop space: polygons, hulls and boxes, and what is done with them."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .filters import dilate, erode
from .spans import first_centre, runs

MODES = ("union", "intersection", "difference", "add", "multiply")
"""The ways in which `combine` joins two masks."""

_LINES = 8  # lines on which a row of pixels is scanned: nine grey levels for level edges
_STEPS = 256  # positions in a pixel at which an edge may cross a scan line
_DIRECTIONS = 1440  # a hull of 512 px is off by half a pixel at most


def polygon_mask(points: Tensor, size: int) -> Tensor:
    """Fill closed contours, with edges one pixel wide.

    A pixel's value is the share of it that lies inside, averaged over 8 scan lines. Where a contour
    crosses itself, all that it winds around is filled. Without gradients.

    Args:
        points: [N, P, 2] float, corners (x, y) in order, in mask pixels, centres at integer + 0.5.
        size: side S of the mask in pixels.

    Returns:
        [N, 1, S, S] in 0..1; empty for less than three points, or points that are not finite.

    Raises:
        ValueError: `points` is not [N, P, 2].
    """
    _check_points(points)
    count, corners = points.shape[:2]
    points = points.detach()
    start, end = points.reshape(-1, 2), points.roll(-1, dims=1).reshape(-1, 2)
    drawable = points.isfinite().all(-1).all(-1).repeat_interleave(corners)
    falls = (end[:, 1] > start[:, 1]).unsqueeze(-1)
    upper, lower = torch.where(falls, start, end), torch.where(falls, end, start)
    first = first_centre(upper[:, 1] * _LINES, size * _LINES)
    edge, line = runs(first, (first_centre(lower[:, 1] * _LINES, size * _LINES) - first) * drawable)
    share = ((line + 0.5) / _LINES - upper[edge, 1]) / (lower - upper)[edge, 1]
    x = (upper[edge, 0] + (lower - upper)[edge, 0] * share).clamp(0, size)
    # In steps that float32 adds up without rounding: outside, the sum must be exactly 0.
    x = (x * _STEPS).round() / _STEPS
    # Right of an edge the polygon begins or ends, by the edge's direction; the pixel that holds
    # the crossing takes its share now, and its right neighbour the rest.
    sign = torch.where(falls[edge, 0], 1.0, -1.0).to(x) / _LINES
    column = x.floor()
    rest = sign * (x - column)
    place = (edge // max(1, corners) * size + line // _LINES) * (size + 2) + column.long()
    change = x.new_zeros(count * size * (size + 2))
    change.index_add_(0, place, sign - rest).index_add_(0, place + 1, rest)
    winding = change.view(count, 1, size, size + 2).cumsum(-1)[..., :size]
    return winding.abs().clamp(0, 1)


def hull_mask(points: Tensor, size: int) -> Tensor:
    """Fill the convex hull of points in any order, with edges one pixel wide.

    The hull's corners are the points that lie furthest in each of 1440 directions. A corner flatter
    than a quarter of a degree may be cut off, which is half a pixel on an edge of 500.

    Args:
        points: [N, P, 2] float, (x, y) in mask pixels.
        size: side S of the mask in pixels.

    Returns:
        [N, 1, S, S] in 0..1.

    Raises:
        ValueError: `points` is not [N, P, 2].
    """
    _check_points(points)
    points = points.detach()
    if points.numel() == 0:
        return polygon_mask(points, size)
    angle = torch.arange(_DIRECTIONS, device=points.device) * (2 * math.pi / _DIRECTIONS)
    directions = torch.stack((angle.cos(), angle.sin())).to(points)
    # From the middle of the points, where float32 is finest.
    centred = points - points.mean(dim=1, keepdim=True)
    furthest = (centred @ directions).argmax(dim=1)
    return polygon_mask(points.take_along_dim(furthest.unsqueeze(-1), dim=1), size)


def box_mask(
    count: int,
    size: int,
    padding: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0),
    blur: float = 0.0,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Make rectangles whose border fades out inwards.

    Args:
        count: number N of masks.
        size: side S of the masks in pixels.
        padding: what to leave free at top, right, bottom and left, as fractions of the side.
        blur: width of the faded border as a fraction of the side; 0 is a hard edge.
        device: where to make them.

    Returns:
        [N, 1, S, S] float32 in 0..1.

    Raises:
        ValueError: `padding` or `blur` is negative, or the paddings leave nothing.
    """
    top, right, bottom, left = padding
    if min(*padding, blur) < 0 or top + bottom >= 1 or left + right >= 1:
        raise ValueError(
            "box_mask wants paddings (top, right, bottom, left) and blur of at least 0, opposite "
            f"paddings with a sum under 1; got {tuple(padding)} and blur {blur}."
        )
    rows = _profile(size, top, bottom, blur, device)
    columns = _profile(size, left, right, blur, device)
    return (rows[:, None] * columns).expand(count, 1, size, size).clone()


def grow(mask: Tensor, pixels: float) -> Tensor:
    """Widen a mask on all sides, or shrink it; soft edges keep their softness.

    Args:
        mask: [N, 1, H, W] float, 0..1.
        pixels: how far; negative shrinks. The crop's own border does not count as an edge.

    Returns:
        [N, 1, H, W] in 0..1.

    Raises:
        ValueError: `mask` is not [N, 1, H, W], or `pixels` is not finite.
    """
    return dilate(mask, pixels) if pixels >= 0 else erode(mask, -pixels)


def combine(a: Tensor, b: Tensor, mode: str) -> Tensor:
    """Join two masks.

    Args:
        a: [N, 1, H, W] float, 0..1.
        b: a mask of the same shape.
        mode: "union" (the larger value), "intersection" (the smaller one), "difference" (a without
            b), "add" (their sum, at most 1) or "multiply".

    Returns:
        [N, 1, H, W] in 0..1.

    Raises:
        ValueError: the shapes differ, or an unknown mode.
    """
    if a.shape != b.shape:
        raise ValueError(
            f"Masks to combine must have the same shape, got {list(a.shape)} and {list(b.shape)}."
        )
    if mode == "union":
        return torch.maximum(a, b)
    if mode == "intersection":
        return torch.minimum(a, b)
    if mode == "difference":
        return a * (1 - b)
    if mode == "add":
        return (a + b).clamp(0, 1)
    if mode == "multiply":
        return a * b
    raise ValueError(f"Masks combine by {', '.join(MODES)}; got '{mode}'.")


def fit_mask(mask: Tensor, size: int) -> Tensor:
    """Resize masks to the square of a crop; low-passed where they shrink.

    Args:
        mask: [N, 1, H, W] float, 0..1; stretched if it is not square.
        size: side S of the crops in pixels.

    Returns:
        [N, 1, S, S] in 0..1.

    Raises:
        ValueError: `mask` is not [N, 1, H, W], or has no pixels.
    """
    if mask.ndim != 4 or mask.shape[1] != 1 or 0 in mask.shape[2:]:
        raise ValueError(f"A mask must have shape [N, 1, H, W], got {list(mask.shape)}.")
    if mask.shape[2:] == (size, size):
        return mask
    if len(mask) == 0:
        return mask.new_zeros(0, 1, size, size)
    sides = (size, size)
    fitted = F.interpolate(mask, sides, mode="bilinear", align_corners=False, antialias=True)
    return fitted.clamp(0, 1)


def adjust_mask(mask: Tensor, dilation: int, strength: float, threshold: float) -> Tensor:
    """Widen a soft mask, cut off what is faint, and strengthen it, in this order.

    Args:
        mask: [N, 1, H, W] float, 0..1.
        dilation: side in pixels of the square that each pixel paints, odd (grey dilation).
        strength: the mask is multiplied by it.
        threshold: below 1: what is below becomes 0, and the rest is stretched to reach 1.

    Returns:
        [N, 1, H, W] in 0..1.

    Raises:
        ValueError: an even dilation, or a threshold of 1 or more.
    """
    if dilation < 1 or dilation % 2 == 0 or threshold >= 1:
        raise ValueError(
            "adjust_mask wants an odd dilation and a threshold below 1, "
            f"got {dilation} and {threshold}."
        )
    wide = F.max_pool2d(mask, dilation, 1, dilation // 2) if mask.numel() else mask
    return (strength * ((wide - threshold) / (1 - threshold)).clamp(min=0)).clamp(0, 1)


def _profile(
    size: int, before: float, after: float, blur: float, device: torch.device | str
) -> Tensor:
    """One axis of a box: 0 outside, 1 inside, and the fade between them."""
    centre = torch.arange(size, dtype=torch.float32, device=device) + 0.5
    depth = torch.minimum(centre - before * size, (1 - after) * size - centre)
    # The fade starts half a pixel outside: a fade of one pixel is plain area coverage.
    rise = ((depth + 0.5) / max(1.0, blur * size)).clamp(0, 1)
    return rise if blur == 0 else rise * rise * (3 - 2 * rise)


def _check_points(points: Tensor) -> None:
    if points.ndim != 3 or points.shape[2] != 2:
        raise ValueError(f"points must have shape [N, P, 2], got {list(points.shape)}.")
