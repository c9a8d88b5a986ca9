"""Checks that every adapter makes of its frames."""

from __future__ import annotations

from torch import Tensor

from ..faces import Faces


def check_frames(model: str, frames: Tensor, faces: Faces | None = None) -> None:
    """Raise unless `frames` is a batch of RGB frames, and the one that `faces` were found in."""
    if frames.ndim != 4 or frames.shape[1] != 3 or 0 in frames.shape:
        raise ValueError(f"{model} wants frames [B, 3, H, W], got {list(frames.shape)}.")
    if faces is None:
        return
    found_in = (faces.frames, *faces.image_size)
    given = (frames.shape[0], *frames.shape[-2:])
    if found_in != given:
        raise ValueError(
            f"{model} wants the frames that the faces were found in: {found_in[0]} of "
            f"{found_in[2]}x{found_in[1]} px, got {given[0]} of {given[2]}x{given[1]} px."
        )
