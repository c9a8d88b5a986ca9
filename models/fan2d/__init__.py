"""2DFAN: recognising its graph and building its model."""

from __future__ import annotations

from torch import nn

from ..architecture import Architecture
from ..graph import Graph
from ..point_graphs import PointGraph, gives, takes
from ..weights import CheckpointError, StateDict
from .adapter import FAN2D, HEATMAP, INPUT, POINTS


def detect(state: StateDict) -> bool:
    """Of 2DFAN the graph is taken, which holds the reading of the heat maps too."""
    return False


def load(state: StateDict) -> FAN2D:
    """Refuse weights without their graph."""
    raise CheckpointError("2DFAN loads from its .onnx file only.")


def detect_graph(graph: Graph) -> bool:
    """Tell by the sizes of the input, of the points and of the heat maps."""
    sizes = [3 * POINTS, POINTS * HEATMAP * HEATMAP]
    return takes(graph, 3, INPUT, INPUT) and sorted(gives(graph)) == sizes


def load_graph(graph: Graph, module: nn.Module) -> FAN2D:
    """Build the model around a converted graph, of batches or of one crop."""
    return FAN2D(PointGraph(module, graph, POINTS, 3))


ARCHITECTURE = Architecture(
    name=FAN2D.name,
    role=FAN2D.role,
    usual_files=("2dfan4.onnx",),
    detect=detect,
    load=load,
    detect_graph=detect_graph,
    load_graph=load_graph,
)
