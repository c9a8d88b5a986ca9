"""FaceLoom's own landmarker: recognising its weights and building its model."""

from __future__ import annotations

from pathlib import Path

from ..architecture import Architecture
from ..blocks import stage_sizes
from ..weights import StateDict, fill, matches
from .adapter import LoomLandmarker
from .network import POINTS, LoomLandmarkerNetwork

_PATTERN = {
    "stages.0.0.conv.weight": (None, 3, 3, 3),
    "describe.weight": (None, None),
    "shape.weight": (3 * POINTS, None),
    "confidence.weight": (1, None),
}


def detect(state: StateDict) -> bool:
    """Tell whether weights are this network's, of any width and depth."""
    return matches(state, _PATTERN)


def load(state: StateDict) -> LoomLandmarker:
    """Build the landmarker with the widths and blocks that the weights have."""
    widths, blocks = stage_sizes(state, "stages")
    hidden = state["describe.weight"].shape[0]
    return LoomLandmarker(fill(lambda: LoomLandmarkerNetwork(widths, blocks, hidden), state))


ARCHITECTURE = Architecture(
    name=LoomLandmarker.name,
    role=LoomLandmarker.role,
    usual_files=(),
    detect=detect,
    load=load,
    built_in=Path(__file__).with_name("weights.safetensors"),
)
