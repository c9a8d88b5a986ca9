"""Classical filling of holes in a face crop, without weights and batched on the device."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Method = Literal["smooth", "mirror"]

_UNKNOWN = 1 / 255  # a hole value from which on a pixel is not trusted as a source of colour
_SWEEPS = 4  # of relaxation per level: they melt the grid that plain pull-push leaves


def fill(image: Tensor, hole: Tensor, method: Method = "smooth") -> Tensor:
    """Fill holes; a soft hole mixes picture and filling by its value.

    "smooth" continues the colours around a hole (pull-push). "mirror" takes what lies across the
    vertical centre line, for crops of upright faces, moved in colour to fit all around the hole;
    where the other side is hidden too it falls back to "smooth". Only pixels outside every hole
    lend colour. A picture of which nothing is known comes back as it is.

    Args:
        image: [N, 3, H, W] RGB in 0..1; finite; what is under a hole of 1 does not matter.
        hole: [N, 1, H, W] in 0..1, 1 = to be filled.
        method: "smooth" or "mirror".

    Returns:
        [N, 3, H, W]; exactly `image` where `hole` is 0.

    Raises:
        ValueError: shapes do not fit together, or the method is unknown.
    """
    wanted = [image.shape[0], 1, *image.shape[2:]] if image.ndim == 4 else []
    if image.ndim != 4 or list(hole.shape) != wanted:
        raise ValueError(
            "fill wants image [N, 3, H, W] and hole [N, 1, H, W], "
            f"got {list(image.shape)} and {list(hole.shape)}."
        )
    if method not in ("smooth", "mirror"):
        raise ValueError(f'method must be "smooth" or "mirror", got {method!r}.')
    if image.numel() == 0:
        return image
    known = (hole < _UNKNOWN).to(image.dtype)
    filled = mirror_fill(image, known) if method == "mirror" else pull_push(image, known)
    some = known.amax(dim=(1, 2, 3), keepdim=True) > 0
    return torch.where((hole > 0) & some, torch.lerp(image, filled, hole), image)


def pull_push(values: Tensor, known: Tensor) -> Tensor:
    """Spread known values smoothly over the unknown ones (Gortler et al., "The Lumigraph", 1996).

    Pull: halve the picture, averaging known pixels only, until none is unknown. Push: on the way
    back up, unknown pixels take the enlarged coarser level, then relax towards their neighbours.

    Args:
        values: [N, C, H, W], any range; what is under `known` 0 does not matter, even NaN.
        known: [N, 1, H, W], 1 where a value is known and 0 elsewhere.

    Returns:
        [N, C, H, W]: `values` where known; 0 in an item without any known pixel.
    """
    values = torch.where(known > 0, values, 0.0)
    height, width = values.shape[-2:]
    if height == width == 1:
        return values
    even = (0, width % 2, 0, height % 2)
    weight = F.avg_pool2d(F.pad(known, even), 2)
    total = F.avg_pool2d(F.pad(values, even), 2)
    coarse = pull_push(total / weight.clamp(min=1e-6), (weight > 0).to(values.dtype))
    grown = F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
    filled = torch.where(known > 0, values, grown[..., :height, :width])
    for _ in range(_SWEEPS):
        around = F.avg_pool2d(F.pad(filled, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
        filled = torch.where(known > 0, values, around)
    return filled


def mirror_fill(image: Tensor, known: Tensor) -> Tensor:
    """Fill unknown pixels from across the vertical centre line, else smoothly.

    The mirrored side is moved in colour by the difference between picture and mirror where both are
    known, spread smoothly into the hole: the filling meets the picture without a seam.

    Args:
        image: [N, 3, H, W] RGB in 0..1.
        known: [N, 1, H, W], 1 where a pixel is known and 0 elsewhere.

    Returns:
        [N, 3, H, W] in 0..1 where filled: `image` where known.
    """
    mirrored, mirror_known = image.flip(-1), known.flip(-1)
    both = known * mirror_known
    difference = pull_push(image - mirrored, both)
    borrowed = (mirrored + difference).clamp(0, 1)
    image = torch.where(known > 0, image, borrowed)
    return pull_push(image, torch.maximum(known, mirror_known))
