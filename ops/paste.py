"""Crop to frame: paste any number of crops with soft masks, each within its own region."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from .geometry import invert_affine, matrix_scale
from .warp import (
    Padding,
    Region,
    check_placement,
    covered_regions,
    sample,
    sampling_grid,
    shrink,
)

Group = tuple[int, Region, list[int]]
"""A frame, a region of it, and the crops that lie in that region and nowhere else."""

Patch = tuple[Region, Tensor, Tensor]
"""A region with a crop's colour [C, h, w] and mask [1, h, w] there."""


def paste(frames: Tensor, crops: Tensor, masks: Tensor, matrix: Tensor, frame: Tensor) -> Tensor:
    """Paste crops into a copy of the frames; see `paste_`. Differentiable.

    Returns:
        [B, C, H, W], a new tensor even if there is nothing to paste.
    """
    return paste_(frames.clone(), crops, masks, matrix, frame)


def paste_(frames: Tensor, crops: Tensor, masks: Tensor, matrix: Tensor, frame: Tensor) -> Tensor:
    """Paste crops into the frames in place.

    With W the sum of the masks at a pixel, the result is
    frame * (1 - min(1, W)) + sum(crop * mask) / max(1, W), which does not depend on the order of
    faces that overlap. Pixels where W is 0 keep their bits. Crops that are reduced into the frame
    are low-passed first; enlargement is bilinear. The cost depends on the faces' areas only.

    Args:
        frames: [B, C, H, W] float of any strides that do not overlap, changed in place.
        crops: [N, C, S, S] in the range of `frames`; they may be on another device.
        masks: [N, 1, S, S] in 0..1, where each crop counts; beyond the crop it never does.
        matrix: [N, 2, 3] similarities from frame pixels to crop pixels, centres at integer + 0.5.
        frame: [N] int64, the frame that each crop belongs to.

    Returns:
        `frames`. A crop whose matrix is not finite or has no inverse is left out.

    Raises:
        ValueError: the shapes do not fit, or `frame` names none of the frames.
    """
    places = check_placement("paste", frames, matrix, frame)
    _check_layers("paste", crops, masks, matrix, frames.shape[1])
    regions = paste_regions(matrix, crops.shape[-1], (frames.shape[2], frames.shape[3]))
    scales = matrix_scale(matrix).detach().tolist()
    for place, region, members in group_overlapping(regions, places):
        patches = []
        for row in members:
            where = (matrix[row], regions[row], scales[row])
            # Beyond the crop its border goes on in colour while the mask fades: no dark rim.
            colour = _warp_back(crops[row], *where, "border")
            patches.append((regions[row], colour, _warp_back(masks[row], *where, "zeros")))
        colour, weight = patches[0][1:] if len(patches) == 1 else _mean(patches, region)
        x0, y0, x1, y1 = region
        target = frames[place, :, y0:y1, x0:x1]
        target.copy_(_blend(target, colour.to(frames), weight.to(frames)))
    return frames


def paste_masks(
    masks: Tensor,
    matrix: Tensor,
    frame: Tensor,
    frames: int,
    image_size: tuple[int, int],
    device: torch.device | str | None = None,
) -> Tensor:
    """Put the masks where `paste` would use them.

    Args:
        masks: [N, 1, S, S] in 0..1.
        matrix: [N, 2, 3] similarities from frame pixels to crop pixels, centres at integer + 0.5.
        frame: [N] int64, the frame that each mask belongs to.
        frames: number of frames B.
        image_size: (H, W) of the frames.
        device: where to put them; none means the device of `masks`.

    Returns:
        [B, 1, H, W] in 0..1, the sum of the masks cut off at 1.

    Raises:
        ValueError: the shapes do not fit, or `frame` names none of the frames.
    """
    total = masks.new_zeros(frames, 1, *image_size, device=device)
    places = check_placement("paste_masks", total, matrix, frame)
    _check_layers("paste_masks", masks, masks, matrix, 1)
    regions = paste_regions(matrix, masks.shape[-1], image_size)
    scales = matrix_scale(matrix).detach().tolist()
    for row, (place, region) in enumerate(zip(places, regions, strict=True)):
        x0, y0, x1, y1 = region
        if x0 < x1 and y0 < y1:
            mask = _warp_back(masks[row], matrix[row], region, scales[row], "zeros")
            total[place, :, y0:y1, x0:x1] += mask.to(total)
    return total.clamp(max=1)


