"""Networks, a folder an architecture, and the adapters that give each its role."""

from .loading import load, read_state_dict
from .registry import ARCHITECTURES, choose, usual_files
from .roles import (
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
    "choose",
    "load",
    "read_state_dict",
    "usual_files",
]
