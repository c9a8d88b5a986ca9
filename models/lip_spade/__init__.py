"""LIP-SPADE: recognising its weights and building its model."""

from __future__ import annotations

from ..architecture import Architecture
from ..weights import StateDict, fill, matches
from .adapter import LIPSPADE
from .network import LIPSPADENetwork

_HIDDEN = "head_0.norm_0.mlp_shared.0.weight"
_ENCODER, _UPS = "lip_encoder.model.", "to_rgbs."
_PATTERN = {
    f"{_ENCODER}0.weight": (None, 3, 3, 3),
    f"{_ENCODER}3.logit.0.weight": (None, None, 3, 3),
    f"{_ENCODER}4.weight": (None, None, 3, 3),
    "head_0.conv_0.weight_orig": (None, None, 3, 3),
    _HIDDEN: (None, 3, 3, 3),
    f"{_UPS}0.weight": (3, None, 3, 3),
}


def detect(state: StateDict) -> bool:
    """Tell whether weights are LIP-SPADE's, of any width and depth."""
    return matches(state, _PATTERN)


def load(state: StateDict) -> LIPSPADE:
    """Build LIP-SPADE of the stages and width of the weights."""
    downs = [state[key].shape[0] for key in _numbered(state, _ENCODER)]
    ups = [state[key].shape[1] for key in _numbered(state, _UPS)]
    hidden = state[_HIDDEN].shape[0]
    return LIPSPADE(fill(lambda: LIPSPADENetwork(downs, ups, hidden), state))


def _numbered(state: StateDict, prefix: str) -> list[str]:
    """Keys `PREFIX<number>.weight` in the order of their numbers."""
    keys = (f"{prefix}{number}.weight" for number in range(len(state)))
    return [key for key in keys if key in state]


ARCHITECTURE = Architecture(
    name=LIPSPADE.name,
    role=LIPSPADE.role,
    usual_files=("10_net_G.pth",),
    detect=detect,
    load=load,
)
"""GHOST's super-resolution generator as a restorer."""
