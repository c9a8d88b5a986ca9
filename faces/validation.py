"""Checks that the values on the wires share; a failed one says field, wanted and received."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

Shape = tuple[int | str | tuple[int, ...], ...]
Index = int | slice | Sequence[int] | Tensor


def check_shape(owner: str, field: str, value: Tensor, wanted: Shape) -> None:
    """Raise unless `value` has the `wanted` shape.

    Args:
        owner: class that holds the field, for the message.
        field: name of the field, for the message.
        value: the tensor to check.
        wanted: for example `("N", 4)`; a name stands for any size, a tuple for any size in it.

    Raises:
        TypeError: `value` is not a tensor.
        ValueError: its shape differs.
    """
    if not isinstance(value, Tensor):
        raise TypeError(f"{owner}.{field} must be a tensor, got {type(value).__name__}.")
    same = value.ndim == len(wanted) and all(map(_fits, wanted, value.shape))
    if not same:
        shape = ", ".join(map(_size_text, wanted))
        raise ValueError(f"{owner}.{field} must have shape [{shape}], got {list(value.shape)}.")


def check_floating(owner: str, field: str, value: Tensor) -> None:
    """Raise TypeError unless `value` holds floating-point numbers."""
    if not value.is_floating_point():
        raise TypeError(f"{owner}.{field} must hold floating-point numbers, got {value.dtype}.")


def check_integer(owner: str, field: str, value: Tensor) -> None:
    """Raise TypeError unless `value` holds integers."""
    if value.is_floating_point() or value.is_complex() or value.dtype is torch.bool:
        raise TypeError(f"{owner}.{field} must hold integers, got {value.dtype}.")


def batch_index(index: Index, count: int, device: torch.device) -> slice | Tensor:
    """Turn any way to name items into one that keeps the batch dimension.

    Args:
        index: an integer, a slice, a list of integers, a boolean mask or an index tensor.
        count: how many items there are.
        device: where the indexed tensors are.

    Raises:
        IndexError: a listed integer names no item, or a mask is not as long as the batch.
    """
    if isinstance(index, slice):
        # torch knows no negative steps
        forward = index.step is None or index.step > 0
        return index if forward else torch.tensor(range(count)[index], device=device).long()
    if isinstance(index, Tensor):
        return index.reshape(-1).to(device) if index.ndim == 0 else index.to(device)
    if not isinstance(index, int) and index and all(isinstance(item, bool) for item in index):
        return torch.tensor(index, dtype=torch.bool, device=device)
    numbers = [index] if isinstance(index, int) else list(index)
    # here and not on the device, where CUDA would answer with an assertion that ends the process
    for number in numbers:
        if not -count <= number < count:
            raise IndexError(f"Index {number} names none of {count} items.")
    return torch.tensor(numbers, dtype=torch.int64, device=device)


def _fits(want: int | str | tuple[int, ...], size: int) -> bool:
    if isinstance(want, tuple):
        return size in want
    return isinstance(want, str) or size == want


def _size_text(want: int | str | tuple[int, ...]) -> str:
    return " or ".join(map(str, want)) if isinstance(want, tuple) else str(want)
