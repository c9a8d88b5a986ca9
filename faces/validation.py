"""Checks that the values on the wires share; a failed one says field, wanted and received."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

Shape = tuple[int | str, ...]
Index = int | slice | Sequence[int] | Tensor


def check_shape(owner: str, field: str, value: Tensor, wanted: Shape) -> None:
    """Raise unless `value` has the `wanted` shape; a name in it stands for any size.

    Args:
        owner: class that holds the field, for the message.
        field: name of the field, for the message.
        value: the tensor to check.
        wanted: for example `("N", 4)`.

    Raises:
        TypeError: `value` is not a tensor.
        ValueError: its shape differs.
    """
    if not isinstance(value, Tensor):
        raise TypeError(f"{owner}.{field} must be a tensor, got {type(value).__name__}.")
    same = value.ndim == len(wanted) and all(
        isinstance(want, str) or want == got for want, got in zip(wanted, value.shape, strict=True)
    )
    if not same:
        shape = ", ".join(str(size) for size in wanted)
        raise ValueError(f"{owner}.{field} must have shape [{shape}], got {list(value.shape)}.")


def batch_index(index: Index, device: torch.device) -> slice | Tensor:
    """Turn any way to name items into one that keeps the batch dimension.

    Args:
        index: an integer, a slice, a list of integers, a boolean mask or an index tensor.
        device: where the indexed tensors are.
    """
    if isinstance(index, slice):
        return index
    if isinstance(index, Tensor):
        return index.to(device)
    numbers = [index] if isinstance(index, int) else list(index)
    return torch.tensor(numbers, dtype=torch.int64, device=device)
