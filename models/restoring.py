"""Restoring aligned crops: what a restorer sees of them, and its answer in their own pixels."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ..faces import Crops
from ..ops.geometry import invert_affine
from ..ops.masks import box_mask, fit_mask
from ..ops.warp import crop
from .realign import realign
from .roles import Restorer

SEAM = 0.05
"""Width of the soft border of a restored square inside a larger crop, as a share of its side."""


def restored(
    crops: Crops, restorer: Restorer, size: int, fidelity: float, batch_statistics: bool = False
) -> tuple[Tensor, Tensor]:
    """Restore the face of each crop.

    Crops of an alignment that the restorer knows are only resized to what it takes, if at all. Of
    others the face is cut anew, and the answer brought back by the inverse matrix.

    Args:
        crops: N crops of any size and template, on the restorer's device.
        restorer: what restores them.
        size: side T of the result, which need not be that of the crops.
        fidelity: 0..1, see `Restorer.restore`.
        batch_statistics: see `Restorer.restore`.

    Returns:
        Pictures [N, 3, T, T] float32 RGB 0..1 of what the crops show, and [N, 1, T, T] how far
        they count, 0..1: 0 where the restorer did not look, with a soft edge.
    """
    side = restorer.size or crops.size
    if not restorer.templates or crops.template in restorer.templates:
        images = resized(crops.image.float().clamp(0, 1), side)
        answer = resized(restorer.restore(images, fidelity, batch_statistics), size)
        return answer, torch.ones_like(answer[:, :1])
    images, matrix = realign(crops, restorer.templates[0], side)
    answer = restorer.restore(images, fidelity, batch_statistics)
    back = invert_affine(matrix * (answer.shape[-1] / side)) * (size / crops.size)
    square = box_mask(len(answer), answer.shape[-1], blur=SEAM, device=answer.device)
    rows = torch.arange(len(crops), device=answer.device)
    return crop(answer, back, rows, size), crop(square, back, rows, size, padding="zeros")


def scaled(crops: Crops, size: int) -> Crops:
    """Resize crops: picture, mask and matrix; they show what they showed.

    Args:
        crops: N crops of any size.
        size: the side wanted, in pixels.
    """
    if size == crops.size:
        return crops
    return replace(
        crops,
        image=resized(crops.image, size),
        matrix=crops.matrix * (size / crops.size),
        mask=None if crops.mask is None else fit_mask(crops.mask, size),
    )


def resized(images: Tensor, size: int) -> Tensor:
    """Resize square pictures [N, C, S, S] to [N, C, size, size]; low-passed where they shrink."""
    if images.shape[-1] == size:
        return images
    if not len(images):
        return images.new_zeros(0, images.shape[1], size, size)
    return F.interpolate(images, (size, size), mode="bilinear", antialias=True)
