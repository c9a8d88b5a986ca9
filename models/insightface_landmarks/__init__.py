"""InsightFace's 2d106det and 1k3d68: recognising their graphs and building their model."""

from __future__ import annotations

from torch import nn

from ..architecture import Architecture
from ..graph import Graph
from ..point_graphs import PointGraph, gives, takes
from ..weights import CheckpointError, StateDict
from .adapter import INPUT, InsightFaceLandmarks

_KINDS = {2 * 106: (106, 2, 106), 3 * 1103: (1103, 3, 68)}
"""Numbers the graph gives: its points, their columns, and how many of them are landmarks."""


def detect(state: StateDict) -> bool:
    """They travel as ONNX only."""
    return False


def load(state: StateDict) -> InsightFaceLandmarks:
    """Refuse weights without their graph."""
    raise CheckpointError("InsightFace's landmarkers load from their .onnx files only.")


def detect_graph(graph: Graph) -> bool:
    """Tell by the sizes of the input and of the one output."""
    return takes(graph, 3, INPUT, INPUT) and any(gives(graph) == [kind] for kind in _KINDS)


def load_graph(graph: Graph, module: nn.Module) -> InsightFaceLandmarks:
    """Build the model around a converted graph, of batches or of one crop."""
    found, columns, points = _KINDS[gives(graph)[0]]
    return InsightFaceLandmarks(PointGraph(module, graph, found, columns), points)


ARCHITECTURE = Architecture(
    name=InsightFaceLandmarks.name,
    role=InsightFaceLandmarks.role,
    usual_files=("1k3d68.onnx", "2d106det.onnx"),
    detect=detect,
    load=load,
    detect_graph=detect_graph,
    load_graph=load_graph,
)
