"""Pictures without faces, for detectors to learn what is none."""

from __future__ import annotations

import torch
from torch import Tensor

TRAINED_ON = (
    "brick",
    "chelsea",
    "coffee",
    "grass",
    "hubble_deep_field",
    "immunohistochemistry",
    "stereo_motorcycle",
    "text",
)
"""Names in `skimage.data` of pictures that are backgrounds in training."""

HELD_OUT = (
    "cell",
    "checkerboard",
    "clock",
    "coins",
    "colorwheel",
    "gravel",
    "horse",
    "logo",
    "microaneurysms",
    "moon",
    "page",
    "retina",
    "rocket",
    "shepp_logan_phantom",
)
"""Names of those that are for measurement only.

These and the former are all that scikit-image's package holds, but for `astronaut`, `camera` and
`lfw_subset`, which show people.
"""


def faceless(names: tuple[str, ...]) -> list[Tensor]:
    """Open some of scikit-image's own pictures, [3, H, W] uint8 RGB each; nothing is downloaded."""
    from skimage import data
    from skimage.util import img_as_ubyte

    pictures = []
    for name in names:
        content = getattr(data, name)()
        array = img_as_ubyte(content[0] if isinstance(content, tuple) else content)
        picture = torch.from_numpy(array.copy())
        picture = picture[..., None].expand(-1, -1, 3) if picture.ndim == 2 else picture[..., :3]
        pictures.append(picture.permute(2, 0, 1).contiguous())
    return pictures
