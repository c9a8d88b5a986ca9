"""FSGAN's parser (Gs): recognising its weights and building its model."""

from __future__ import annotations

from ..architecture import Architecture
from ..weights import StateDict, fill, matches
from .adapter import CLASSES_SEEN, FSGANSegmentation
from .network import UNet

_WIDTHS = [f"{level}.conv1.0.weight" for level in ("conv1", "conv2", "conv3", "conv4", "center")]
_PATTERN = {
    **dict.fromkeys(_WIDTHS, (None, None, 3, 3)),
    _WIDTHS[0]: (None, 3, 3, 3),
    "up_concat1.conv1d.bias": (None,),
    "final.weight": (len(CLASSES_SEEN), None, 1, 1),
}


def detect(state: StateDict) -> bool:
    """Tell whether weights are those of FSGAN's parser, of either generation."""
    return matches(state, _PATTERN)


def load(state: StateDict) -> FSGANSegmentation:
    """Build the parser of the widths of the weights."""
    widths = [state[key].shape[0] for key in _WIDTHS]
    # The first generation's 1x1 convolutions have one axis of size 1, or, by its odd way of making
    # them, two.
    whole = {
        key: value[..., None] if ".conv1d.weight" in key and value.ndim == 3 else value
        for key, value in state.items()
    }
    return FSGANSegmentation(fill(lambda: UNet(widths, len(CLASSES_SEEN)), whole))


ARCHITECTURE = Architecture(
    name=FSGANSegmentation.name,
    role=FSGANSegmentation.role,
    usual_files=(
        "celeba_unet_256_1_2_segmentation_v2.pth",
        "lfw_figaro_unet_256_2_0_segmentation_v1.pth",
    ),
    detect=detect,
    load=load,
)
