"""YOLOface: recognising its graphs and building its model."""

from __future__ import annotations

from torch import nn

from ..architecture import Architecture
from ..batches import Batched
from ..graph import Graph
from ..weights import CheckpointError, StateDict
from .adapter import STRIDES, VALUES, YOLOFace


def detect(state: StateDict) -> bool:
    """YOLOface travels as ONNX: its .pt files hold code."""
    return False


def load(state: StateDict) -> YOLOFace:
    """Refuse weights without their graph."""
    raise CheckpointError("YOLOface loads from its .onnx file only.")


def detect_graph(graph: Graph) -> bool:
    """Tell by shapes: one output of 20 values a cell, as many cells as the picture has."""
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        return False
    (picture,), (found,) = graph.inputs.values(), graph.outputs.values()
    if len(picture) != 4 or len(found) != 3 or found[1] != VALUES:
        return False
    height, width = picture[2:]
    if height is None or width is None or found[2] is None:
        return True
    return found[2] == sum((height // s) * (width // s) for s in STRIDES)


def load_graph(graph: Graph, module: nn.Module) -> YOLOFace:
    """Build YOLOface around a converted graph of free or fixed input size."""
    (shape,) = graph.inputs.values()
    height, width = shape[-2:]
    fixed = (height, width) if height and width else None
    return YOLOFace(Batched(module, graph), fixed)


ARCHITECTURE = Architecture(
    name=YOLOFace.name,
    role=YOLOFace.role,
    usual_files=("yoloface_8n.onnx", "yolov8n-face.onnx"),
    detect=detect,
    load=load,
    detect_graph=detect_graph,
    load_graph=load_graph,
)
"""YOLOface as a detector."""
