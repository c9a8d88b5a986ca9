"""InsightFace's genderage: recognising its graph and building its model."""

from __future__ import annotations

from torch import nn

from ..architecture import Architecture
from ..batches import Batched
from ..graph import Graph
from ..weights import CheckpointError, StateDict
from .adapter import INPUT, OUTPUTS, GenderAge


def detect(state: StateDict) -> bool:
    """Tell that no bare weights are known: it is published as ONNX only."""
    return False


def load(state: StateDict) -> GenderAge:
    """Refuse: it is published as ONNX only."""
    raise CheckpointError("genderage loads from its ONNX file only.")


def detect_graph(graph: Graph) -> bool:
    """Tell whether an ONNX graph maps a picture of 96x96 to three numbers."""
    inputs, outputs = list(graph.inputs.values()), list(graph.outputs.values())
    return (
        len(inputs) == len(outputs) == 1
        and inputs[0][1:] == (3, INPUT, INPUT)
        and outputs[0][1:] == (OUTPUTS,)
    )


def load_graph(graph: Graph, module: nn.Module) -> GenderAge:
    """Build the model around a converted graph."""
    return GenderAge(Batched(module, graph))


ARCHITECTURE = Architecture(
    name=GenderAge.name,
    role=GenderAge.role,
    usual_files=("genderage.onnx", "genderage.v1.onnx"),
    detect=detect,
    load=load,
    detect_graph=detect_graph,
    load_graph=load_graph,
)
