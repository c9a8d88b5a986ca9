"""FairFace: recognising its graph and building its model."""

from __future__ import annotations

from torch import Tensor, nn

from ..architecture import Architecture
from ..batches import Batched
from ..graph import Graph
from ..weights import CheckpointError, StateDict
from .adapter import INPUT, FairFace

OUTPUTS = {"race_id", "gender_id", "age_id"}


def detect(state: StateDict) -> bool:
    """Tell that no bare weights are known: the ONNX file is what people have."""
    return False


def load(state: StateDict) -> FairFace:
    """Refuse: only the ONNX file is known."""
    raise CheckpointError("fairface loads from its ONNX file only.")


def detect_graph(graph: Graph) -> bool:
    """Tell whether an ONNX graph gives race, gender and age of a picture of 224x224."""
    inputs = list(graph.inputs.values())
    return len(inputs) == 1 and inputs[0][1:] == (3, INPUT, INPUT) and set(graph.outputs) == OUTPUTS


def load_graph(graph: Graph, module: nn.Module) -> FairFace:
    """Build the model around a converted graph."""
    return FairFace(_GenderAndAge(Batched(module, graph), list(graph.outputs)))


class _GenderAndAge(nn.Module):
    """Picks two of a graph's outputs by name."""

    def __init__(self, graph: nn.Module, names: list[str]) -> None:
        super().__init__()
        self.graph = graph
        self.names = names

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        found = dict(zip(self.names, self.graph(images), strict=True))
        return found["gender_id"].reshape(-1), found["age_id"].reshape(-1)


ARCHITECTURE = Architecture(
    name=FairFace.name,
    role=FairFace.role,
    usual_files=("fairface.onnx",),
    detect=detect,
    load=load,
    detect_graph=detect_graph,
    load_graph=load_graph,
)
