"""`Architecture`: what the registry knows about a network before it is built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from .graph import Graph
from .roles import Model, Role
from .weights import StateDict


@dataclass(frozen=True)
class Architecture:
    """One kind of network; its folder under `models/` holds all that this names."""

    name: str
    """The folder's name."""
    role: Role
    """What its models do."""
    usual_files: tuple[str, ...]
    """Names under which its weights are published, the preferred one first."""
    detect: Callable[[StateDict], bool]
    """Tells by key names and shapes whether weights belong to it."""
    load: Callable[[StateDict], Model]
    """Builds the model, every size read from shapes; CheckpointError if tensors lack or differ."""
    detect_graph: Callable[[Graph], bool] = lambda graph: False
    """Tells by inputs and outputs whether an ONNX graph belongs to it."""
    load_graph: Callable[[Graph, nn.Module], Model] | None = None
    """Builds the model around the module that the graph was turned into; None if `load` takes the
    graph's weights, which then must have kept their names."""
    built_in: Path | None = None
    """Weights that FaceLoom ships; one architecture of a role has them at most."""
