"""Telling skin from what hides it, by the colours of the face itself."""

from __future__ import annotations

import torch
from torch import Tensor

from .face_regions import close, face_mask, features_mask
from .filters import dilate, gaussian_blur

# In standard deviations of the face's own skin: what is surely skin, and what surely is not.
_SKIN, _OTHER = 3.0, 5.0
_NOISE = 0.04  # least deviation of a channel, so that an even face does not refuse its own pores


def skin_likeness(image: Tensor, landmarks: Tensor) -> Tensor:
    """Find hair, shadows of objects and other things in front of a face.

    The colours between brows and chin, freed of outliers, make a normal distribution; a pixel
    counts the less the further it lies from it (Mahalanobis distance). Eyes, brows, lips and what
    lies between them always count. Things of the colour of skin, such as hands, are not found.

    Args:
        image: [N, 3, S, S] RGB 0..1, crops.
        landmarks: [N, 468, 2] or [N, 468, 3] float32, in pixels of the crop.

    Returns:
        [N, 1, S, S] float32: 1 is skin or a feature, 0 something else.

    Raises:
        ValueError: landmarks without triangles.
    """
    size = image.shape[-1]
    if not len(image):
        return image.new_zeros(0, 1, size, size)
    features = close(features_mask(landmarks, size), 0.06 * size)
    weight = face_mask(landmarks, size, "below brow line") * (1 - dilate(features, 0.02 * size))
    smooth = gaussian_blur(image, 0.004 * size)
    distance = _distance(smooth, weight)
    for _ in range(2):
        distance = _distance(smooth, weight * (distance < _SKIN))
    likeness = ((_OTHER - distance) / (_OTHER - _SKIN)).clamp(0, 1)
    return torch.maximum(likeness, gaussian_blur(dilate(features, 0.02 * size), 0.01 * size))


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
