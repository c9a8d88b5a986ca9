"""FSGAN's reenactor (Gr): recognising its weights and building its model."""

from __future__ import annotations

from ...ops.heatmaps import disc_power8, patch_gaussian
from ..architecture import Architecture
from ..fsgan.checkpoint import build, inputs_of, sizes_of
from ..weights import StateDict
from .adapter import PICTURE, FSGANReenactment

_DRAWN = {68: patch_gaussian, 98: disc_power8}
"""How each generation draws its landmarks, by their number."""
_MARGINS = {68: 2.0, 98: 1.2}


def detect(state: StateDict) -> bool:
    """Tell whether weights are those of FSGAN's reenactor, of either generation."""
    return (inputs_of(state) or 0) - PICTURE in _DRAWN


def load(state: StateDict) -> FSGANReenactment:
    """Build the reenactor of the generation, the widths and the depth of the weights."""
    points = (inputs_of(state) or 0) - PICTURE
    return FSGANReenactment(build(state), points, sizes_of(state), _MARGINS[points], _DRAWN[points])


ARCHITECTURE = Architecture(
    name=FSGANReenactment.name,
    role=FSGANReenactment.role,
    usual_files=(
        "nfv_msrunet_256_1_2_reenactment_v2.1.pth",
        "ijbc_msrunet_256_2_0_reenactment_v1.pth",
        "ijbc_msrunet_256_1_2_reenactment_stepwise_v1.pth",
    ),
    detect=detect,
    load=load,
)
