"""Weight files: read safely, recognised by content, loaded strictly, never changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from .architecture import Architecture
from .checkpoints import check_readable, read_tensors
from .classical import WITHOUT_WEIGHTS
from .graph import Graph, read_graph
from .registry import built_in, find_architecture
from .roles import Model, Role, named, where_to_load
from .weights import CheckpointError, StateDict

_WRAPPERS = (
    "params_ema", "params", "state_dict", "model_state_dict", "model", "pfld_backbone",
    "g_ema", "g", "d",
)  # fmt: skip
_BESIDE = "latent_avg"


def load(source: str | Path | StateDict, role: Role | None = None) -> Model:
    """Load a model; its architecture is found from the content, not from the name.

    Args:
        source: a `.safetensors`, `.pth`, `.pt`, `.ckpt` or `.onnx` file, or a state dict.
        role: what the model must be for, or None for anything.

    Returns:
        The architecture's model, its network on the CPU in float32, in evaluation mode.

    Raises:
        CheckpointError: the file is missing, damaged, holds code, is of no known architecture, its
            tensors do not fit, or it plays another role. The text begins with the path.
    """
    if isinstance(source, Mapping):
        return _build(canonical(source), role)
    with _naming(Path(source)):
        return _build(_read(Path(source)), role)


def load_built_in(role: Role) -> Model:
    """Load what FaceLoom ships for a role, or what plays it without weights.

    Raises:
        CheckpointError: there is neither; the text says what to choose instead.
    """
    if role in WITHOUT_WEIGHTS:
        return WITHOUT_WEIGHTS[role]()
    return load(built_in(role), role)


def identify(path: Path) -> Architecture:
    """Find out what a weight file is, without building its network.

    Raises:
        CheckpointError: as `load`.
    """
    with _naming(path):
        return find_architecture(_read(path))


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """Read the tensors of a `.safetensors`, `.pth`, `.pt` or `.ckpt` file onto the CPU.

    Raises:
        CheckpointError: as `load`.
    """
    with _naming(Path(path)):
        check_readable(Path(path))
        return canonical(read_tensors(Path(path)))


def canonical(content: Any) -> dict[str, Tensor]:
    """Unwrap what trainers save around a state dict, and strip data-parallel key prefixes.

    Args:
        content: a state dict, or a dict that holds one under `state_dict`, `params_ema` and such.
            Of a StyleGAN2 that is the generator, its average `g_ema` first; a discriminator
            `d` counts where it is alone. A mean code `latent_avg` beside it joins it.

    Raises:
        CheckpointError: there are no tensors in it.
    """
    beside = content.get(_BESIDE) if isinstance(content, Mapping) else None
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping):
        raise CheckpointError(f"wanted named tensors, the file holds a {type(content).__name__}.")
    state = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
    if not state:
        raise CheckpointError("there are no tensors in it.")
    while all(key.startswith("module.") for key in state):
        state = {key.removeprefix("module."): value for key, value in state.items()}
    return state | {_BESIDE: beside} if isinstance(beside, Tensor) else state


def _read(path: Path) -> StateDict | Graph:
    check_readable(path)
    return read_graph(path) if path.suffix.lower() == ".onnx" else canonical(read_tensors(path))


def _build(content: StateDict | Graph, role: Role | None) -> Model:
    architecture = find_architecture(content)
    if role is not None and role != architecture.role:
        raise CheckpointError(
            f"this is {architecture.name}, {named(architecture.role)}, "
            f"where {named(role)} is wanted; {where_to_load(architecture.role)}."
        )
    if not isinstance(content, Graph):
        return architecture.load(content)
    if architecture.load_graph is None:
        return architecture.load(content.weights())
    return architecture.load_graph(content, content.to_module())


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Begin the text of a CheckpointError with the path."""
    try:
        yield
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
