"""ArcFace: recognising IResNet weights and ONNX graphs, and building the model."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from ...ops.templates import BEST_POSE
from ..architecture import Architecture
from ..batches import Batched
from ..graph import Graph
from ..weights import StateDict, digest, fill, matches
from .adapter import BYTES, CENTRED, IMAGENET, ArcFace, Range
from .network import INPUT, IResNetNetwork

_LENGTH = 512
_LAYERS = (1, 2, 3, 4)
_PATTERN = {
    "conv1.weight": (None, 3, 3, 3),
    "prelu.weight": (None,),
    **{f"layer{layer}.0.conv1.weight": (None, None, 3, 3) for layer in _LAYERS},
    **{f"layer{layer}.0.downsample.0.weight": (None, None, 1, 1) for layer in _LAYERS},
    "fc.weight": (None, None),
    "features.weight": (None,),
}


@dataclass(frozen=True)
class Published:
    """What is known of weights by their hash."""

    space: str
    """The name by which generators ask for its embeddings."""
    range: Range = CENTRED
    template: str = ArcFace.template


KNOWN: dict[str, Published] = {
    "4c06341c33c2ca1f86781dab0e829f88ad5b64be9fba56e56bc9ebdefc619e43": Published(
        "arcface_w600k_r50"
    ),
    "58949c864ab4a89012aaefc117f1ab8548c5f470bbc3889474bca13a412fc843": Published(
        "arcface_simswap", IMAGENET
    ),
    # GHOST's generators were trained with what its ArcFace says of GHOST's own crops.
    "18bb8057d1cd3ca39411b8a4dde485fa55783e08ceecaf2352f551ca39cd1357": Published(
        "arcface_ghost", template=BEST_POSE
    ),
}
"""By SHA-256 of a published file."""


def detect(state: StateDict) -> bool:
    """Tell whether weights are an IResNet's, of any width and depth."""
    return matches(state, _PATTERN)


def load(state: StateDict) -> ArcFace:
    """Build the IResNet with the widths and depths that the weights have."""
    widths = [state[f"layer{layer}.0.conv1.weight"].shape[0] for layer in _LAYERS]
    blocks = [
        len({key.split(".")[1] for key in state if key.startswith(f"layer{layer}.")})
        for layer in _LAYERS
    ]
    stem, length = state["conv1.weight"].shape[0], state["fc.weight"].shape[0]
    network = fill(lambda: IResNetNetwork(stem, widths, blocks, length), state)
    sha256 = digest(state)
    return ArcFace(network, length, published(sha256).space, sha256)


def detect_graph(graph: Graph) -> bool:
    """Tell whether an ONNX graph maps crops of 112 px to 512 numbers."""
    inputs, outputs = list(graph.inputs.values()), list(graph.outputs.values())
    return (
        len(inputs) == len(outputs) == 1
        and inputs[0][1:] == (3, INPUT, INPUT)
        and outputs[0][-1:] == (_LENGTH,)
    )


def load_graph(graph: Graph, module: nn.Module) -> ArcFace:
    """Build the model around a converted graph."""
    known = published(graph.sha256)
    wanted = BYTES if _scales_itself(graph) else known.range
    network = _Single(Batched(module, graph))
    return ArcFace(network, _LENGTH, known.space, graph.sha256, wanted, known.template)


def published(sha256: str) -> Published:
    """Say what is known of weights by their hash; the space of others is named after it."""
    return KNOWN.get(sha256) or Published(f"{ArcFace.name}-{sha256[:8]}")


def _scales_itself(graph: Graph) -> bool:
    """Tell whether a graph begins by subtracting and multiplying, as MXNet's exports do.

    InsightFace's `ArcFaceONNX` looks at the first eight nodes, too.
    """
    first = {node.op_type for node in graph.proto.graph.node[:8]}
    return {"Sub", "Mul"} <= first


class _Single(nn.Module):
    """Gives the only output of a graph, one row an embedding."""

    def __init__(self, graph: nn.Module) -> None:
        super().__init__()
        self.graph = graph

    def forward(self, images: Tensor) -> Tensor:
        embedding: Tensor = self.graph(images)[0]
        return embedding.reshape(len(images), -1)


ARCHITECTURE = Architecture(
    name=ArcFace.name,
    role=ArcFace.role,
    usual_files=(
        "w600k_r50.onnx",
        "arcface_w600k_r50.onnx",
        "w600k_mbf.onnx",
        "glintr100.onnx",
        "simswap_arcface_model.onnx",
        "ghost_arcface_backbone.onnx",
        "backbone.pth",
    ),
    detect=detect,
    load=load,
    detect_graph=detect_graph,
    load_graph=load_graph,
)
