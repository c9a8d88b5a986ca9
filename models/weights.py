"""Filling a network from a state dict, strictly and without side effects."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import TypeAlias, TypeVar

import torch
from torch import Tensor, nn

StateDict: TypeAlias = Mapping[str, Tensor]
Pattern: TypeAlias = Mapping[str, tuple[int | None, ...]]
N = TypeVar("N", bound=nn.Module)


class CheckpointError(ValueError):
    """A weight file that cannot be used; the text says which, why, and what to do."""


def matches(state: StateDict, pattern: Pattern) -> bool:
    """Tell whether all keys of `pattern` are in `state` with their shapes; None is any size."""
    return all(
        key in state
        and state[key].ndim == len(shape)
        and all(want in (None, got) for want, got in zip(shape, state[key].shape, strict=True))
        for key, shape in pattern.items()
    )


def fill(build: Callable[[], N], state: StateDict) -> N:
    """Build a network and load its weights strictly.

    Args:
        build: makes the network.
        state: its weights, of any float type; they are copied.

    Returns:
        The network on the CPU in float32, in evaluation mode, without gradients.

    Raises:
        CheckpointError: keys are missing or unexpected, or shapes differ; it lists them all.
    """
    # Without storage, building draws no random numbers: loading leaves the user's seeds alone.
    with torch.device("meta"):
        network = build()
    check_keys(network.state_dict(), state)
    network = network.to_empty(device="cpu").float()
    network.load_state_dict(dict(state))
    return frozen(network)


def frozen(network: N) -> N:
    """Put a network into evaluation mode and switch its gradients off."""
    return network.eval().requires_grad_(False)


def check_keys(wanted: StateDict, state: StateDict) -> None:
    """Raise one CheckpointError that lists all differences between two state dicts."""
    # Checkpoints of old converters lack the batch counters, which evaluation does not read.
    missing = sorted(k for k in wanted if k not in state and not k.endswith("batches_tracked"))
    unexpected = sorted(key for key in state if key not in wanted)
    differing = sorted(
        f"{key} is {list(state[key].shape)}, wanted {list(tensor.shape)}"
        for key, tensor in wanted.items()
        if key in state and state[key].shape != tensor.shape
    )
    problems = {"missing": missing, "unexpected": unexpected, "of another shape": differing}
    found = [f"{name}: {', '.join(keys)}" for name, keys in problems.items() if keys]
    if found:
        raise CheckpointError("the tensors do not fit the network; " + "; ".join(found) + ".")


def digest(state: StateDict) -> str:
    """SHA-256, in hexadecimal digits, of the names, types, shapes and values of weights.

    It is the same whichever kind of file they came in.
    """
    total = hashlib.sha256()
    for key in sorted(state):
        tensor = state[key].detach().cpu().contiguous()
        total.update(f"{key} {tensor.dtype} {list(tensor.shape)}".encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()
