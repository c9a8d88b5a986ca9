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
    """[K, R] attributes at column 0, that is at x = 0.5."""
    slope: Tensor
    """[K, R] change of the attributes from pixel to pixel."""


def scan(vertices: Tensor, size: int) -> Spans:
    """Cut triangles into spans.

    A triangle is halved at its middle corner's height. In each half all spans lie between the same
    two edges: the long one from top to bottom, and a short one.

    Args:
        vertices: [N, T, 3, 2 + K] y, x and K attributes of the triangles' corners.
        size: side of the N pictures in pixels.
    """
    count, per_face = vertices.shape[:2]
    flat = vertices.flatten(0, 1)
    # Sorted from top to bottom, an edge has the same direction in both of its triangles.
    order = flat[..., 0].argsort(dim=1).unsqueeze(-1)
    # Spans run along the last axis from here on, which is far faster than along the first.
    top, middle, bottom = flat.take_along_dim(order, dim=1).permute(1, 2, 0).contiguous()
    upper = torch.stack((top, middle), dim=-1).flatten(1)
    lower = torch.stack((middle, bottom), dim=-1).flatten(1)
    first = first_centre(upper[0], size)
    drawable = flat.isfinite().all(-1).all(-1).repeat_interleave(2)
    half, row = runs(first, (first_centre(lower[0], size) - first) * drawable)
    triangle, y = half >> 1, row + 0.5
    long, short = _cross(top, bottom, triangle, y), _cross(upper, lower, half, y)
    begin = first_centre(torch.minimum(long[0], short[0]), size)
    length = first_centre(torch.maximum(long[0], short[0]), size) - begin
    base, slope = _along(long, short, begin, length)
    above = torch.arange(count, device=row.device).repeat_interleave(per_face) * size
    return Spans(triangle, row + above.index_select(0, triangle), begin, length, base, slope)


def first_centre(edge: Tensor, size: int) -> Tensor:
    """First pixel in 0..size whose centre is not before `edge`; 0 if that is NaN."""
    return (edge.detach() - 0.5).ceil().clamp(0, size).nan_to_num(0).long()


def runs(first: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
    """Write runs of numbers one after the other: each number's run, and the numbers.

    Firsts [3, 7] and lengths [1, 2] give runs [0, 1, 1] and numbers [3, 7, 8].
    """
    run = torch.repeat_interleave(length)
    ahead = first - (length.cumsum(0) - length)
    return run, ahead.index_select(0, run).add_(torch.arange(len(run), device=run.device))


def _cross(upper: Tensor, lower: Tensor, edge: Tensor, y: Tensor) -> Tensor:
    """Where edges have height y: [1 + K, R] x and attributes.

    Args:
        upper: [2 + K, E] y, x and attributes of the edges' upper ends.
        lower: the same of their lower ends.
        edge: [R] which edge is meant.
        y: [R] a height between its two ends.
    """
    height = lower[0] - upper[0]
    # No row meets a level edge; a stand-in keeps NaN out of the gradients.
    gradient = (lower - upper)[1:] / torch.where(height > 0, height, 1)
    origin = upper.index_select(1, edge)
    return origin[1:] + gradient.index_select(1, edge) * (y - origin[0])


def _along(one: Tensor, other: Tensor, begin: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
    """Attributes at column 0 and their slope, for spans between two points [1 + K, R]."""
    # Empty spans may have no width; a stand-in keeps NaN out of the gradients.
    slope = (other - one)[1:] / torch.where(length > 0, other[0] - one[0], 1)
    start = one[1:] + slope * (begin + 0.5 - one[0])
    # A single pixel needs no slope, and a needle's would be too steep to go to column 0 and back.
    slope = slope * (length > 1)
    return start - slope * begin, slope


def nearest_span(spans: Spans, count: int, size: int, ordered: bool) -> Tensor:
    """Which span each of the count * size^2 pixels shows; R where there is none.

    Args:
        spans: the spans of all triangles; the last attribute is the depth if `ordered`.
        count: number of pictures.
        size: side of the pictures in pixels.
        ordered: whether the smallest depth wins, and only then the first triangle.
    """
    none = len(spans.length)
    origin = spans.line * size
    span, pixel = runs(origin + spans.begin, spans.length)
    if not ordered:
        best = torch.full((count * size * size,), none, dtype=torch.int32, device=pixel.device)
        return best.scatter_reduce_(0, pixel, span.int(), "amin")
    base, slope = spans.base[-1].detach(), spans.slope[-1].detach()
    column = pixel - origin.index_select(0, span)
    depth = base.index_select(0, span) + slope.index_select(0, span) * column
    bits = depth.float().view(torch.int32)
    # The bits of positive floats sort as integers do, those of negative ones the other way round.
    rank = torch.where(bits < 0, bits ^ _FURTHEST, bits).long()
    best = torch.full((count * size * size,), (_FURTHEST << 32) | none, device=pixel.device)
    return best.scatter_reduce_(0, pixel, (rank << 32) | span, "amin") & 0xFFFFFFFF
