"""GHOST as a swapper."""

from __future__ import annotations

from typing import ClassVar

from ...ops.templates import POSE_TEMPLATES
from ..swapping import AEISwapper


class GHOST(AEISwapper):
    """A `Swapper`: ai-forever's GHOST (Groshev et al., IEEE Access 2022)."""

    name: ClassVar[str] = "ghost"
    licence: ClassVar[str] = "Apache-2.0 (ai-forever)"
    # The other names are single poses of the choice, and its frontal one under an older name.
    templates: ClassVar[tuple[str, ...]] = ("ghost_best_pose", "arcface_112_v1", *POSE_TEMPLATES)
    space: ClassVar[str] = "arcface_ghost"
    encoder: ClassVar[str] = "GHOST's backbone.pth"
