"""FSGAN's blender (Gb): recognising its weights and building its model."""

from __future__ import annotations

from ..architecture import Architecture
from ..fsgan.checkpoint import build, inputs_of, sizes_of
from ..weights import StateDict
from .adapter import FSGANBlending

_INPUTS = 7  # two pictures, and the mask between them


def detect(state: StateDict) -> bool:
    """Tell whether weights are those of FSGAN's blender, of either generation."""
    return inputs_of(state) == _INPUTS


def load(state: StateDict) -> FSGANBlending:
    """Build the blender of the generation, the widths and the depth of the weights."""
    return FSGANBlending(build(state), sizes_of(state)[0])


ARCHITECTURE = Architecture(
    name=FSGANBlending.name,
    role=FSGANBlending.role,
    usual_files=("ijbc_msrunet_256_1_2_blending_v2.pth", "ijbc_msrunet_256_2_0_blending_v1.pth"),
    detect=detect,
    load=load,
)
