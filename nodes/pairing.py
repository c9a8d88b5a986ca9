"""Which source goes onto which target face."""

from __future__ import annotations

import torch
from torch import Tensor

from ..faces import Faces
from ..faces.select import rank_in_frame


def source_row(sources: int, target: Faces, node: str) -> Tensor:
    """Give each target face its source: the number of its track, or else of its place.

    Match Identity makes the number of a face's reference its track; other faces count by their
    place in their frame. Sources are used from the start again when they run out.

    Args:
        sources: how many there are.
        target: N faces.
        node: who asks, for the error.

    Returns:
        [N] int64, 0 to `sources` - 1.

    Raises:
        ValueError: there are faces, but no source.
    """
    if not sources and len(target):
        raise ValueError(
            f"{node}: no face was found in the source picture, or Select Faces kept none. "
            "Choose a picture that shows one, lower the threshold of Detect Faces, or keep more."
        )
    return torch.where(target.track >= 0, target.track, rank_in_frame(target)) % max(sources, 1)
