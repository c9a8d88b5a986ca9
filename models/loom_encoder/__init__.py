"""FaceLoom's own encoder: recognising its weights and building its model."""

from __future__ import annotations

from pathlib import Path

from ..architecture import Architecture
from ..blocks import stage_sizes
from ..weights import StateDict, digest, fill, matches
from .adapter import LoomEncoder
from .network import LoomEncoderNetwork

_PATTERN = {
    "stages.0.0.conv.weight": (None, 3, 3, 3),
    "narrow.weight": (None, None, 1, 1),
    "widen.weight": (None, None, 1, 1),
    "cells": (None, None, None),
    "linear.weight": (None, None),
}


def detect(state: StateDict) -> bool:
    """Tell whether weights are this network's, of any width and depth."""
    return matches(state, _PATTERN)


def load(state: StateDict) -> LoomEncoder:
    """Build the encoder with the widths and blocks that the weights have."""
    widths, blocks = stage_sizes(state, "stages")
    wide, narrow = state["widen.weight"].shape[:2]
    length = state["linear.weight"].shape[0]
    network = fill(lambda: LoomEncoderNetwork(widths, blocks, narrow, wide, length), state)
    sha256 = digest(state)
    return LoomEncoder(network, f"{LoomEncoder.name}-{sha256[:8]}", sha256)


ARCHITECTURE = Architecture(
    name=LoomEncoder.name,
    role=LoomEncoder.role,
    usual_files=(),
    detect=detect,
    load=load,
    built_in=Path(__file__).with_name("weights.safetensors"),
)
