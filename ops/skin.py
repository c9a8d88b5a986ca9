"""Telling skin from what hides it, by the colours of the face itself."""

from __future__ import annotations

import torch
from torch import Tensor

from .face_regions import face_mask, features_mask
from .filters import close, dilate, gaussian_blur

# In standard deviations of the face's own skin: what is surely skin, and what surely is not.
_SKIN, _OTHER = 4.0, 7.0
_OUTLIER = 3.0  # from where on a pixel does not shape the distribution
_NOISE = 0.04  # least deviation of a channel, so that an even face does not refuse its own pores
_ROUNDS = 2  # of leaving out what is not skin and looking again; more change little
# Relative to the crop's side. Lids and teeth lie between features at most twice the gap apart;
# lashes and paint reach beyond them by the margin; detail finer than the grain is not judged.
_GAP, _MARGIN, _MARGIN_SOFTNESS, _GRAIN = 0.06, 0.02, 0.01, 0.004


def skin_likeness(image: Tensor, landmarks: Tensor) -> Tensor:
    """Find hair, shadows of objects and other things in front of a face.

    The colours between brows and chin, freed of outliers, make a normal distribution; a pixel
    counts the less the further it lies from it (Mahalanobis distance). Eyes, brows, lips and what
    lies between them always count. Things of the colour of skin, such as hands, are not found,
    nor what hides more than about a tenth of the skin: it then passes for a part of it, as the
    dark side of a face in hard light must.

    Args:
        image: [N, 3, S, S] RGB 0..1, crops.
        landmarks: [N, 468, 2] or [N, 468, 3] float32, in pixels of the crop.

    Returns:
        [N, 1, S, S] float32 in 0..1: 1 is skin or a feature, 0 something else.

    Raises:
        ValueError: shapes do not fit, or landmarks without triangles.
    """
    size = image.shape[-1]
    if image.ndim != 4 or image.shape[1:] != (3, size, size) or len(image) != len(landmarks):
        raise ValueError(
            "skin_likeness wants square images [N, 3, S, S] and landmarks [N, L, 2 or 3], "
            f"got {list(image.shape)} and {list(landmarks.shape)}."
        )
    if not len(image):
        return image.new_zeros(0, 1, size, size)
    features = close(features_mask(landmarks, size), _GAP * size)
    features = dilate(features, _MARGIN * size)
    weight = face_mask(landmarks, size, "below brow line") * (1 - features)
    smooth = gaussian_blur(image, _GRAIN * size)
    distance = _distance(smooth, weight)
    for _ in range(_ROUNDS):
        distance = _distance(smooth, weight * (distance < _OUTLIER))
    likeness = ((_OTHER - distance) / (_OTHER - _SKIN)).clamp(0, 1)
    return torch.maximum(likeness, gaussian_blur(features, _MARGIN_SOFTNESS * size))


def _distance(image: Tensor, weight: Tensor) -> Tensor:
    """Mahalanobis distance [N,1,H,W] of each pixel from the weighted ones."""
    total = weight.sum((2, 3)).clamp(min=1e-6)[..., None]
    mean = (image * weight).sum((2, 3), keepdim=True) / total[..., None]
    offset = image - mean
    covariance = torch.einsum("nchw,ndhw->ncd", offset * weight, offset) / total
    noise = _NOISE**2 * torch.eye(3, dtype=image.dtype, device=image.device)
    inverse = torch.linalg.inv(covariance + noise)
    square = torch.einsum("nchw,ncd,ndhw->nhw", offset, inverse, offset)
    return square.clamp(min=0).sqrt().unsqueeze(1)
