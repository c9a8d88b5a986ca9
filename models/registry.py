"""The list of architectures, and finding the one that a checkpoint belongs to."""

from __future__ import annotations

from collections.abc import Iterable

from . import facemesh, yunet
from .architecture import Architecture
from .graph import Graph
from .roles import Role
from .weights import CheckpointError, StateDict

ARCHITECTURES: tuple[Architecture, ...] = (
    yunet.ARCHITECTURE,
    facemesh.ARCHITECTURE,
)
"""Every architecture. Each recognises its own weights only, so the order does not matter."""


def find_architecture(content: StateDict | Graph) -> Architecture:
    """Find the architecture that weights or an ONNX graph belong to, by content.

    Raises:
        CheckpointError: none knows them; it shows what they hold and what is known.
    """
    for architecture in ARCHITECTURES:
        detect = architecture.detect_graph if isinstance(content, Graph) else architecture.detect
        if detect(content):  # type: ignore[arg-type]
            return architecture
    known = ", ".join(f"{entry.name} ({entry.role})" for entry in ARCHITECTURES)
    raise CheckpointError(f"no known architecture; {_summary(content)}. Known: {known}.")


def usual_files(role: Role) -> tuple[str, ...]:
    """Name the files under which weights of a role are published, the preferred ones first."""
    return tuple(
        name for entry in ARCHITECTURES if entry.role == role for name in entry.usual_files
    )


def choose(role: Role, files: Iterable[str]) -> str:
    """Pick the first usual file of a role among those on disk.

    Args:
        role: what the model is for.
        files: names, perhaps with folders before them.

    Raises:
        CheckpointError: none is there; it says which files to get.
    """
    by_name = {file.replace("\\", "/").rsplit("/", 1)[-1].lower(): file for file in files}
    for name in usual_files(role):
        if name.lower() in by_name:
            return by_name[name.lower()]
    raise CheckpointError(
        f"There is no {role} among the model files. Put one of these into a model folder: "
        f"{', '.join(usual_files(role))}."
    )


def _summary(content: StateDict | Graph) -> str:
    if isinstance(content, Graph):
        return f"the graph goes from {', '.join(content.inputs)} to {', '.join(content.outputs)}"
    keys = sorted(content)
    return f"{len(keys)} tensors, the first ones {', '.join(keys[:5])}"
