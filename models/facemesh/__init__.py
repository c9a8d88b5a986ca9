"""FaceMesh: recognising its weights and building its model."""

from __future__ import annotations

from itertools import accumulate

from torch import Tensor, nn

from ..architecture import Architecture
from ..graph import Graph
from ..point_graphs import PointGraph, gives, takes
from ..weights import StateDict, fill, matches
from .adapter import FaceMesh
from .network import BLOCKS, INPUT, POINTS, FaceMeshNetwork

# The stem is items 0 and 1 of the backbone; each stage's last block tells its width.
_LAST_BLOCKS = [1 + count for count in accumulate(BLOCKS)]
_WIDTHS = [f"backbone.{index}.convs.1.weight" for index in _LAST_BLOCKS]
_PATTERN = {
    "backbone.0.weight": (None, 3, 3, 3),
    **dict.fromkeys(_WIDTHS, (None, None, 1, 1)),
    "coord_head.6.weight": (3 * POINTS, None, 3, 3),
    "conf_head.4.weight": (1, None, 3, 3),
}


def detect(state: StateDict) -> bool:
    """Tell whether weights are FaceMesh's, of any width."""
    return matches(state, _PATTERN)


def load(state: StateDict) -> FaceMesh:
    """Build FaceMesh with the widths that the weights have."""
    widths = [state[key].shape[0] for key in _WIDTHS]
    hidden = state["coord_head.6.weight"].shape[1]
    return FaceMesh(fill(lambda: FaceMeshNetwork(widths, hidden), state))


def detect_graph(graph: Graph) -> bool:
    """Tell by the sizes of the input, channels last as TensorFlow has them, and of the points."""
    return takes(graph, INPUT, INPUT, 3) and 3 * POINTS in gives(graph)


def load_graph(graph: Graph, module: nn.Module) -> FaceMesh:
    """Build FaceMesh around a converted graph, of batches or of one crop."""
    return FaceMesh(_ChannelsLast(PointGraph(module, graph, POINTS, 3)))


class _ChannelsLast(nn.Module):
    """Feeds crops to a graph that wants channels last; of the confidence nothing is known."""

    def __init__(self, graph: nn.Module) -> None:
        super().__init__()
        self.graph = graph

    def forward(self, crops: Tensor) -> tuple[Tensor, None]:
        return self.graph(crops.permute(0, 2, 3, 1)), None


ARCHITECTURE = Architecture(
    name=FaceMesh.name,
    role=FaceMesh.role,
    usual_files=("facemesh468.safetensors", "facemesh.pth", "FaceMesh.onnx"),
    detect=detect,
    load=load,
    detect_graph=detect_graph,
    load_graph=load_graph,
)
