"""FSA-Net: recognising its weights and building its model."""

from __future__ import annotations

from ..architecture import Architecture
from ..graph import Graph
from ..weights import StateDict, fill, matches
from .adapter import FSANet
from .network import ANGLES, INPUT, STAGES, FSANetNetwork

_WIDTHS = [
    "msms.s0_conv0.conv.pointwise.weight",
    *(f"msms.s0_conv{level}_0.conv.pointwise.weight" for level in range(1, STAGES + 1)),
]
_CAPSULES, _MAPS = "caps_layer.affine_w", "fgsm.fc.weight"
_PARTS = ("shift", "scale", "pred")
_PATTERN = {
    **dict.fromkeys(_WIDTHS, (None, None, 1, 1)),
    _CAPSULES: (STAGES, None, None, None),
    _MAPS: (None, 192),
    "fgsm.fm.weight": (None, 64),
    "esp_s1.shift_fc.weight": (ANGLES, None),
}


def detect(state: StateDict) -> bool:
    """Tell whether weights are FSA-Net's, of any width."""
    return matches(state, _PATTERN)


def load(state: StateDict) -> FSANet:
    """Build FSA-Net with the sizes that the weights have."""
    widths = [state[key].shape[0] for key in _WIDTHS]
    _, inputs, _, features = state[_CAPSULES].shape
    primary = inputs // STAGES
    rows = state[_MAPS].shape[0] // primary
    shift, scale, prediction = (state[f"esp_s1.{part}_fc.weight"].shape[1] for part in _PARTS)
    parts = (shift, scale, prediction)
    return FSANet(fill(lambda: FSANetNetwork(widths, features, primary, rows, parts), state))


def detect_graph(graph: Graph) -> bool:
    """Tell whether an ONNX graph holds FSA-Net's weights under their own names."""
    return list(graph.inputs.values()) == [(1, 3, INPUT, INPUT)] and detect(graph.weights())


ARCHITECTURE = Architecture(
    name=FSANet.name,
    role=FSANet.role,
    usual_files=("fsanet-var-iter-688590.onnx",),
    detect=detect,
    load=load,
    detect_graph=detect_graph,
)
