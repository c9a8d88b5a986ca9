"""GHOST: recognising its weights and ONNX graphs, and building the model."""

from __future__ import annotations

from torch import nn

from ..aei import load_network
from ..architecture import Architecture
from ..graph import Graph
from ..weights import StateDict, matches
from .adapter import GHOST
from .converted import ConvertedGHOST, is_ghost
from .network import LAYOUT

_LAYER = "generator.AADBlk1.add_blocks.0"
_PATTERN = {
    "generator.up1.weight": (None, None, 2, 2),
    f"{_LAYER}.conv1.weight": (None, None, None, None),
    f"{_LAYER}.fc1.weight": (None, None),
    f"{_LAYER}.conv_h.weight": (None, None, None, None),
}


def detect(state: StateDict) -> bool:
    """Tell whether weights are GHOST's, of any encoder, steps and widths."""
    return matches(state, _PATTERN)


def load(state: StateDict) -> GHOST:
    """Build GHOST with the encoder, steps and widths that the weights have."""
    return GHOST(load_network(state, LAYOUT))


def detect_graph(graph: Graph) -> bool:
    """Tell whether an ONNX graph is GHOST's."""
    return is_ghost(graph)


def load_graph(graph: Graph, module: nn.Module) -> GHOST:
    """Build the model around a converted graph."""
    return GHOST(ConvertedGHOST(module, graph))


ARCHITECTURE = Architecture(
    name=GHOST.name,
    role=GHOST.role,
    usual_files=(
        "G_unet_2blocks.pth",
        "G_unet_1block.pth",
        "G_unet_3blocks.pth",
        "ghost_2_256.onnx",
        "ghost_1_256.onnx",
        "ghost_3_256.onnx",
        "ghost_unet_2_block.onnx",
        "ghost_unet_1_block.onnx",
        "ghost_unet_3_block.onnx",
    ),
    detect=detect,
    load=load,
    detect_graph=detect_graph,
    load_graph=load_graph,
)
"""GHOST as a swapper."""
