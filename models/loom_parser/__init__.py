"""FaceLoom's own parser: recognising its weights and building its model."""

from __future__ import annotations

from pathlib import Path

from ..architecture import Architecture
from ..blocks import stage_sizes
from ..weights import StateDict, fill, matches
from .adapter import LoomParser
from .network import CLASSES, LoomParserNetwork

_PATTERN = {
    "down.0.0.conv.weight": (None, 3, 3, 3),
    "up.0.conv.weight": (None, None, 3, 3),
    "head.conv.weight": (None, None, 3, 3),
    "classes.weight": (CLASSES, None, 3, 3),
}


def detect(state: StateDict) -> bool:
    """Tell whether weights are this network's, of any width and depth."""
    return matches(state, _PATTERN)


def load(state: StateDict) -> LoomParser:
    """Build the parser with the widths and blocks that the weights have."""
    widths, blocks = stage_sizes(state, "down")
    head = state["head.conv.weight"].shape[0]
    return LoomParser(fill(lambda: LoomParserNetwork(widths, blocks, head), state))


ARCHITECTURE = Architecture(
    name=LoomParser.name,
    role=LoomParser.role,
    usual_files=(),
    detect=detect,
    load=load,
    built_in=Path(__file__).with_name("weights.safetensors"),
)
