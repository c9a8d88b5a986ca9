"""Cutting crops anew as a network was trained to see faces, and bringing its answer back."""

from __future__ import annotations

import torch
from torch import Tensor

from ..faces import Crops
from ..ops.geometry import (
    fit_similarity,
    invert_affine,
    matrix_scale,
    square_box,
    transform_points,
)
from ..ops.templates import template_points
from ..ops.warp import crop
from .alignment import points_or_box


def realign(crops: Crops, template: str, size: int) -> tuple[Tensor, Tensor]:
    """Cut each crop's face out again, aligned to another template.

    A face whose five points are not all known, as of other packs' boxes, is aligned by those of a
    mean face in its box.

    Args:
        crops: N crops of any size and template.
        template: where the five points come to lie; a key of `TEMPLATES`.
        size: side of the result in pixels.

    Returns:
        Pictures [N, 3, size, size] float32 RGB, limited to 0..1, and the matrices [N, 2, 3] from
        the crops' pixels to theirs. Beyond a crop's edge its border pixels repeat.

    Raises:
        ValueError: no template has that name.
    """
    own = crops.as_frames().faces.to(crops.device)
    matrix = fit_similarity(points_or_box(own), template_points(template, size, crops.device))
    images = crop(crops.image.float(), matrix, own.frame, size, padding="border")
    return images.clamp(0, 1), matrix


def realign_to_box(crops: Crops, margin: float, size: int) -> tuple[Tensor, Tensor]:
    """Cut the square about each crop's face out again, by the face's box.

    It lies as the crop does: a face that the crop has set upright stays so, and its box keeps the
    size that it has in the frame.

    Args:
        crops: N crops of any size and template.
        margin: side of the square as a multiple of the box's longer side.
        size: side of the result in pixels.

    Returns:
        As `realign`.
    """
    box, placed = crops.faces.box.to(crops.device), crops.matrix
    corner, opposite = box[:, :2], box[:, 2:]
    centre = transform_points(placed, ((corner + opposite) / 2)[:, None])[:, 0]
    half = (opposite - corner) * matrix_scale(placed)[:, None] / 2
    matrix = square_box(torch.cat([centre - half, centre + half], 1), size, margin)
    rows = torch.arange(len(crops), device=crops.device)
    images = crop(crops.image.float(), matrix, rows, size, padding="border")
    return images.clamp(0, 1), matrix


def put_back(maps: Tensor, matrix: Tensor, size: int) -> Tensor:
    """Bring what a network said of realigned pictures back into the crops.

    Args:
        maps: [N, C, H, H] float in 0..1. Several maps are probabilities that sum to 1, the first
            one of the background; a single one says how surely a pixel is what is looked for.
        matrix: [N, 2, 3] from `realign`.
        size: side S of the crops in pixels.

    Returns:
        [N, C, S, S] in 0..1. What the network did not see is background, or 0 in a single map.
    """
    rows = torch.arange(len(maps), device=matrix.device)
    back = crop(maps, invert_affine(matrix), rows, size, padding="zeros").clamp(0, 1)
    if maps.shape[1] == 1:
        return back
    unseen = (1 - back.sum(1, keepdim=True)).clamp(min=0)
    return torch.cat([back[:, :1] + unseen, back[:, 1:]], 1)
