"""Light transfer: a face takes on the broad light and shade that lie on another."""

from __future__ import annotations

import torch
from torch import Tensor

from .blend import check_layers
from .filters import gaussian_blur

# Differences beyond this many units of 0..1 are objects, not light: hair, a hand, teeth.
_OUTLIER = 0.3
_ROUNDS = 2  # the mean that outliers are judged by is itself freed of them
_LEAST_SHARE = 1e-3  # of the mask in a neighbourhood; with less of it, the shift fades out


def match_light(source: Tensor, reference: Tensor, mask: Tensor, width: float = 0.07) -> Tensor:
    """Shift colours locally, so that low-passed `source` equals low-passed `reference`.

    The difference of the two pictures is averaged by a Gaussian inside the mask alone
    (normalised convolution, Knutsson & Westin 1993), leaving out what differs far more than the
    rest, and added to the source. Fine structure, by which a face is known, stays the source's.

    Args:
        source: [N, 3, H, W] RGB 0..1.
        reference: [N, 3, H, W] RGB 0..1, of the same place.
        mask: [N, 1, H, W] in 0..1: where both show skin.
        width: standard deviation of the Gaussian, relative to the pictures' height; at least 0.

    Returns:
        [N, 3, H, W], not clamped; `source` unchanged far from the mask.

    Raises:
        ValueError: shapes do not fit, or `width` is negative or not finite.
    """
    check_layers("match_light", source, reference, mask)
    difference = reference - source
    weight = mask
    for _ in range(_ROUNDS):
        _, trust = agreement(difference, weight)
        weight = mask * trust
    sigma = width * source.shape[2]
    share = gaussian_blur(weight, sigma)
    return source + gaussian_blur(difference * weight, sigma) / share.clamp(min=_LEAST_SHARE)


def agreement(difference: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Tell a difference of light between two faces from one of things, such as hair on skin.

    Args:
        difference: [N, 3, H, W], of two pictures in 0..1.
        weight: [N, 1, H, W] in 0..1: where both show the face.

    Returns:
        The weighted mean difference [N, 3, 1, 1]; and how far each pixel agrees with it
        [N, 1, H, W], 1 where it does and towards 0 the further it lies from it.
    """
    total = weight.sum((2, 3), keepdim=True).clamp(min=1e-6)
    mean = (difference * weight).sum((2, 3), keepdim=True) / total
    distance = (difference - mean).square().sum(1, keepdim=True)
    return mean, torch.exp(-distance / (2 * _OUTLIER**2))
