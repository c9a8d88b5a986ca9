"""Blending along a mask: soft edges, and band by band."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .filters import gaussian_blur

_COARSEST_SIDE = 8  # px: where the pyramid ends if nobody says otherwise


def feather(mask: Tensor, width: float) -> Tensor:
    """Soften the edge of a mask inwards.

    The result is nowhere above the mask, so that nothing from beyond it is let in; at a long
    straight edge it begins at 0 without a kink, is 1/2 two thirds of `width` inside and 1 from
    two widths on. Parts narrower than that fade. Beyond the picture's border counts as outside:
    a crop that is masked to its border gets a soft border.

    Args:
        mask: [N,1,H,W] in 0..1.
        width: as a fraction of the square root of the masked area (for a face: of its size);
            0 leaves the mask as it is.

    Returns:
        [N,1,H,W] in 0..1.

    Raises:
        ValueError: the mask is not [N,1,H,W], or the width is negative or not finite.
    """
    if mask.ndim != 4 or mask.shape[1] != 1:
        raise ValueError(f"feather wants a mask [N,1,H,W], got {list(mask.shape)}")
    if not 0 <= width < math.inf:
        raise ValueError(f"a feather's width must be finite and at least 0, got {width}")
    if width == 0 or mask.numel() == 0:
        return mask
    sigma = width * mask.sum((1, 2, 3)).sqrt()
    blurred = gaussian_blur(F.pad(mask, (1, 1, 1, 1)), sigma)[..., 1:-1, 1:-1]
    # A straight edge blurs to 1/2 at the edge itself: the upper half is the inner side.
    ramp = (2 * blurred - 1).clamp(0, 1)
    return torch.minimum(mask, ramp.square() * (3 - 2 * ramp))


def multiband_blend(
    source: Tensor, target: Tensor, mask: Tensor, levels: int | None = None
) -> Tensor:
    """Blend band by band: fine detail over a short way, broad tones over a long one.

    Unlike the original, whose ramps are centred on the mask's edge, every band's ramp lies on
    the inner side of it. At a hard edge, where the original's tones would be cut off half-way,
    about an eighth of a plain difference is cut off; at a feathered edge less than a tenth.

    Args:
        source: [N,C,H,W] float, usually 0..1; read around the mask too.
        target: [N,C,H,W].
        mask: [N,1,H,W] in 0..1; hard or soft.
        levels: how often the picture is halved; by default until its shorter side is about 8 px,
            and at most that often that one pixel is left. 0 is a plain mix, further inside.

    Returns:
        [N,C,H,W]: exactly the target where the mask is 0; not clamped, so it may leave the
        inputs' range a little.

    Raises:
        ValueError: shapes do not agree, or `levels` is negative.

    Source: Burt, Adelson, "A Multiresolution Spline With Application to Image Mosaics", 1983.
    """
    check_layers("multiband_blend", source, target, mask)
    side = min(source.shape[-2:])
    if levels is None:
        levels = int(math.log2(max(1, side / _COARSEST_SIDE)))
    if levels < 0:
        raise ValueError(f"multiband_blend wants at least 0 levels, got {levels}")
    # Blending is linear: the pyramid of the difference, weighted, is added to the target.
    band, weight = source - target, mask
    bands = []
    for _ in range(levels):
        if band.shape[-2:] == (1, 1):
            break
        smaller = _halve(band)
        bands.append((band - _double(smaller, band), _inner(weight)))
        band, weight = smaller, _halve(weight)
    total = band * _inner(weight)
    for detail, inner in reversed(bands):
        total = torch.addcmul(_double(total, detail), detail, inner)
    return torch.where(mask > 0, target + total, target)


def _inner(weight: Tensor) -> Tensor:
    """The ramp of a smoothed mask from its edge, where it is 1/2, inwards; it begins flat."""
    return (2 * weight - 1).clamp(min=0).square()


def _halve(x: Tensor) -> Tensor:
    """Every second pixel after the five-tap binomial filter, [N,C,h,w] -> ceil(h/2), ceil(w/2)."""
    return _halve_rows(_halve_rows(x).mT).mT


def _halve_rows(x: Tensor) -> Tensor:
    top, bottom = x[..., :1, :], x[..., -1:, :]
    # One row more below an odd height is never read.
    x = torch.cat((top, top, x, bottom, bottom, bottom), dim=-2)
    n = (x.shape[-2] - 4) // 2
    a, b, c, d, e = (x[..., k : k + 2 * n : 2, :] for k in range(5))
    return (a + e + 4 * (b + d) + 6 * c) / 16


def _double(x: Tensor, like: Tensor) -> Tensor:
    """Back to the size of `like`, by the same filter."""
    h, w = like.shape[-2:]
    return _double_rows(_double_rows(x, h).mT, w).mT


def _double_rows(x: Tensor, height: int) -> Tensor:
    x = torch.cat((x[..., :1, :], x, x[..., -1:, :]), dim=-2)
    above, here, below = x[..., :-2, :], x[..., 1:-1, :], x[..., 2:, :]
    rows = torch.stack(((above + below + 6 * here) / 8, (here + below) / 2), dim=-2)
    return rows.flatten(-3, -2)[..., :height, :]


def check_layers(name: str, source: Tensor, target: Tensor, mask: Tensor) -> None:
    """Raise ValueError unless two pictures and a mask lie over each other."""
    fits = source.ndim == 4 and source.shape == target.shape
    if not fits or mask.shape != (source.shape[0], 1, *source.shape[2:]):
        raise ValueError(
            f"{name} wants two pictures of one shape [N, C, H, W] and a mask [N, 1, H, W], "
            f"got {list(source.shape)}, {list(target.shape)} and {list(mask.shape)}."
        )
