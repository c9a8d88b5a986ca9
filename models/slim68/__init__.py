"""Slim: recognising its weights and building its model."""

from __future__ import annotations

from ..architecture import Architecture
from ..graph import Graph
from ..point_graphs import gives, takes
from ..weights import StateDict, fill, matches
from .adapter import INPUT, Slim68
from .network import OUTPUTS, STRIDES, SlimNetwork

_STEM = "conv1.0.weight"
_WIDTHS = [f"conv{number}.3.weight" for number in STRIDES]
_PATTERN = {
    _STEM: (None, 3, 3, 3),
    **dict.fromkeys(_WIDTHS, (None, None, 1, 1)),
    "fc.weight": (OUTPUTS, None),
}


def detect(state: StateDict) -> bool:
    """Tell whether weights are Slim's, of any width."""
    return matches(state, _PATTERN)


def load(state: StateDict) -> Slim68:
    """Build Slim with the widths that the weights have."""
    widths = [state[key].shape[0] for key in (_STEM, *_WIDTHS)]
    return Slim68(fill(lambda: SlimNetwork(widths), state))


def detect_graph(graph: Graph) -> bool:
    """Tell by the sizes of the input and of the one output; the weights have kept their names."""
    return takes(graph, 3, INPUT, INPUT) and gives(graph) == [OUTPUTS]


ARCHITECTURE = Architecture(
    name=Slim68.name,
    role=Slim68.role,
    usual_files=(
        "slim68_160.safetensors",
        "slim_160_latest.pth",
        "slim_160_latest.onnx",
    ),
    detect=detect,
    load=load,
    detect_graph=detect_graph,
)
