"""Networks, a folder an architecture, and the adapters that give each its role."""

from .loading import load, read_state_dict
from .registry import ARCHITECTURES, choose, usual_files
from .roles import Detector, Landmarker, Model, Role
from .weights import CheckpointError

__all__ = [
    "ARCHITECTURES",
    "CheckpointError",
    "Detector",
    "Landmarker",
    "Model",
    "Role",
    "choose",
    "load",
    "read_state_dict",
    "usual_files",
]
