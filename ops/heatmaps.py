"""Landmark heat maps: the three kinds that FSGAN's generations read, and the way back for v2.

Points are (x, y) in pixels of the map, pixel centres at integer + 0.5, as everywhere here: a point
lies in pixel `floor(x), floor(y)`. FSGAN itself writes v2's points as fractions of the side.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

_DISC_FLOOR = 0.8  # value of the power-8 falloff that becomes 0


def patch_gaussian(points: Tensor, size: int) -> Tensor:
    """Heat maps of FSGAN v1 (face_alignment's drawing, as v1's default uses it).

    With s = round(size / 128), a square patch of 6 s + 1 pixels is laid around the pixel up and
    left of the point's own (the reference counts from 1). Its standard deviation is a quarter of
    its side, so it ends abruptly. What lies off the map is cut; a point outside leaves 0.

    Args:
        points: [N, P, 2] in pixels of the map.
        size: side of the map in pixels; 128 and 256 are what networks read.

    Returns:
        [N, P, size, size] in 0..1, peak 1.

    Raises:
        ValueError: `points` is not [N, P, 2], or `size` is below 1.
    """
    _check(points, size)
    half = 3 * _unit(size)
    return _square_patches(points.floor() - 1, size, half, 0.25 * (2 * half + 1))


def blurred_points(points: Tensor, size: int) -> Tensor:
    """Heat maps of FSGAN v1's stepwise reenactment: one pixel, blurred, peak scaled to 1.

    With s = round(size / 128), the blur has 6 s + 1 taps a side and a standard deviation of
    sqrt(2) s (the reference divides the distance by 2 s before squaring). A point outside the map
    moves to its nearest pixel.

    Args:
        points: [N, P, 2] in pixels of the map.
        size: side of the map in pixels; 128 and 256 are what networks read.

    Returns:
        [N, P, size, size] in 0..1, peak 1.

    Raises:
        ValueError: `points` is not [N, P, 2], or `size` is below 1.
    """
    _check(points, size)
    unit = _unit(size)
    return _square_patches(points.floor().clamp(0, size - 1), size, 3 * unit, math.sqrt(2) * unit)


def disc_power8(points: Tensor, size: int) -> Tensor:
    """Heat maps of FSGAN v2: a disc of 3.9 % of the side that falls off from its centre.

    With the distance d as a fraction of the side: ((1 - d / sqrt(2)) ^ 8 - 0.8) / 0.2, not below 0.
    Differentiable with respect to the points.

    Args:
        points: [N, P, 2] in pixels of the map.
        size: side of the map in pixels.

    Returns:
        [N, P, size, size] in 0..1; 1 would be at the exact point.

    Raises:
        ValueError: `points` is not [N, P, 2], or `size` is below 1.
    """
    _check(points, size)
    centre = torch.arange(size, dtype=points.dtype, device=points.device) + 0.5
    across, down = ((centre - points[..., i, None]) / size for i in (0, 1))
    square = across.square()[:, :, None, :] + down.square()[:, :, :, None]
    # The root has no gradient at 0: a pixel centre may lie on the point.
    distance = square.clamp(min=1e-16).sqrt()
    # Past the diagonal the base turns negative, and an even power would rise again.
    falloff = (1 - distance / math.sqrt(2)).clamp(min=0).pow(8)
    return ((falloff - _DISC_FLOOR) / (1 - _DISC_FLOOR)).clamp(min=0)


def decode_disc(heat: Tensor) -> Tensor:
    """Points from heat maps of FSGAN v2's kind: centre of mass of each map's upper half.

    Each channel is scaled to 0..1 and emptied below 0.5 first. A channel without contrast gives the
    centre of the map.

    Args:
        heat: [N, P, H, W], any range.

    Returns:
        [N, P, 2] (x, y) in pixels of the map, pixel centres at integer + 0.5.

    Raises:
        ValueError: `heat` is not [N, P, H, W].
    """
    if heat.ndim != 4:
        raise ValueError(f"decode_disc wants heat maps [N, P, H, W], got {list(heat.shape)}.")
    height, width = heat.shape[-2:]
    low, high = heat.amin(dim=(2, 3), keepdim=True), heat.amax(dim=(2, 3), keepdim=True)
    span = high - low
    mass = (heat - low) / torch.where(span > 0, span, 1.0)
    mass = torch.where(span > 0, mass * (mass >= 0.5), 1.0)
    columns = torch.arange(width, dtype=heat.dtype, device=heat.device) + 0.5
    rows = torch.arange(height, dtype=heat.dtype, device=heat.device) + 0.5
    moments = torch.stack([mass.sum(dim=2) @ columns, mass.sum(dim=3) @ rows], dim=-1)
    return moments / mass.sum(dim=(2, 3))[..., None]


def _check(points: Tensor, size: int) -> None:
    if points.ndim != 3 or points.shape[-1] != 2:
        raise ValueError(f"points must have shape [N, P, 2], got {list(points.shape)}.")
    if size < 1:
        raise ValueError(f"The side of a heat map must be at least 1 px, got {size}.")


def _unit(size: int) -> int:
    """FSGAN's nominal sigma: 2 at 256 px, 1 at 128 px; smaller maps keep a visible patch."""
    return max(1, round(size / 128))


def _square_patches(pixel: Tensor, size: int, half: int, deviation: float) -> Tensor:
    """[N, P, size, size]: a Gaussian around each [N, P, 2] pixel, cut to 2 half + 1 pixels."""
    index = torch.arange(size, dtype=pixel.dtype, device=pixel.device)
    offset = index - pixel[..., None]
    profile = torch.exp(-0.5 * (offset / deviation).square()) * (offset.abs() <= half)
    return profile[:, :, 0, None, :] * profile[:, :, 1, :, None]
