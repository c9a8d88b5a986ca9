"""Masked colour transfer: give a picture the colours of another, region against region.

All three functions take soft weights for both pictures and recolour the whole source picture with
one map per item, so that the result has no seam at the mask. A source or reference whose weights
sum to less than one pixel leaves its item unchanged.
"""

from __future__ import annotations

import torch
from kornia.color import lab_to_rgb, rgb_to_lab
from torch import Tensor

GAIN_LIMITS = (0.02, 1.5)
"""Contrast is changed by no more than this: larger gains turn noise into blotches."""

_LEVELS = 256  # of a histogram: an 8-bit picture falls on them exactly
_NOISE_VARIANCE = 4e-6  # half an 8-bit level squared: what is flatter has no direction of colour


def match_mean_std(
    source: Tensor,
    reference: Tensor,
    source_mask: Tensor | None = None,
    reference_mask: Tensor | None = None,
) -> Tensor:
    """Match mean and standard deviation of each CIE Lab channel.

    After Reinhard et al., "Color transfer between images" (2001), in Lab (D65) instead of their
    space, with the ratio of the deviations kept within `GAIN_LIMITS`.

    Args:
        source: [N, 3, H, W] sRGB in 0..1, to be recoloured.
        reference: [N, 3, H', W'] sRGB in 0..1.
        source_mask: [N, 1, H, W] weights of the source's pixels; none means all alike.
        reference_mask: [N, 1, H', W'] weights of the reference's pixels.

    Returns:
        [N, 3, H, W], clamped to 0..1.

    Raises:
        ValueError: shapes do not fit together.
    """
    _check(source, reference, source_mask, reference_mask)
    if source.numel() == 0:
        return source
    from_lab, to_lab = rgb_to_lab(source), rgb_to_lab(reference)
    from_mean, from_spread, from_weight = _moments(from_lab, source_mask)
    to_mean, to_spread, to_weight = _moments(to_lab, reference_mask)
    from_std, to_std = (_diagonal(spread).sqrt() for spread in (from_spread, to_spread))
    gain = (to_std / from_std.clamp(min=1e-6)).clamp(*GAIN_LIMITS)
    matched = (from_lab - from_mean[..., None]) * gain[..., None, None] + to_mean[..., None]
    return _keep_empty(source, lab_to_rgb(matched).clamp(0, 1), from_weight, to_weight)


def match_linear(
    source: Tensor,
    reference: Tensor,
    source_mask: Tensor | None = None,
    reference_mask: Tensor | None = None,
) -> Tensor:
    """Match mean and covariance of the colours by the linear map that moves them least.

    The Monge-Kantorovich map of Pitie and Kokaram, "The linear Monge-Kantorovitch linear colour
    mapping for example-based colour transfer" (2007), on sRGB values as they are (not linear
    light). Its symmetric matrix is A^-1/2 (A^1/2 B A^1/2)^1/2 A^-1/2 for the covariances A and B.
    Both get a little variance of their own, and the gains along the matrix's axes keep within
    `GAIN_LIMITS`.

    Args:
        source: [N, 3, H, W] sRGB in 0..1, to be recoloured.
        reference: [N, 3, H', W'] sRGB in 0..1.
        source_mask: [N, 1, H, W] weights of the source's pixels; none means all alike.
        reference_mask: [N, 1, H', W'] weights of the reference's pixels.

    Returns:
        [N, 3, H, W], clamped to 0..1.

    Raises:
        ValueError: shapes do not fit together.
    """
    _check(source, reference, source_mask, reference_mask)
    if source.numel() == 0:
        return source
    from_mean, from_spread, from_weight = _moments(source, source_mask)
    to_mean, to_spread, to_weight = _moments(reference, reference_mask)
    floor = _NOISE_VARIANCE * torch.eye(3, dtype=source.dtype, device=source.device)
    root = _power(from_spread + floor, 0.5)
    inverse = _power(from_spread + floor, -0.5)
    middle = _power(root @ (to_spread + floor) @ root, 0.5)
    gain = _power(inverse @ middle @ inverse, 1.0, GAIN_LIMITS)
    matched = (gain @ (source.flatten(2) - from_mean) + to_mean).view_as(source)
    return _keep_empty(source, matched.clamp(0, 1), from_weight, to_weight)


def match_histogram(
    source: Tensor,
    reference: Tensor,
    source_mask: Tensor | None = None,
    reference_mask: Tensor | None = None,
) -> Tensor:
    """Match the distribution of each RGB channel (no limit on the gain, unlike the others).

    Weighted histograms of 256 levels, each value shared by its two nearest levels, give piecewise
    linear distribution functions; a value goes where the reference has the same share below it.
    A level counts half below itself, so a flat source goes to the reference's median.

    Args:
        source: [N, 3, H, W] sRGB in 0..1, to be recoloured.
        reference: [N, 3, H', W'] sRGB in 0..1.
        source_mask: [N, 1, H, W] weights of the source's pixels; none means all alike.
        reference_mask: [N, 1, H', W'] weights of the reference's pixels.

    Returns:
        [N, 3, H, W] in 0..1.

    Raises:
        ValueError: shapes do not fit together.
    """
    _check(source, reference, source_mask, reference_mask)
    if source.numel() == 0:
        return source
    weights, reference_weights = _weights(source, source_mask), _weights(reference, reference_mask)
    table = _quantiles_of(
        _distribution(reference, reference_weights), _distribution(source, weights)
    )
    lower, part = _levels(source)
    below, above = table.gather(2, lower), table.gather(2, lower + 1)
    matched = torch.lerp(below, above, part).view_as(source)
    return _keep_empty(source, matched, weights.sum(dim=2), reference_weights.sum(dim=2))


