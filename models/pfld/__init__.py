"""PFLD: recognising its weights or graph and building its model."""

from __future__ import annotations

from torch import nn

from ..architecture import Architecture
from ..graph import Graph
from ..point_graphs import PointGraph, gives, takes
from ..weights import StateDict, fill, matches
from .adapter import INPUT, PFLD
from .network import PFLDNetwork

_WIDTHS = [f"conv{name}.weight" for name in ("1", "4_1.conv.6", "6_1.conv.6", "7.0", "8")]
_POINTS = (68, 98)
_PATTERN = {
    "conv1.weight": (None, 3, 3, 3),
    **dict.fromkeys(_WIDTHS[1:3], (None, None, 1, 1)),
    "block5_6.conv.6.weight": (None, None, 1, 1),
    "conv7.0.weight": (None, None, 3, 3),
    "conv8.weight": (None, None, 7, 7),
}


def detect(state: StateDict) -> bool:
    """Tell whether weights are PFLD's, of any width, with 68 or 98 points."""
    return any(matches(state, {**_PATTERN, "fc.weight": (2 * points, None)}) for points in _POINTS)


def load(state: StateDict) -> PFLD:
    """Build PFLD with the widths and points that the weights have."""
    widths = [state[key].shape[0] for key in _WIDTHS]
    points = state["fc.weight"].shape[0] // 2
    return PFLD(fill(lambda: PFLDNetwork(widths, points), state), points)


def detect_graph(graph: Graph) -> bool:
    """Tell by the sizes of the input and of the points; features may come out beside them."""
    return takes(graph, 3, INPUT, INPUT) and _points(graph) is not None


def load_graph(graph: Graph, module: nn.Module) -> PFLD:
    """Build PFLD around a converted graph, of batches or of one crop."""
    points = _points(graph) or 0
    return PFLD(PointGraph(module, graph, points, 2), points)


def _points(graph: Graph) -> int | None:
    return next((points for points in _POINTS if 2 * points in gives(graph)), None)


ARCHITECTURE = Architecture(
    name=PFLD.name,
    role=PFLD.role,
    usual_files=("pfld.pth", "pfld.onnx", "pfld-sim.onnx"),
    detect=detect,
    load=load,
    detect_graph=detect_graph,
    load_graph=load_graph,
)
