"""Networks, a folder an architecture, and the adapters that give each its role."""

from .loading import identify, load, read_state_dict
from .registry import ARCHITECTURES, built_in
from .roles import (
    LOADER_NODES,
    Attributes,
    Detector,
    Encoder,
    HeadPose,
    Landmarker,
    Model,
    Occluder,
    Parser,
    Role,
)
from .weights import CheckpointError

__all__ = [
    "ARCHITECTURES",
    "LOADER_NODES",
    "Attributes",
    "CheckpointError",
    "Detector",
    "Encoder",
    "HeadPose",
    "Landmarker",
    "Model",
    "Occluder",
    "Parser",
    "Role",
    "built_in",
    "identify",
    "load",
    "read_state_dict",
]
