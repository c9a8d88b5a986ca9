"""Peppa Wutz: recognising its graph and building its model."""

from __future__ import annotations

from torch import nn

from ..architecture import Architecture
from ..graph import Graph
from ..point_graphs import PointGraph, gives, takes
from ..weights import CheckpointError, StateDict
from .adapter import INPUT, POINTS, Peppa


def detect(state: StateDict) -> bool:
    """Of Peppa Wutz only the graph is published."""
    return False


def load(state: StateDict) -> Peppa:
    """Refuse weights without their graph."""
    raise CheckpointError("Peppa Wutz loads from its .onnx file only.")


def detect_graph(graph: Graph) -> bool:
    """Tell by the sizes of the input and of the one output."""
    return takes(graph, 3, INPUT, INPUT) and gives(graph) == [3 * POINTS]


def load_graph(graph: Graph, module: nn.Module) -> Peppa:
    """Build the model around a converted graph, of batches or of one crop."""
    return Peppa(PointGraph(module, graph, POINTS, 3))


ARCHITECTURE = Architecture(
    name=Peppa.name,
    role=Peppa.role,
    usual_files=("peppa_wutz.onnx",),
    detect=detect,
    load=load,
    detect_graph=detect_graph,
    load_graph=load_graph,
)
