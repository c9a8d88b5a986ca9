"""FaceMesh with irises: recognising its graph and building its model."""

from __future__ import annotations

from torch import nn

from ..architecture import Architecture
from ..graph import Graph
from ..point_graphs import PointGraph, gives, takes
from ..weights import CheckpointError, StateDict
from .adapter import INPUT, POINTS, FaceMesh478


def detect(state: StateDict) -> bool:
    """It travels as ONNX only, converted from MediaPipe's own format."""
    return False


def load(state: StateDict) -> FaceMesh478:
    """Refuse weights without their graph."""
    raise CheckpointError("FaceMesh with irises loads from its .onnx file only.")


def detect_graph(graph: Graph) -> bool:
    """Tell by the sizes of the input and of the points, whatever their names."""
    return takes(graph, 3, INPUT, INPUT) and 3 * POINTS in gives(graph)


def load_graph(graph: Graph, module: nn.Module) -> FaceMesh478:
    """Build the model around a converted graph, of batches or of one crop."""
    return FaceMesh478(PointGraph(module, graph, POINTS, 3))


ARCHITECTURE = Architecture(
    name=FaceMesh478.name,
    role=FaceMesh478.role,
    usual_files=("face_landmarks_detector_Nx3x256x256.onnx",),
    detect=detect,
    load=load,
    detect_graph=detect_graph,
    load_graph=load_graph,
)
