"""SCRFD: recognising its graphs and building its model."""

from __future__ import annotations

from collections import Counter

from torch import nn

from ..architecture import Architecture
from ..batches import Batched
from ..graph import Graph
from ..weights import CheckpointError, StateDict
from .adapter import SCRFD, VALUES

_ANCHORS = {3: 2, 5: 1}
"""Anchors a cell of the published networks, by the number of their strides."""


def detect(state: StateDict) -> bool:
    """SCRFD travels as ONNX only: training checkpoints depend on a searched configuration."""
    return False


def load(state: StateDict) -> SCRFD:
    """Refuse weights without their graph."""
    raise CheckpointError("SCRFD loads from its .onnx file only.")


def detect_graph(graph: Graph) -> bool:
    """Tell by the widths of the output convolutions, whatever the outputs' names and order."""
    return len(graph.inputs) == 1 and _strides(graph) is not None


def load_graph(graph: Graph, module: nn.Module) -> SCRFD:
    """Build SCRFD around a converted graph of free or fixed input size.

    Raises:
        CheckpointError: the network finds boxes without points.
    """
    strides = _strides(graph)
    if strides is None or len(graph.outputs) == 2 * strides:
        raise CheckpointError(
            "this SCRFD finds boxes only, and aligning a face takes five points; get a file that "
            "finds them, such as scrfd_10g_bnkps.onnx or det_10g.onnx."
        )
    (shape,) = graph.inputs.values()
    height, width = shape[-2:]
    fixed = (height, width) if height and width else None
    return SCRFD(Batched(module, graph), strides, fixed)


def _strides(graph: Graph) -> int | None:
    """How many strides a graph predicts at, or None if it is no SCRFD."""
    for strides, anchors in _ANCHORS.items():
        kinds, rest = divmod(len(graph.outputs), strides)
        if rest or kinds not in (2, 3):
            continue
        heads = Counter({anchors * values: strides for values in VALUES[:kinds]})
        if Counter(_head_widths(graph)) == heads:
            return strides
    return None


def _head_widths(graph: Graph) -> list[int]:
    """Output channels of the convolution behind each output; 0 where there is none."""
    nodes = graph.proto.graph.node
    makers = {name: node for node in nodes if node.op_type != "Constant" for name in node.output}
    weights = {tensor.name: tensor.dims for tensor in graph.proto.graph.initializer}
    widths = []
    for name in graph.outputs:
        node = makers.get(name)
        while node is not None and node.op_type != "Conv":
            node = next((makers[source] for source in node.input if source in makers), None)
        widths.append(int(weights.get(node.input[1], [0])[0]) if node is not None else 0)
    return widths


ARCHITECTURE = Architecture(
    name=SCRFD.name,
    role=SCRFD.role,
    usual_files=(
        "det_10g.onnx",
        "scrfd_10g_bnkps.onnx",
        "scrfd_10g.onnx",
        "retinaface_10g.onnx",
        "scrfd_2.5g_bnkps.onnx",
        "scrfd_2.5g.onnx",
        "det_2.5g.onnx",
        "scrfd_500m_bnkps.onnx",
        "det_500m.onnx",
    ),
    detect=detect,
    load=load,
    detect_graph=detect_graph,
    load_graph=load_graph,
)
"""SCRFD as a detector."""
