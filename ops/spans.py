"""Scan conversion: triangles cut into spans, the runs of pixels that they cover in one row.

Spans are flat lists, so nothing loops over triangles or faces, and no pixel outside a triangle is
ever looked at. A pixel belongs to a triangle when its centre (integer + 0.5) does; centres on an
edge go to the triangle on the right of it or below. Both triangles at an edge compute its crossing
with a row from the same numbers, so that meshes have neither holes nor pixels drawn twice.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

_FURTHEST = torch.iinfo(torch.int32).max


class Spans(NamedTuple):
    """R runs of pixels in a row; K attributes change linearly along each."""

    triangle: Tensor
    """[R] index into the triangles of all faces; ascending."""
    line: Tensor
    """[R] row of pixels, counted through all faces."""
    begin: Tensor
    """[R] column of the first pixel."""
    length: Tensor
    """[R] number of pixels, possibly 0."""
    base: Tensor
    """[R, K] attributes at column 0, that is at x = 0.5."""
    slope: Tensor
    """[R, K] change of the attributes from pixel to pixel."""


def scan(vertices: Tensor, size: int) -> Spans:
    """Cut triangles [N, T, 3, 2 + K] (y, x, attributes) into spans.

    A triangle is halved at its middle corner's height. In each half all spans lie between the same
    two edges: the long one from top to bottom, and a short one.
    """
    per_face = vertices.shape[1]
    flat = vertices.flatten(0, 1)
    # Sorted from top to bottom, an edge has the same direction in both of its triangles.
    order = flat[..., 0].argsort(dim=1)
    top, middle, bottom = flat.take_along_dim(order.unsqueeze(-1), dim=1).unbind(1)
    upper = torch.stack((top, middle), dim=1).flatten(0, 1)
    lower = torch.stack((middle, bottom), dim=1).flatten(0, 1)
    first = first_centre(upper[:, 0], size)
    drawable = flat.isfinite().all(-1).all(-1).repeat_interleave(2)
    half, line = runs(first, (first_centre(lower[:, 0], size) - first) * drawable)
    triangle = half // 2
    long = _cross(top, bottom, triangle, line + 0.5)
    short = _cross(upper, lower, half, line + 0.5)
    begin = first_centre(torch.minimum(long[:, 0], short[:, 0]), size)
    end = first_centre(torch.maximum(long[:, 0], short[:, 0]), size)
    base, slope = _along(long, short, begin, end - begin)
    return Spans(triangle, line + triangle // per_face * size, begin, end - begin, base, slope)


def first_centre(edge: Tensor, size: int) -> Tensor:
    """First pixel in 0..size whose centre is not before `edge`; 0 if that is NaN."""
    return (edge.detach() - 0.5).ceil().clamp(0, size).nan_to_num(0).long()


def runs(first: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
    """Write runs of numbers one after the other: each number's run, and the numbers.

    Firsts [3, 7] and lengths [1, 2] give runs [0, 1, 1] and numbers [3, 7, 8].
    """
    run = torch.repeat_interleave(length)
    ahead = first - (length.cumsum(0) - length)
    return run, ahead.index_select(0, run) + torch.arange(len(run), device=run.device)


def _cross(upper: Tensor, lower: Tensor, edge: Tensor, y: Tensor) -> Tensor:
    """Where edges [E, 2 + K] (y, x, attributes) have height y: [R, 1 + K] (x, attributes).

    Args:
        upper: the edges' upper ends.
        lower: their lower ends.
        edge: [R] which edge is meant.
        y: [R] a height between its two ends.
    """
    height = lower[:, 0] - upper[:, 0]
    # No row meets a level edge; a stand-in keeps NaN out of the gradients.
    height = torch.where(height > 0, height, 1).unsqueeze(-1)
    origin, gradient = upper.index_select(0, edge), ((lower - upper) / height).index_select(0, edge)
    return origin[:, 1:] + gradient[:, 1:] * (y.unsqueeze(-1) - origin[:, :1])


def _along(one: Tensor, other: Tensor, begin: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
    """Attributes at column 0 and their slope, for spans between two points [R, 1 + K]."""
    width = other[:, 0] - one[:, 0]
    # Empty spans may have no width; a stand-in keeps NaN out of the gradients.
    slope = (other - one)[:, 1:] / torch.where(length > 0, width, 1).unsqueeze(-1)
    start = one[:, 1:] + slope * (begin + 0.5 - one[:, 0]).unsqueeze(-1)
    # A single pixel needs no slope, and a needle's would be too steep to go to column 0 and back.
    slope = slope * (length > 1).unsqueeze(-1)
    return start - slope * begin.unsqueeze(-1), slope


def nearest_span(spans: Spans, count: int, size: int, ordered: bool) -> Tensor:
    """Which span each of the count * size^2 pixels shows; R where there is none."""
    none = len(spans.length)
    span, column = runs(spans.begin, spans.length)
    pixel = (spans.line * size).index_select(0, span) + column
    if not ordered:
        best = torch.full((count * size * size,), none, device=pixel.device)
        return best.scatter_reduce_(0, pixel, span, "amin")
    base, slope = spans.base[:, -1].detach(), spans.slope[:, -1].detach()
    depth = base.index_select(0, span) + slope.index_select(0, span) * column
    bits = depth.float().view(torch.int32)
    # The bits of positive floats sort as integers do, those of negative ones the other way round.
    rank = torch.where(bits < 0, bits ^ _FURTHEST, bits).long()
    best = torch.full((count * size * size,), (_FURTHEST << 32) | none, device=pixel.device)
    return best.scatter_reduce_(0, pixel, (rank << 32) | span, "amin") & 0xFFFFFFFF
