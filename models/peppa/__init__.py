"""Peppa: recognising its graphs and building its model."""

from __future__ import annotations

from torch import nn

from ..architecture import Architecture
from ..graph import Graph
from ..point_graphs import PointGraph, gives, takes
from ..weights import CheckpointError, StateDict
from .adapter import INPUT, Peppa

_POINTS = (68, 98)


def detect(state: StateDict) -> bool:
    """They travel as ONNX only."""
    return False


def load(state: StateDict) -> Peppa:
    """Refuse weights without their graph."""
    raise CheckpointError("Peppa loads from its .onnx files only.")


def detect_graph(graph: Graph) -> bool:
    """Tell by the sizes of the input and of the one output."""
    return takes(graph, 3, INPUT, INPUT) and gives(graph) in [[3 * n] for n in _POINTS]


def load_graph(graph: Graph, module: nn.Module) -> Peppa:
    """Build the model around a converted graph, of batches or of one crop."""
    points = gives(graph)[0] // 3
    return Peppa(PointGraph(module, graph, points, 3), points)


ARCHITECTURE = Architecture(
    name=Peppa.name,
    role=Peppa.role,
    usual_files=("peppa_wutz.onnx", "peppapig_teacher_Nx3x256x256.onnx"),
    detect=detect,
    load=load,
    detect_graph=detect_graph,
    load_graph=load_graph,
)
