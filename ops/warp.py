"""Frame to crop: sampling with a low-pass before reduction, in the face's region only."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from .geometry import invert_affine, matrix_scale, transform_points

Region = tuple[int, int, int, int]
"""x0, y0, x1, y1 in whole pixels; x1 and y1 are not included."""

Span = tuple[float, float, float, float]
"""x0, y0, x1, y1: the rectangle that a picture covers in some coordinates."""

Padding = Literal["border", "zeros"]


def crop(
    frames: Tensor, matrix: Tensor, frame: Tensor, size: int, padding: Padding = "border"
) -> Tensor:
    """Sample aligned square crops from frames.

    Where a crop is smaller than what it shows, the face's region is first reduced with a triangle
    filter of the matrix's scale, so that fine texture fades instead of aliasing; enlargement is
    bilinear. Both join without a step, so a face that grows in a video does not pop. Only the
    region that a crop shows is read. Differentiable in `frames` and `matrix`.

    Args:
        frames: [B, C, H, W] float of any range and any strides.
        matrix: [N, 2, 3] similarities from frame pixels to crop pixels, centres at integer + 0.5.
        frame: [N] int64, the frame that each crop is cut from.
        size: side S of the crops in pixels.
        padding: beyond the frame's edge, repeat its "border" pixels or give "zeros".

    Returns:
        [N, C, S, S] in the dtype of `frames`, on the device of `matrix`: frames on another device
        send over the faces' regions only. What a matrix without an inverse gives is unspecified.

    Raises:
        ValueError: the shapes do not fit, the frames have no pixels, or `frame` names none of them.
    """
    height, width = frames.shape[-2:]
    places = check_placement("crop", frames, matrix, frame)
    inverse = invert_affine(matrix)
    reductions = matrix_scale(inverse).detach()
    # The triangle reaches one reduced pixel beyond its centre, the bilinear sampling another one.
    margin = 2 * reductions.clamp(min=1) + 1
    regions = covered_regions(inverse, (0, 0, size, size), (height, width), margin)
    crops = [frames.new_zeros(0, frames.shape[1], size, size, device=matrix.device)]
    for row, (place, reduction) in enumerate(zip(places, reductions.tolist(), strict=True)):
        x0, y0, x1, y1 = _at_least_one_pixel(regions[row], width, height)
        region = frames[place : place + 1, :, y0:y1, x0:x1].to(matrix.device)
        grid = sampling_grid(inverse[row], (0, 0, size, size), (x0, y0, x1, y1))
        crops.append(sample(shrink(region, reduction), grid, padding))
    return torch.cat(crops)


def covered_regions(
    matrix: Tensor, span: Span, image_size: tuple[int, int], margin: Tensor
) -> list[Region]:
    """Find the whole pixels of a picture that a rectangle covers once each matrix has moved it.

    Args:
        matrix: [N, 2, 3] from the rectangle's coordinates to the picture's pixels.
        span: the rectangle.
        image_size: (H, W) of the picture.
        margin: [N] pixels to add on each side.

    Returns:
        N regions clipped to the picture; x1 <= x0 or y1 <= y0 where nothing is covered or the
        matrix is not finite.
    """
    x0, y0, x1, y1 = span
    corners = matrix.new_tensor([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    moved = transform_points(matrix.detach(), corners.expand(matrix.shape[0], 4, 2))
    low, high = moved.amin(1) - margin[:, None], moved.amax(1) + margin[:, None]
    limit = low.new_tensor([image_size[1], image_size[0]])
    bounds = torch.cat([low.floor(), high.ceil()], 1)
    finite = bounds.isfinite().all(1, keepdim=True)
    clipped = torch.minimum(bounds.clamp(min=0), limit.repeat(2))
    whole = torch.where(finite, clipped, torch.zeros_like(clipped)).long()
    return [(left, top, right, bottom) for left, top, right, bottom in whole.tolist()]


def shrink(picture: Tensor, reduction: float) -> Tensor:
    """Low-pass and reduce a picture [1, C, h, w]; it still spans the same rectangle.

    Args:
        picture: what to reduce.
        reduction: pixels that become one; 1 or less returns the picture itself.
    """
    height, width = picture.shape[-2:]
    if not reduction > 1:
        return picture
    if reduction > 64:
        # CUDA's filter keeps its taps in shared memory and refuses reductions beyond about 100.
        coarse = (-(-height * 32 // int(reduction)), -(-width * 32 // int(reduction)))
        return shrink(F.interpolate(picture, coarse, mode="area"), 32.0)
    target = (max(1, round(height / reduction)), max(1, round(width / reduction)))
    return F.interpolate(picture, target, mode="bilinear", antialias=True)


def sampling_grid(matrix: Tensor, output: Region, source: Span) -> Tensor:
    """Say where each output pixel reads a picture, in `grid_sample`'s -1..1.

    Written out instead of `F.affine_grid`, which multiplies matrices (TF32 on a GPU).

    Args:
        matrix: [2, 3] from output pixels to the coordinates of `source`.
        output: the output pixels wanted.
        source: the rectangle that the picture spans.

    Returns:
        [1, y1 - y0, x1 - x0, 2] for `align_corners=False`.
    """
    x0, y0, x1, y1 = output
    left, top, right, bottom = source
    half = matrix.new_tensor([[(right - left) / 2], [(bottom - top) / 2]])
    centre = matrix.new_tensor([[(left + right) / 2], [(top + bottom) / 2]])
    # [2, 1] each; x and y stay planes of their own until the end, which is several times faster.
    along_x, along_y, shift = ((matrix - F.pad(centre, (2, 0))) / half)[..., None].unbind(1)
    x = torch.arange(x0, x1, device=matrix.device, dtype=matrix.dtype) + 0.5
    y = torch.arange(y0, y1, device=matrix.device, dtype=matrix.dtype) + 0.5
    planes = (x * along_x)[:, None] + (y * along_y + shift)[:, :, None]
    return planes.permute(1, 2, 0)[None]


def sample(picture: Tensor, grid: Tensor, padding: Padding = "border") -> Tensor:
    """Read a picture [1, C, h, w] at a grid [1, H, W, 2]: bilinear, pixel centres at half."""
    dtype = torch.promote_types(picture.dtype, grid.dtype)  # half precision cannot hold a grid
    sampled = F.grid_sample(
        picture.to(dtype), grid.to(dtype), padding_mode=padding, align_corners=False
    )
    return sampled.to(picture.dtype)


def check_placement(name: str, frames: Tensor, matrix: Tensor, frame: Tensor) -> list[int]:
    """Raise unless N matrices and frame numbers fit a batch of frames; return the numbers."""
    if frames.ndim != 4 or 0 in frames.shape[2:]:
        raise ValueError(f"{name} wants frames [B, C, H, W] with pixels, got {list(frames.shape)}.")
    if matrix.ndim != 3 or matrix.shape[1:] != (2, 3):
        raise ValueError(f"{name} wants matrices [N, 2, 3], got {list(matrix.shape)}.")
    if frame.shape != matrix.shape[:1]:
        raise ValueError(
            f"{name} wants one frame number for each of {matrix.shape[0]} matrices, "
            f"got {list(frame.shape)}."
        )
    places: list[int] = frame.tolist()
    if any(not 0 <= place < frames.shape[0] for place in places):
        raise ValueError(
            f"{name} has {frames.shape[0]} frames, but the faces name frames "
            f"{min(places)}..{max(places)}."
        )
    return places


def _at_least_one_pixel(region: Region, width: int, height: int) -> Region:
    """Give a face beyond the frame the nearest pixel, whose colour its crop repeats."""
    x0, y0, x1, y1 = region
    x0, y0 = min(x0, width - 1), min(y0, height - 1)
    return x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)
