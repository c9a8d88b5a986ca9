"""Fitting frames into a detector's canvas."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def letterbox(
    frames: Tensor, size: int, multiple: int, canvas: tuple[int, int] | None = None
) -> tuple[Tensor, Tensor]:
    """Reduce frames, never enlarge them, and pad them right and below with zeros.

    Args:
        frames: [B, C, H, W] float; values beyond 0..1 are clamped.
        size: longest side to keep; 0 keeps any.
        multiple: the canvas is this many times a whole number on both sides.
        canvas: (H, W) of a network that takes this size only; then `multiple` is not used.

    Returns:
        The canvas [B, C, H', W'] float32, and [2] the factors from frame to canvas pixels, x and y.
    """
    height, width = frames.shape[-2:]
    limits = [1.0, size / max(height, width)] if size else [1.0]
    if canvas is not None:
        limits += [canvas[0] / height, canvas[1] / width]
    rows, columns = (max(1, round(side * min(limits))) for side in (height, width))
    full = canvas or (-(-rows // multiple) * multiple, -(-columns // multiple) * multiple)
    # One by one: the sums behind a reduction need several times a frame's memory.
    reduced = torch.cat([_reduce(frame, rows, columns) for frame in frames[:, None]])
    scale = torch.tensor([columns / width, rows / height], device=frames.device)
    return F.pad(reduced, (0, full[1] - columns, 0, full[0] - rows)), scale


def _reduce(frame: Tensor, rows: int, columns: int) -> Tensor:
    return area_resize(area_resize(frame.float().clamp(0, 1), rows, -2), columns, -1)


def area_resize(x: Tensor, size: int, dim: int) -> Tensor:
    """Reduce one dimension to `size`: every output is the mean of exactly what it covers.

    Unlike `F.interpolate(mode="area")` it weighs the pixels that two outputs share.
    """
    length = x.shape[dim]
    if size == length:
        return x
    # The integral up to an output's two edges gives its mean, whatever the factor.
    first = torch.zeros_like(x.narrow(dim, 0, 1))
    integral = torch.cat([first, x.cumsum(dim)], dim)
    edges = torch.arange(size + 1, device=x.device) * (length / size)
    left = edges.long().clamp(max=length - 1)
    part = (edges - left).reshape(-1, *[1] * (-1 - dim))
    before, after = (integral.index_select(dim, index) for index in (left, left + 1))
    return torch.lerp(before, after, part).diff(dim=dim) * (size / length)
