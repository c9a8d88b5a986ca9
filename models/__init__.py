"""Networks, a folder an architecture, and the adapters that give each its role."""

from .loading import identify, load, read_state_dict
from .registry import ARCHITECTURES, built_in
from .roles import (
    LOADER_NODES,
    Attributes,
    Blender,
    Detector,
    Discriminator,
    Encoder,
    HeadPose,
    Inpainter,
    Landmarker,
    Model,
    Occluder,
    Parser,
    PerceptualNet,
    Reenactor,
    Refiner,
    Restorer,
    Role,
    Swapper,
    where_to_load,
)
from .weights import CheckpointError

__all__ = [
    "ARCHITECTURES",
    "LOADER_NODES",
    "Attributes",
    "Blender",
    "CheckpointError",
    "Detector",
    "Discriminator",
    "Encoder",
    "HeadPose",
    "Inpainter",
    "Landmarker",
    "Model",
    "Occluder",
    "Parser",
    "PerceptualNet",
    "Reenactor",
    "Refiner",
    "Restorer",
    "Role",
    "Swapper",
    "built_in",
    "identify",
    "load",
    "read_state_dict",
    "where_to_load",
]
