"""FaceShifter by taotaonice: recognising its weights and building its model."""

from __future__ import annotations

from ..aei import load_network
from ..architecture import Architecture
from ..weights import StateDict, matches
from .adapter import FaceShifter
from .network import LAYOUT

_LAYER = "generator.AADBlk1.AAD1"
_PATTERN = {
    "generator.up1.weight": (None, None, 2, 2),
    f"{_LAYER}.conv1.weight": (None, None, None, None),
    f"{_LAYER}.fc1.weight": (None, None),
    f"{_LAYER}.conv_h.weight": (None, None, None, None),
}


def detect(state: StateDict) -> bool:
    """Tell whether weights are this FaceShifter's, of any widths."""
    return matches(state, _PATTERN)


def load(state: StateDict) -> FaceShifter:
    """Build FaceShifter with the widths that the weights have."""
    return FaceShifter(load_network(state, LAYOUT))


ARCHITECTURE = Architecture(
    name=FaceShifter.name,
    role=FaceShifter.role,
    usual_files=("G_latest.pth",),
    detect=detect,
    load=load,
)
"""FaceShifter by taotaonice as a swapper."""
