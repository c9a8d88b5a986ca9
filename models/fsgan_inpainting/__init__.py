"""FSGAN's inpainter (Gc): recognising its weights and building its model."""

from __future__ import annotations

from ..architecture import Architecture
from ..fsgan.checkpoint import build, inputs_of, sizes_of
from ..weights import StateDict
from .adapter import FSGANInpainting

_INPUTS = 4  # a picture, and the mask of the face


def detect(state: StateDict) -> bool:
    """Tell whether weights are those of FSGAN's inpainter, of either generation."""
    return inputs_of(state) == _INPUTS


def load(state: StateDict) -> FSGANInpainting:
    """Build the inpainter of the generation, the widths and the depth of the weights."""
    return FSGANInpainting(build(state), sizes_of(state)[0])


ARCHITECTURE = Architecture(
    name=FSGANInpainting.name,
    role=FSGANInpainting.role,
    usual_files=(
        "ijbc_msrunet_256_1_2_inpainting_v2.pth",
        "ijbc_msrunet_256_2_0_inpainting_v1.pth",
    ),
    detect=detect,
    load=load,
)