def _check(source: Tensor, reference: Tensor, *masks: Tensor | None) -> None:
    pictures = {"source": source, "reference": reference}
    for name, picture in pictures.items():
        if picture.ndim != 4 or picture.shape[1] != 3:
            raise ValueError(f"{name} must have shape [N, 3, H, W], got {list(picture.shape)}.")
    if source.shape[0] != reference.shape[0] or (len(source) and reference.numel() == 0):
        raise ValueError(
            f"Every source needs a reference: got {list(source.shape)} and {list(reference.shape)}."
        )
    for (name, picture), mask in zip(pictures.items(), masks, strict=True):
        wanted = [picture.shape[0], 1, *picture.shape[2:]]
        if mask is not None and list(mask.shape) != wanted:
            raise ValueError(
                f"{name}_mask must have shape {wanted} as {name} is {list(picture.shape)}, "
                f"got {list(mask.shape)}."
            )


def _weights(picture: Tensor, mask: Tensor | None) -> Tensor:
    """The weight of each pixel, [N, 1, H W]."""
    return torch.ones_like(picture[:, :1]).flatten(2) if mask is None else mask.flatten(2)


def _moments(picture: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Weighted mean [N, 3, 1] and covariance [N, 3, 3] of the colours; total weight [N, 1]."""
    weights, colours = _weights(picture, mask), picture.flatten(2)
    total = weights.sum(dim=2, keepdim=True)
    share = weights / total.clamp(min=1e-6)
    mean = (colours * share).sum(dim=2, keepdim=True)
    centred = colours - mean
    return mean, (centred * share) @ centred.transpose(1, 2), total[..., 0]


def _diagonal(matrix: Tensor) -> Tensor:
    return matrix.diagonal(dim1=-2, dim2=-1).clamp(min=0)


def _power(
    matrix: Tensor, exponent: float, limits: tuple[float, float] = (1e-12, float("inf"))
) -> Tensor:
    """Power of a batch of symmetric matrices [N, 3, 3] with eigenvalues clamped to `limits`."""
    values, axes = torch.linalg.eigh(matrix)
    power: Tensor = (axes * values.clamp(*limits).pow(exponent)[..., None, :]) @ axes.mT
    return power


def _keep_empty(source: Tensor, matched: Tensor, *weights: Tensor) -> Tensor:
    """Take the source back where either total weight [N, 1] is below one pixel."""
    usable = torch.cat(weights, dim=1).amin(dim=1) >= 1
    return torch.where(usable[:, None, None, None], matched, source)


def _levels(picture: Tensor) -> tuple[Tensor, Tensor]:
    """The level at or below each value and the fraction up to the next, both [N, 3, H W]."""
    position = picture.flatten(2).clamp(0, 1) * (_LEVELS - 1)
    lower = position.floor().clamp(max=_LEVELS - 2)
    return lower.long(), position - lower


def _distribution(picture: Tensor, weights: Tensor) -> Tensor:
    """[N, 3, 2, 256]: shares of the weight below and up to each level of each channel."""
    lower, part = _levels(picture)
    histogram = picture.new_zeros(len(picture), 3, _LEVELS)
    histogram = histogram.scatter_add(2, lower, weights * (1 - part))
    histogram = histogram.scatter_add(2, lower + 1, weights * part)
    share = histogram.cumsum(dim=2)
    share = share / share[..., -1:].clamp(min=1e-6)
    below = torch.cat([torch.zeros_like(share[..., :1]), share[..., :-1]], dim=2)
    return torch.stack([below, share], dim=2)


def _quantiles_of(reference: Tensor, source: Tensor) -> Tensor:
    """Value 0..1 of the reference at the share of each source level, [N, 3, 256]."""
    wanted, given = source.mean(dim=2), reference.mean(dim=2)
    upper = torch.searchsorted(given, wanted, right=True).clamp(1, _LEVELS - 1)
    below, above = given.gather(2, upper - 1), given.gather(2, upper)
    step = ((wanted - below) / (above - below).clamp(min=1e-12)).clamp(0, 1)
    # Shares 0 and 1 belong to every level outside the reference's range: go to its nearest end.
    lowest = (reference[:, :, 1] <= 0).sum(dim=2, keepdim=True)
    highest = (reference[:, :, 1] < 1).sum(dim=2, keepdim=True)
    level = torch.minimum(torch.maximum(upper - 1 + step, lowest), highest)
    return level / (_LEVELS - 1)
