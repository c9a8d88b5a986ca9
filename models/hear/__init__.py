"""HEAR-Net: recognising its weights and building its model."""

from __future__ import annotations

from ..architecture import Architecture
from ..weights import StateDict, fill, matches
from .adapter import HEAR
from .network import LEVELS, HEARNetwork

_DOWNS = [f"down{level}.0.weight" for level in LEVELS]
_UPS = [f"up{level}.0.weight" for level in LEVELS[:-1]]
_PATTERN = {
    **dict.fromkeys(_DOWNS + _UPS, (None, None, 4, 4)),
    "down1.0.weight": (None, 6, 4, 4),
    "up5.weight": (3, None, 3, 3),
}


def detect(state: StateDict) -> bool:
    """Tell whether weights are HEAR-Net's, of any width."""
    return matches(state, _PATTERN)


def load(state: StateDict) -> HEAR:
    """Build HEAR-Net of the width of the weights."""
    downs = [state[key].shape[0] for key in _DOWNS]
    ups = [state[key].shape[1] for key in _UPS]
    return HEAR(fill(lambda: HEARNetwork(downs, ups), state))


ARCHITECTURE = Architecture(
    name=HEAR.name,
    role=HEAR.role,
    usual_files=("HEAR_latest.pth",),
    detect=detect,
    load=load,
)
"""FaceShifter's HEAR-Net as a refiner."""
