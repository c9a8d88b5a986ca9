"""Long batches in pieces: bounded memory, progress, and a place to stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ..faces import Faces
from ..host.device import compute_device
from ..host.progress import steps

_AT_ONCE = 8


def chunk_size() -> int:
    """How many items go at once: several on a GPU; on a CPU, where that gains little, one.

    So whoever stops a run waits for one face or frame at most.
    """
    return 1 if compute_device().type == "cpu" else _AT_ONCE


def in_chunks(
    function: Callable[..., tuple[Tensor, ...]], *batches: Tensor, size: int | None = None
) -> list[Tensor]:
    """Apply `function` to a few items of each batch at a time.

    Args:
        function: takes as many tensors as there are batches, and gives a tuple of tensors.
        batches: tensors of one length N, which may be 0.
        size: how many items at a time; mostly `chunk_size`.

    Returns:
        What `function` would have given for the whole batches.
    """
    pieces = zip(*(torch.split(batch, size or chunk_size()) for batch in batches), strict=True)
    results = [function(*piece) for piece in steps(list(pieces))]
    return [torch.cat(parts) for parts in zip(*results, strict=True)]


def frames_in_chunks(frames: Tensor) -> Iterator[Tensor]:
    """Give frames [B,3,H,W] a few at a time, on the compute device."""
    device = compute_device()
    pieces = torch.split(frames, chunk_size()) if len(frames) else ()
    return (piece.to(device) for piece in steps(pieces))


def faces_in_chunks(faces: Faces) -> Iterator[Faces]:
    """Give faces a few at a time, on the compute device."""
    faces = faces.to(compute_device())
    size = chunk_size()
    return steps([faces[start : start + size] for start in range(0, len(faces), size)])