def paste_regions(matrix: Tensor, size: int, image_size: tuple[int, int]) -> list[Region]:
    """Find the frame's pixels that each crop of `size` pixels can change, clipped to the frame."""
    # A mask fades over the half pixel beyond its crop, a pixel of the crop or of the frame.
    margin = 0.5 * (1 / matrix_scale(matrix).detach()).clamp(min=1)
    return covered_regions(invert_affine(matrix), (0, 0, size, size), image_size, margin)


def group_overlapping(regions: list[Region], frame: list[int]) -> list[Group]:
    """Join overlapping regions of one frame, so that no two groups share a pixel.

    Args:
        regions: one for each crop; empty ones are dropped.
        frame: the frame of each.
    """
    groups: list[Group] = []
    for row, (region, place) in enumerate(zip(regions, frame, strict=True)):
        if region[0] >= region[2] or region[1] >= region[3]:
            continue
        members = [row]
        while (hit := next(_touching(groups, place, region), None)) is not None:
            groups.remove(hit)
            region = _union(region, hit[1])
            members += hit[2]
        groups.append((place, region, members))
    return groups


def _touching(groups: list[Group], place: int, region: Region) -> Iterator[Group]:
    x0, y0, x1, y1 = region
    for group in groups:
        left, top, right, bottom = group[1]
        if group[0] == place and left < x1 and x0 < right and top < y1 and y0 < bottom:
            yield group


def _union(one: Region, other: Region) -> Region:
    x0, y0, x1, y1 = zip(one, other, strict=True)
    return min(x0), min(y0), max(x1), max(y1)


def _warp_back(
    picture: Tensor, matrix: Tensor, region: Region, scale: float, padding: Padding
) -> Tensor:
    """Bring a crop or a mask [C, S, S] into a region of the frame: [C, h, w]."""
    size = picture.shape[-1]
    grid = sampling_grid(matrix, region, (0, 0, size, size))
    return sample(shrink(picture[None], scale), grid, padding)[0]


def _mean(patches: list[Patch], region: Region) -> tuple[Tensor, Tensor]:
    """Join overlapping patches: their mean colour, weighted by the masks, and the masks' sum."""
    (x0, y0, x1, y1), first = region, patches[0][1]
    total = first.new_zeros(first.shape[0], y1 - y0, x1 - x0)
    weight = first.new_zeros(1, y1 - y0, x1 - x0)
    for (left, top, right, bottom), colour, mask in patches:
        part = (..., slice(top - y0, bottom - y0), slice(left - x0, right - x0))
        total[part] += torch.where(mask > 0, colour * mask, 0.0)
        weight[part] += mask
    tiny = torch.finfo(weight.dtype).tiny
    return total / weight.clamp(min=tiny), weight


def _blend(target: Tensor, colour: Tensor, weight: Tensor) -> Tensor:
    """Move frame pixels [C, h, w] towards a colour [C, h, w] by a weight [1, h, w] cut off at 1."""
    # A copy in plane order is fast to work on, and the gradient needs what the caller overwrites.
    target = target.clone(memory_format=torch.contiguous_format)
    # Weight 0 alone would not do: a NaN in the crop or a -0.0 in the frame would change.
    return torch.where(weight > 0, torch.lerp(target, colour, weight.clamp(max=1)), target)


def _check_layers(name: str, crops: Tensor, masks: Tensor, matrix: Tensor, channels: int) -> None:
    count, size = matrix.shape[0], crops.shape[-1]
    if crops.shape != (count, channels, size, size) or size == 0:
        raise ValueError(
            f"{name} wants square crops [{count}, {channels}, S, S], one for each matrix, "
            f"got {list(crops.shape)}."
        )
    if masks.shape != (count, 1, size, size):
        raise ValueError(
            f"{name} wants masks [{count}, 1, {size}, {size}], got {list(masks.shape)}."
        )
