"""MobileFaceNet: recognising its weights and building its model."""

from __future__ import annotations

from ..architecture import Architecture
from ..weights import StateDict, digest, fill, matches
from .adapter import MobileFaceNet
from .network import INPUT, STRIDES, MobileFaceNetNetwork

_STEM, _GLOBAL, _LAST = "conv1.0.weight", "gdconv.depthwise.weight", "conv3.weight"
_NARROW = [f"features.{index}.conv.2.weight" for index in range(len(STRIDES))]
_PATTERN = {
    _STEM: (None, 3, 3, 3),
    **dict.fromkeys(_NARROW, (None, None, 1, 1)),
    _GLOBAL: (None, 1, INPUT // 16, INPUT // 16),
    _LAST: (None, None, 1, 1),
}


def detect(state: StateDict) -> bool:
    """Tell whether weights are MobileFaceNet's, of any width."""
    return matches(state, _PATTERN)


def load(state: StateDict) -> MobileFaceNet:
    """Build MobileFaceNet with the widths that the weights have."""
    blocks = [(state[key].shape[1], state[key].shape[0]) for key in _NARROW]
    stem, (length, width) = state[_STEM].shape[0], state[_LAST].shape[:2]
    network = fill(lambda: MobileFaceNetNetwork(stem, blocks, width, length), state)
    sha256 = digest(state)
    return MobileFaceNet(network, f"{MobileFaceNet.name}-{sha256[:8]}", sha256)


ARCHITECTURE = Architecture(
    name=MobileFaceNet.name,
    role=MobileFaceNet.role,
    usual_files=("mobilefacenet_128.safetensors", "mobilefacenet.pt"),
    detect=detect,
    load=load,
)
