"""FaceLoom's own detector: recognising its weights and building its model."""

from __future__ import annotations

from pathlib import Path

from ..architecture import Architecture
from ..weights import StateDict, fill, matches
from .adapter import LoomDetector
from .network import LoomDetectorNetwork

_STEM = [f"stem.{layer}.conv.weight" for layer in range(2)]
_WIDTH = "box.1.weight"
_PATTERN = {
    _STEM[0]: (None, 3, 3, 3),
    _STEM[1]: (None, None, 3, 3),
    "merge.0.conv.weight": (None, None, 3, 3),
    _WIDTH: (5, None, 3, 3),
    "points.1.weight": (10, None, 3, 3),
}


def detect(state: StateDict) -> bool:
    """Tell whether weights are this network's, of any width."""
    return matches(state, _PATTERN)


def load(state: StateDict) -> LoomDetector:
    """Build the detector with the widths that the weights have."""
    stem = [state[key].shape[0] for key in _STEM]
    width = state[_WIDTH].shape[1]
    return LoomDetector(fill(lambda: LoomDetectorNetwork(stem, width), state))


ARCHITECTURE = Architecture(
    name=LoomDetector.name,
    role=LoomDetector.role,
    usual_files=(),
    detect=detect,
    load=load,
    built_in=Path(__file__).with_name("weights.safetensors"),
)
"""FaceLoom's own detector as a detector."""
