"""Which faces of a batch to keep, and in which order; each frame is looked at on its own."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from .faces import Faces

ORDERS = ("left-right", "right-left", "top-bottom", "bottom-top", "large-small", "small-large")
"""Ways to order the faces of a frame: by box centre, or by box area."""

DESCENDING = ("right-left", "bottom-top", "large-small")


def sort_faces(faces: Faces, order: str) -> Faces:
    """Group faces by frame and put those of each frame in one of the six `ORDERS`.

    Ties keep the order they had.

    Raises:
        ValueError: `order` is none of `ORDERS`.
    """
    if order not in ORDERS:
        raise ValueError(f"Unknown order '{order}'; wanted one of: {', '.join(ORDERS)}.")
    x0, y0, x1, y1 = faces.box.unbind(dim=1)
    if order in ("left-right", "right-left"):
        key = x0 + x1
    elif order in ("top-bottom", "bottom-top"):
        key = y0 + y1
    else:
        key = (x1 - x0) * (y1 - y0)
    rows = torch.argsort(-key if order in DESCENDING else key, stable=True)
    return faces[rows[torch.argsort(faces.frame[rows], stable=True)]]


def rank_in_frame(faces: Faces) -> Tensor:
    """Position [N] int64 of each face among the faces of its frame, in their present order."""
    rows = torch.argsort(faces.frame, stable=True)
    count = _count_in_frame(faces)
    first = count.cumsum(0) - count
    rank = torch.arange(len(faces), device=faces.device) - first[faces.frame[rows]]
    return torch.empty_like(rank).scatter_(0, rows, rank)


def take(faces: Faces, indices: Sequence[int]) -> Faces:
    """Keep, in every frame, the faces at the ranks in `indices`; no index at all keeps every face.

    The first face of a frame has rank 0, and negative ranks count from its last. Ranks that a
    frame lacks are skipped. The kept faces stay in their present order, each once.
    """
    if not len(indices):
        return faces
    wanted = torch.tensor(list(indices), device=faces.device)
    rank = rank_in_frame(faces)
    from_end = rank - _count_in_frame(faces)[faces.frame]
    return faces[torch.isin(rank, wanted) | torch.isin(from_end, wanted)]


def parse_indices(text: str) -> list[int]:
    """Read a list of ranks such as "0, 2, 4-6" or "-1"; an empty text gives [], which means all.

    Raises:
        ValueError: a part is no number of up to five digits and no rising range of two.
    """
    indices: list[int] = []
    for part in filter(None, map(str.strip, text.split(","))):
        # five digits, so that a slip of the finger cannot ask for a list of billions
        found = re.fullmatch(r"(-?\d{1,5})|(\d{1,5})\s*-\s*(\d{1,5})", part)
        if found is None:
            raise ValueError(
                f"Cannot read '{part}' in '{text}'; wanted numbers and ranges with commas between, "
                "such as 0, 2, 4-6 (0 is the first face, -1 the last; empty means all)."
            )
        single, start, stop = found.groups()
        if single is not None:
            indices.append(int(single))
        elif int(start) <= int(stop):
            indices.extend(range(int(start), int(stop) + 1))
        else:
            raise ValueError(f"The range '{part}' in '{text}' runs down; wanted {stop}-{start}.")
    return indices


def largest(faces: Faces) -> Faces:
    """Keep the face with the largest box area of every frame, the first of equals."""
    return take(sort_faces(faces, "large-small"), [0])


def above_score(faces: Faces, minimum: float) -> Faces:
    """Keep the faces whose score is `minimum` or more."""
    return faces[faces.score >= minimum]


def shorter_side(faces: Faces) -> Tensor:
    """Length [N] in px of the shorter side of each box."""
    return (faces.box[:, 2:] - faces.box[:, :2]).amin(dim=1)


def by_box_size(faces: Faces, minimum: float = 0.0, maximum: float = math.inf) -> Faces:
    """Keep the faces whose box is `minimum` to `maximum` px on its shorter side, both included.

    The shorter side is what limits the detail of a face, turned or cut by the border.
    """
    side = shorter_side(faces)
    return faces[(side >= minimum) & (side <= maximum)]


def only_frames(faces: Faces, frames: Sequence[int]) -> Faces:
    """Keep the faces of the named frames; the batch still counts all its frames.

    Negative numbers count from the last frame, numbers outside the batch are skipped, and naming
    no frame keeps every face.
    """
    if not len(frames):
        return faces
    wanted = torch.tensor(list(frames), device=faces.device)
    wanted = torch.where(wanted < 0, wanted + faces.frames, wanted)
    return faces[torch.isin(faces.frame, wanted)]


def one_frame(faces: Faces, frame: int) -> Faces:
    """Make the faces of one frame those of a batch of that frame alone.

    Raises:
        ValueError: there is no such frame.
    """
    if not 0 <= frame < faces.frames:
        raise ValueError(f"There is no frame {frame} in a batch of {faces.frames}.")
    kept = faces.in_frame(frame)
    return replace(kept, frame=torch.zeros_like(kept.frame), frames=1)


def _count_in_frame(faces: Faces) -> Tensor:
    return torch.bincount(faces.frame, minlength=faces.frames)
