"""Parts that need no weights, behind the same sockets as networks: mesh, smooth fill, Poisson."""

from __future__ import annotations

from collections.abc import Callable

from ..roles import Model, Role
from .blender import PoissonBlender
from .inpainter import SmoothInpainter
from .reenactor import MeshReenactor

WITHOUT_WEIGHTS: dict[Role, Callable[[], Model]] = {
    "reenactor": MeshReenactor,
    "inpainter": SmoothInpainter,
    "blender": PoissonBlender,
}
"""What plays a role where a loader says built-in and nothing has to be loaded."""

__all__ = ["WITHOUT_WEIGHTS", "MeshReenactor", "PoissonBlender", "SmoothInpainter"]
