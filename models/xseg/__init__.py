"""XSeg, DeepFaceLab's mask of the visible face, and VisoMaster's occluder: graphs only."""

from __future__ import annotations

from torch import Tensor, nn

from ..architecture import Architecture
from ..batches import Batched
from ..graph import Graph
from ..weights import CheckpointError, StateDict
from .adapter import XSeg


def detect(state: StateDict) -> bool:
    """Tell that no weights without a graph are XSeg's: they are published as ONNX only."""
    return False


def load(state: StateDict) -> XSeg:
    """Refuse weights without a graph.

    Raises:
        CheckpointError: always.
    """
    raise CheckpointError("XSeg loads from ONNX only.")


def detect_graph(graph: Graph) -> bool:
    """Tell whether an ONNX graph is XSeg, or VisoMaster's occluder."""
    return _is_xseg(graph) or _is_occluder(graph)


def load_graph(graph: Graph, module: nn.Module) -> XSeg:
    """Build the model around a converted graph."""
    (entry,) = graph.inputs.values()
    batched = Batched(module, graph)
    if _is_xseg(graph):
        # DeepFaceLab trains it on whole faces, and gave it to the world under its own licence.
        return XSeg(_ChannelsLast(batched), entry[1] or 256, "dfl_whole_face", "GPL-3.0")
    return XSeg(_Logits(batched), entry[2] or 256, "arcface_128", "not stated")


def _is_xseg(graph: Graph) -> bool:
    """Pictures in and a mask out with the channels last, as TensorFlow has them."""
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        return False
    (entry,), (mask,) = graph.inputs.values(), graph.outputs.values()
    square = len(entry) == len(mask) == 4 and entry[1] == entry[2]
    return square and entry[3] == 3 and mask[3] == 1 and mask[1:3] in (entry[1:3], (None, None))


def _is_occluder(graph: Graph) -> bool:
    """Any network from a picture to a mask looks like this one, so its names must fit too."""
    if list(graph.inputs) != ["img"] or list(graph.outputs) != ["output"]:
        return False
    entry, mask = graph.inputs["img"], graph.outputs["output"]
    return entry[1:] == (3, 256, 256) and mask[1:] in ((1, 256, 256), (1, None, None))


class _ChannelsLast(nn.Module):
    """Feeds BGR with the channels last to a graph whose answer is a probability."""

    def __init__(self, graph: Batched) -> None:
        super().__init__()
        self.graph = graph

    def forward(self, images: Tensor) -> Tensor:
        mask: Tensor = self.graph(images.flip(1).movedim(1, -1))[0]
        return mask.movedim(-1, 1)


class _Logits(nn.Module):
    """Turns a graph's logits into probabilities."""

    def __init__(self, graph: Batched) -> None:
        super().__init__()
        self.graph = graph

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.graph(images)[0]
        return logits.sigmoid()


ARCHITECTURE = Architecture(
    name=XSeg.name,
    role=XSeg.role,
    usual_files=("xseg_1.onnx", "xseg_2.onnx", "xseg_3.onnx", "XSeg_model.onnx", "occluder.onnx"),
    detect=detect,
    load=load,
    detect_graph=detect_graph,
    load_graph=load_graph,
)
