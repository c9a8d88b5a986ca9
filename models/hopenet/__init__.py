"""Hopenet: recognising its weights and building its model."""

from __future__ import annotations

from ..architecture import Architecture
from ..weights import StateDict, fill, matches
from .adapter import Hopenet
from .network import BINS, HopenetNetwork

_STEM = "conv1.weight"
_PATTERN = {
    _STEM: (None, 3, 7, 7),
    "layer4.0.conv3.weight": (None, None, 1, 1),
    **{f"fc_{angle}.weight": (BINS, None) for angle in ("yaw", "pitch", "roll")},
}


def detect(state: StateDict) -> bool:
    """Tell whether weights are Hopenet's on a ResNet of bottlenecks, of any width and depth."""
    return matches(state, _PATTERN)


def load(state: StateDict) -> Hopenet:
    """Build Hopenet with the width and the number of blocks that the weights have."""
    width = state[_STEM].shape[0]
    layers = (f"layer{number}" for number in range(1, 5))
    blocks = [len({key.split(".")[1] for key in state if key.startswith(f"{x}.")}) for x in layers]
    return Hopenet(fill(lambda: HopenetNetwork(width, blocks), state))


ARCHITECTURE = Architecture(
    name=Hopenet.name,
    role=Hopenet.role,
    usual_files=("hopenet_robust_alpha1.pth",),
    detect=detect,
    load=load,
)
