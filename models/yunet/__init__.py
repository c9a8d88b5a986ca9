"""YuNet: recognising its weights and building its model."""

from __future__ import annotations

from torch import Tensor, nn

from ..architecture import Architecture
from ..graph import Graph
from ..weights import StateDict, fill, matches
from .adapter import YuNet
from .network import HEADS, STRIDES, YuNetNetwork

_OUTPUTS = [f"{head}_{stride}" for head in HEADS for stride in STRIDES]
_STEM = "backbone.model0.conv1.weight"
_WIDTHS = [f"backbone.model{stage}.conv2.conv1.weight" for stage in range(1, 6)]
_HEADS = {f"bbox_head.multi_level_{head}.0.conv1.weight": n for head, n in HEADS.items()}
_PATTERN = {
    _STEM: (None, 3, 3, 3),
    **dict.fromkeys(_WIDTHS, (None, None, 1, 1)),
    **{key: (values, None, 1, 1) for key, values in _HEADS.items()},
}


def detect(state: StateDict) -> bool:
    """Tell whether weights are YuNet's, of any width."""
    return matches(state, _PATTERN)


def load(state: StateDict) -> YuNet:
    """Build YuNet with the widths that the weights have."""
    widths = [state[key].shape[0] for key in (_STEM, *_WIDTHS)]
    chain = "bbox_head.multi_level_share_convs.0."
    shared = len({key.split(".")[3] for key in state if key.startswith(chain)})
    return YuNet(fill(lambda: YuNetNetwork(widths, shared), state))


def detect_graph(graph: Graph) -> bool:
    """Tell whether an ONNX graph is YuNet, as ShiqiYu/libfacedetection and OpenCV publish it."""
    return len(graph.inputs) == 1 and sorted(graph.outputs) == sorted(_OUTPUTS)


def load_graph(graph: Graph, module: nn.Module) -> YuNet:
    """Build YuNet around a converted graph of free or fixed input size."""
    (shape,) = graph.inputs.values()
    height, width = shape[-2:]
    fixed = (height, width) if height and width else None
    return YuNet(_Named(module, list(graph.outputs)), fixed)


class _Named(nn.Module):
    """Gives a converted graph's outputs their names."""

    def __init__(self, graph: nn.Module, names: list[str]) -> None:
        super().__init__()
        self.graph = graph
        self.names = names

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return dict(zip(self.names, self.graph(images), strict=True))


ARCHITECTURE = Architecture(
    name=YuNet.name,
    role=YuNet.role,
    usual_files=(
        "yunet_n.safetensors",
        "yunet_n_dynamic.onnx",
        "yunet_n_640_640.onnx",
        "yunet_2023_mar.onnx",
        "face_detection_yunet_2023mar.onnx",
        "yunet_n.pth",
    ),
    detect=detect,
    load=load,
    detect_graph=detect_graph,
    load_graph=load_graph,
)
