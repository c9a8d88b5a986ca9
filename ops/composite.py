"""The last step of a swap: one face laid over another by a chosen method."""

from __future__ import annotations

import torch
from torch import Tensor

from .blend import check_layers, feather, multiband_blend
from .filters import close
from .light import agreement
from .poisson import seamless_clone

METHODS = ("poisson", "poisson mixed", "gaussian", "multiband")
"""The methods of `composite`."""

_DOMAIN = 0.3  # alpha from which a pixel belongs to the Poisson problem
_HOLE = 0.08  # of the crop's side: holes up to twice as wide, eyes and mouth, belong to it too
_SUPPORT = 0.1  # alpha from which a blended crop covers the frame entirely


def composite(
    source: Tensor, target: Tensor, mask: Tensor, method: str, width: float
) -> tuple[Tensor, Tensor]:
    """Blend swapped crops into the target's own.

    "gaussian" mixes along the feathered mask, "multiband" band by band; both "poisson" methods
    first shift the source's tones until its edge meets the target's, in the gradient domain.
    There, an edge counts the less the more it differs from the rest (hair against skin), so that
    its colour does not flow into the face.

    Args:
        source: [N, 3, S, S] RGB 0..1, the swapped faces.
        target: [N, 3, S, S] RGB 0..1, what they cover.
        mask: [N, 1, S, S] in 0..1: where the source shows.
        method: one of `METHODS`.
        width: of the soft edge, inwards, relative to the masked face's size (see `feather`).

    Returns:
        The blended crops [N, 3, S, S], clamped to 0..1 where the mask is not 0 and exactly the
        target elsewhere; and the mask [N, 1, S, S] in 0..1 to paste them with, which covers the
        blend and is 0 where the mask is.

    Raises:
        ValueError: an unknown method, shapes that do not fit, or a negative width.
    """
    if method not in METHODS:
        raise ValueError(f"Blending methods are {', '.join(METHODS)}; got '{method}'.")
    check_layers("composite", source, target, mask)
    alpha = feather(mask, width)
    if method == "multiband":
        blended = multiband_blend(source, target, alpha)
    else:
        if method != "gaussian":
            source = _fit_tones(source, target, alpha, mixed=method == "poisson mixed")
        blended = torch.lerp(target, source, alpha)
    blended = torch.where(alpha > 0, blended.clamp(0, 1), target)
    return blended, (alpha / _SUPPORT).clamp(0, 1)


def _fit_tones(source: Tensor, target: Tensor, alpha: Tensor, mixed: bool) -> Tensor:
    """The source in the target's tones, by Poisson cloning against a boundary without hair."""
    domain = close((alpha > _DOMAIN).to(source.dtype), _HOLE * source.shape[-1])
    difference = target - source
    mean, trust = agreement(difference, alpha)
    fair = source + mean + (difference - mean) * trust
    return seamless_clone(source, fair, domain, mixed)
