"""Long batches in pieces: bounded memory, progress, and a place to stop."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..host.progress import steps

CHUNK = 8


def in_chunks(function: Callable[..., tuple[Tensor, ...]], *batches: Tensor) -> list[Tensor]:
    """Apply `function` to a few items of each batch at a time.

    Args:
        function: takes as many tensors as there are batches, and gives a tuple of tensors.
        batches: tensors of one length N, which may be 0.

    Returns:
        What `function` would have given for the whole batches.
    """
    pieces = zip(*(torch.split(batch, CHUNK) for batch in batches), strict=True)
    results = [function(*piece) for piece in steps(list(pieces))]
    return [torch.cat(parts) for parts in zip(*results, strict=True)]
