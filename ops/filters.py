"""Gaussian blur, round morphology and FSGAN's soft erosion for batches of pictures and masks."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

_TRUNCATE = 4.0  # standard deviations after which a Gaussian counts as zero, as in SciPy
_SHORTEST_BLOCK = 64  # outputs of one small matrix product: shorter ones waste the processor


def gaussian_blur(x: Tensor, sigma: float | Tensor) -> Tensor:
    """Blur with a sampled Gaussian that sums to 1; the picture goes on beyond its border.

    Beyond the border the nearest pixel repeats (`scipy.ndimage.gaussian_filter`'s mode "nearest").
    The cost per pixel grows with the largest sigma, not with the size of the picture.

    Args:
        x: [N, C, H, W] float, any range.
        sigma: standard deviation in pixels, one number or [N] numbers; 0 leaves an item as it is.

    Returns:
        [N, C, H, W] of `x`'s dtype.

    Raises:
        ValueError: `x` is not [N, C, H, W], or `sigma` is negative, not finite or not [N].
    """
    if x.ndim != 4:
        raise ValueError(f"gaussian_blur wants x [N, C, H, W], got {list(x.shape)}.")
    widths = torch.as_tensor(sigma, dtype=x.dtype, device=x.device)
    if widths.ndim and widths.shape != x.shape[:1]:
        raise ValueError(
            f"sigma must be one number or [N] numbers for x {list(x.shape)}, "
            f"got shape {list(widths.shape)}."
        )
    if x.numel() == 0:
        return x
    lowest, largest = (sigma, sigma) if isinstance(sigma, int | float) else _extremes(widths)
    if not 0 <= lowest <= largest < math.inf:
        raise ValueError(f"sigma must be finite and at least 0, got {lowest} to {largest}.")
    radius = int(_TRUNCATE * largest + 0.5)
    if radius == 0:
        return x
    taps = _gaussian(widths.expand(x.shape[0]), radius)
    rows = _convolve_rows(x, taps)
    return _convolve_rows(rows.transpose(-1, -2), taps).transpose(-1, -2)


def dilate(mask: Tensor, radius: float) -> Tensor:
    """Greyscale dilation: the largest value in a round neighbourhood.

    The neighbourhood is an octagon that holds the disc and at most 12 % more of its radius, built
    from four line maxima, so the cost grows with the logarithm of the radius. A fraction of a pixel
    mixes the results of the two whole radii around it. Outside the picture is neutral.

    Args:
        mask: [N, 1, H, W] float, any range.
        radius: in pixels, at least 0.

    Returns:
        [N, 1, H, W].

    Raises:
        ValueError: `mask` is not [N, 1, H, W], or `radius` is negative or not finite.
    """
    _check_mask(mask)
    if not 0 <= radius < math.inf:
        raise ValueError(f"A radius must be finite and at least 0 px, got {radius}.")
    whole, part = int(radius), radius % 1
    inner = _octagon_max(mask, whole)
    return inner if part == 0 else torch.lerp(inner, _octagon_max(mask, whole + 1), part)


def erode(mask: Tensor, radius: float) -> Tensor:
    """Greyscale erosion: the smallest value in a round neighbourhood; the dual of `dilate`.

    Outside the picture is neutral: a mask that touches the border keeps to it.

    Args:
        mask: [N, 1, H, W] float, any range.
        radius: in pixels, at least 0.

    Returns:
        [N, 1, H, W].

    Raises:
        ValueError: `mask` is not [N, 1, H, W], or `radius` is negative or not finite.
    """
    return -dilate(-mask, radius)


def close(mask: Tensor, radius: float) -> Tensor:
    """Morphological closing: fill holes, cracks and bays narrower than twice `radius`.

    Args:
        mask: [N, 1, H, W] in 0..1.
        radius: in pixels, at least 0; taken to the nearest whole one, as a mix of two radii (see
            `dilate`) would fray the edges of the mask.

    Returns:
        [N, 1, H, W] in 0..1, nowhere less than `mask`.

    Raises:
        ValueError: `mask` is not [N, 1, H, W], or `radius` is negative.
    """
    whole = round(radius)
    return erode(dilate(mask, whole), whole)


def soft_erosion(
    mask: Tensor, kernel_size: int = 21, threshold: float = 0.6, iterations: int = 1
) -> tuple[Tensor, Tensor]:
    """Erode a mask a little and let it fade out over its former edge (FSGAN, v2 code).

    The mask is averaged with a cone. What stays at or above `threshold` is the hard mask; the soft
    mask is 1 there and falls to 0 outside. Outside the picture counts as 0, as in FSGAN, so that a
    face cut by the crop's border fades there too. Items of a batch do not influence each other.

    Args:
        mask: [N, 1, H, W] float in 0..1.
        kernel_size: side of the cone in pixels, odd.
        threshold: in 0..1.
        iterations: at least 1; each pass before the last keeps the smaller of mask and average.

    Returns:
        Soft and hard mask, both [N, 1, H, W] in 0..1; the hard one holds 0 and 1 only.

    Raises:
        ValueError: `mask` is not [N, 1, H, W], or a number is out of its range.
    """
    _check_mask(mask)
    if kernel_size < 3 or kernel_size % 2 == 0 or iterations < 1:
        raise ValueError(
            "soft_erosion wants an odd kernel_size of at least 3 and at least 1 iteration, "
            f"got {kernel_size} and {iterations}."
        )
    if mask.numel() == 0:
        return mask, mask
    cone = _cone(kernel_size, mask)
    for _ in range(iterations - 1):
        mask = torch.minimum(mask, F.conv2d(mask, cone, padding=kernel_size // 2))
    mean = F.conv2d(mask, cone, padding=kernel_size // 2)
    hard = mean >= threshold
    fringe = mean.masked_fill(hard, 0)
    peak = fringe.amax(dim=(1, 2, 3), keepdim=True)
    soft = torch.where(hard, 1.0, fringe / torch.where(peak > 0, peak, 1.0))
    return soft, hard.to(mask.dtype)


def _check_mask(mask: Tensor) -> None:
    if mask.ndim != 4 or mask.shape[1] != 1:
        raise ValueError(f"A mask must have shape [N, 1, H, W], got {list(mask.shape)}.")


def _extremes(values: Tensor) -> tuple[float, float]:
    lowest, largest = torch.stack(values.aminmax()).tolist()
    return lowest, largest


def _gaussian(sigma: Tensor, radius: int) -> Tensor:
    """[N] standard deviations to [N, 2 radius + 1] weights; sigma 0 gives a single 1."""
    offset = torch.arange(-radius, radius + 1, dtype=sigma.dtype, device=sigma.device)
    # A floor instead of a branch: so narrow a Gaussian is exactly 0 off its centre.
    weights = torch.exp(-0.5 * (offset / sigma.clamp(min=1e-2)[:, None]).square())
    # Cut at the item's own reach, so that no item depends on the others in its batch.
    weights = weights * (offset.abs() <= (_TRUNCATE * sigma + 0.5).floor()[:, None])
    return weights / weights.sum(dim=1, keepdim=True)


def _convolve_rows(x: Tensor, taps: Tensor) -> Tensor:
    """Convolve the last axis of [N, C, H, W] with [N, 2 R + 1] symmetric taps, border repeated.

    Rows are cut into overlapping blocks, and each block is multiplied by a small band matrix:
    one matrix product runs far faster than a convolution with hundreds of taps.
    """
    count, channels, height, width = x.shape
    length, reach = taps.shape[1], taps.shape[1] // 2
    block = min(width, max(_SHORTEST_BLOCK, length))
    blocks = -(-width // block)
    padded = F.pad(x, (reach, reach + blocks * block - width, 0, 0), mode="replicate")
    windows = padded.unfold(-1, block + length - 1, block)
    # Row i of the band holds the taps shifted by i: a padded row, read with a longer stride.
    band = F.pad(taps, (0, block))[:, None].expand(-1, block, -1).reshape(count, -1)
    band = band[:, : block * (length + block - 1)].reshape(count, block, -1)
    mixed = windows.reshape(count, -1, block + length - 1) @ band.transpose(1, 2)
    return mixed.view(count, channels, height, -1)[..., :width]


def _octagon_max(x: Tensor, radius: int) -> Tensor:
    """Maximum over a near regular octagon: a square plus a diamond (Minkowski sum)."""
    if radius == 0 or x.numel() == 0:
        return x
    square = round(radius * (math.sqrt(2) - 1))
    # Two diagonal lines reach every second pixel of a diamond; the square fills the gaps, and an
    # odd diamond takes its last pixel from the four neighbours.
    diagonal, cross = divmod(radius - square, 2)
    x = F.pad(x, (radius,) * 4, value=-math.inf)
    x = _line_max(_line_max(x, 2 * square, 0, 1), 2 * square, 1, 0)
    x = _line_max(_line_max(x, 2 * diagonal, 1, 1), 2 * diagonal, 1, -1)
    return _cross_max(x) if cross else x


def _line_max(x: Tensor, steps: int, down: int, right: int) -> Tensor:
    """Maximum over `steps` + 1 pixels along a line; the result is smaller by the line's extent."""
    covered = 1
    while covered <= steps:
        step = min(covered, steps + 1 - covered)
        above, below = (x[..., :-step, :], x[..., step:, :]) if down else (x, x)
        if right > 0:
            above, below = above[..., :-step], below[..., step:]
        elif right < 0:
            above, below = above[..., step:], below[..., :-step]
        x = torch.maximum(above, below)
        covered += step
    return x


def _cross_max(x: Tensor) -> Tensor:
    """Maximum over a pixel and its four neighbours; the border of one pixel goes away."""
    upright = torch.maximum(x[..., :-2, 1:-1], x[..., 2:, 1:-1])
    level = torch.maximum(x[..., 1:-1, :-2], x[..., 1:-1, 2:])
    return torch.maximum(torch.maximum(upright, level), x[..., 1:-1, 1:-1])


def _cone(size: int, like: Tensor) -> Tensor:
    """[1, 1, size, size] weights that fall linearly to 0 at the corners; their sum is 1."""
    axis = torch.arange(size, dtype=like.dtype, device=like.device) - size // 2
    distance = torch.hypot(axis[:, None], axis[None, :])
    cone = distance[0, 0] - distance
    return (cone / cone.sum())[None, None]
