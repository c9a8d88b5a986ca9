"""BiSeNet: recognising its weights and building its model."""

from __future__ import annotations

import re

from torch import Tensor, nn

from ...ops.parsing import CLASSES
from ..architecture import Architecture
from ..batches import Batched
from ..graph import Graph
from ..weights import StateDict, fill, matches
from .adapter import BiSeNet
from .network import INPUT, BiSeNetNetwork

_WIDTHS = [f"cp.resnet.layer{stage}.0.conv1.weight" for stage in range(1, 5)]
_CONTEXT = "cp.arm16.conv.conv.weight"
_PATTERN = {
    **dict.fromkeys(_WIDTHS, (None, None, 3, 3)),
    _CONTEXT: (None, None, 3, 3),
    "conv_out.conv_out.weight": (len(CLASSES), None, 1, 1),
}

_LAST = (len(CLASSES), 256, 1, 1)  # the graph's last convolution, of the published width

# yakhyo's face-parsing has the same network under names of its own; the last stage of the ImageNet
# classifier, which it never runs, is in its files too.
_UNUSED = "fpn.backbone.fc."
_RENAMED = (
    (r"^fpn\.backbone\.", "cp.resnet."),
    (r"^fpn\.", "cp."),
    (r"^(conv_out\d*)\.conv\.weight$", r"\1.conv_out.weight"),
    (r"^ffm\.conv_block\.", "ffm.convblk."),
    (r"\.conv_block\.", ".conv."),
    (r"\.norm\.", ".bn."),
    (r"\.attention\.0\.", ".conv_atten."),
    (r"\.attention\.1\.", ".bn_atten."),
)


def detect(state: StateDict) -> bool:
    """Tell whether weights are BiSeNet's for faces, as either of its two repositories has them."""
    return matches(_published(state), _PATTERN)


def load(state: StateDict) -> BiSeNet:
    """Build BiSeNet with the widths and the number of blocks that the weights have."""
    state = _published(state)
    widths = [state[key].shape[0] for key in _WIDTHS]
    blocks = [
        len({key.split(".")[3] for key in state if key.startswith(f"cp.resnet.layer{stage}.")})
        for stage in range(1, 5)
    ]
    context = state[_CONTEXT].shape[0]
    return BiSeNet(fill(lambda: BiSeNetNetwork(widths, blocks, context, len(CLASSES)), state))


def detect_graph(graph: Graph) -> bool:
    """Tell whether an ONNX graph is BiSeNet, as yakhyo and FaceFusion publish it.

    Exports often leave the sizes of the outputs open; the last convolution tells it from ParseNet,
    which has the same input, but another range and order.
    """
    entries = list(graph.inputs.values())
    return (
        len(entries) == 1
        and entries[0][1:] == (3, INPUT, INPUT)
        and any(tuple(w.dims) == _LAST for w in graph.proto.graph.initializer)
    )


def load_graph(graph: Graph, module: nn.Module) -> BiSeNet:
    """Build BiSeNet around a converted graph; of several outputs the first counts."""
    return BiSeNet(_First(Batched(module, graph)))


class _First(nn.Module):
    """Gives a converted graph's first output."""

    def __init__(self, graph: Batched) -> None:
        super().__init__()
        self.graph = graph

    def forward(self, images: Tensor) -> Tensor:
        first: Tensor = self.graph(images)[0]
        return first


def _published(state: StateDict) -> StateDict:
    """The same weights under the names of face-parsing.PyTorch."""
    if "fpn.backbone.conv1.weight" not in state:
        return state
    renamed = {}
    for key, value in state.items():
        if not key.startswith(_UNUSED):
            for pattern, replacement in _RENAMED:
                key = re.sub(pattern, replacement, key)
            renamed[key] = value
    return renamed


ARCHITECTURE = Architecture(
    name=BiSeNet.name,
    role=BiSeNet.role,
    usual_files=(
        "79999_iter.pth",
        "parsing_bisenet.pth",
        "resnet34.pt",
        "resnet18.pt",
        "bisenet_resnet_34.onnx",
        "bisenet_resnet_18.onnx",
        "faceparser_resnet34.onnx",
        "bisenet_resnet18.onnx",
    ),
    detect=detect,
    load=load,
    detect_graph=detect_graph,
    load_graph=load_graph,
)
