"""How sharp aligned faces are."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_LUMA = (0.299, 0.587, 0.114)
_LAPLACIAN = ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0))


def sharpness(image: Tensor) -> Tensor:
    """Measure sharpness by the variance of the Laplacian (Pech-Pacheco et al., ICPR 2000).

    Only the middle half of each side counts, which shows the face alone in crops of any template.
    The measure grows with contrast and with noise, so it compares frames of one clip.

    Args:
        image: [N, 3, S, S] RGB 0..1, S at least 8.

    Returns:
        [N] float32; 0 is flat.

    Raises:
        ValueError: another shape.
    """
    if image.ndim != 4 or image.shape[1] != 3 or min(image.shape[2:]) < 8:
        raise ValueError(
            f"sharpness wants crops [N, 3, S, S] of 8 px or more, got {list(image.shape)}."
        )
    height, width = image.shape[2:]
    middle = image[..., height // 4 : -(height // 4), width // 4 : -(width // 4)].float()
    grey = torch.einsum("nchw,c->nhw", middle, middle.new_tensor(_LUMA))[:, None]
    edges = F.conv2d(grey, middle.new_tensor(_LAPLACIAN)[None, None])
    centred = edges - edges.mean((1, 2, 3), keepdim=True)
    return centred.square().mean((1, 2, 3))
