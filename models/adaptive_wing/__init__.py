"""AdaptiveWing's FAN: recognising its weights and building its model."""

from __future__ import annotations

from ..architecture import Architecture
from ..weights import StateDict, fill, matches
from .adapter import AdaptiveWing
from .network import AdaptiveWingNetwork

_WIDTHS = ("bn1.weight", "conv3.bn1.weight", "bn_end0.weight")
_HEATMAPS = "l0.weight"
_PATTERN = {
    "conv1.conv.weight": (None, 6, 7, 7),
    **dict.fromkeys(_WIDTHS, (None,)),
    "m0.coordconv.conv.weight": (None, None, 1, 1),
    "m0.b1_1.bn1.weight": (None,),
    _HEATMAPS: (None, None, 1, 1),
}


def detect(state: StateDict) -> bool:
    """Tell whether weights are AdaptiveWing's, of any width, depth and number of landmarks."""
    return matches(state, _PATTERN)


def load(state: StateDict) -> AdaptiveWing:
    """Build the network with the widths, stacks, depth and landmarks that the weights have."""
    widths = [state[key].shape[0] for key in _WIDTHS]
    stacks = sum(key.startswith("bn_end") and key.endswith(".weight") for key in state)
    depth = sum(key.startswith("m0.b1_") and key.endswith(".bn1.weight") for key in state)
    points = state[_HEATMAPS].shape[0] - 1
    network = fill(lambda: AdaptiveWingNetwork(widths, stacks, depth, points), state)
    return AdaptiveWing(network, points)


ARCHITECTURE = Architecture(
    name=AdaptiveWing.name,
    role=AdaptiveWing.role,
    usual_files=("WFLW_4HG.pth", "alignment_WFLW_4HG.pth"),
    detect=detect,
    load=load,
)
