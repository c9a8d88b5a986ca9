"""Long batches in pieces: bounded memory, progress, and a place to stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ..faces import Faces
from ..host.device import compute_device
from ..host.progress import steps

CHUNK = 8


def in_chunks(
    function: Callable[..., tuple[Tensor, ...]], *batches: Tensor, size: int = CHUNK
) -> list[Tensor]:
    """Apply `function` to a few items of each batch at a time.

    Args:
        function: takes as many tensors as there are batches, and gives a tuple of tensors.
        batches: tensors of one length N, which may be 0.
        size: how many items at a time.

    Returns:
        What `function` would have given for the whole batches.
    """
    pieces = zip(*(torch.split(batch, size) for batch in batches), strict=True)
    results = [function(*piece) for piece in steps(list(pieces))]
    return [torch.cat(parts) for parts in zip(*results, strict=True)]


def faces_in_chunks(faces: Faces) -> Iterator[Faces]:
    """Give faces a few at a time, on the compute device."""
    faces = faces.to(compute_device())
    return steps([faces[start : start + CHUNK] for start in range(0, len(faces), CHUNK)])
