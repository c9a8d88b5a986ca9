"""Tracklets: which faces of successive frames are one person in view."""

from __future__ import annotations

import torch
from torch import Tensor

from .faces import Faces
from .similarity import assign


def tracklets(faces: Faces, overlap: float = 0.3) -> Tensor:
    """Follow each face from frame to frame, as long as it stays in view.

    A face with a track is followed by the face of the next frame with the same track; of several
    (a mirror, a collage) by the one whose box overlaps most. Faces without a track follow boxes
    alone. The pair that overlaps most is joined first, then the next, one to one. A face that is
    missing in one frame begins a new tracklet after it.

    Args:
        faces: N faces in any order.
        overlap: lowest intersection over union of two boxes, in neighbouring frames, of one face
            without a track.

    Returns:
        [N] int64: the tracklet of each face, numbered from 0 as they come into view.
    """
    known = faces.to("cpu")
    number = torch.full_like(known.frame, -1)
    previous, count = number[:0], 0
    for frame in range(faces.frames):
        rows = (known.frame == frame).nonzero()[:, 0]
        likeness = _likeness(known[rows], known[previous], overlap)
        followed = assign(likeness, torch.zeros_like(rows), 0.0)
        same = followed >= 0
        number[rows[same]] = number[previous[followed[same]]]
        fresh = rows[~same]
        number[fresh] = torch.arange(count, count + len(fresh))
        previous, count = rows, count + len(fresh)
    return number.to(faces.device)


def chronological(faces: Faces, tracklet: Tensor) -> Tensor:
    """Order in which each tracklet's faces lie together, by frame: [N] int64 rows of `faces`."""
    return torch.argsort(tracklet * max(1, faces.frames) + faces.frame)


def first_in_view(faces: Faces, tracklet: Tensor) -> Tensor:
    """Row of the first face of each of T tracklets: [T] int64."""
    count = torch.bincount(tracklet)
    return chronological(faces, tracklet)[count.cumsum(0) - count]


def _likeness(faces: Faces, others: Faces, overlap: float) -> Tensor:
    """Overlap [N, K] of the pairs that may be one face, and -1 of all others."""
    tracked = (faces.track >= 0)[:, None]
    shared = _intersection_over_union(faces.box, others.box)
    possible = (faces.track[:, None] == others.track) & (tracked | (shared >= overlap))
    return torch.where(possible, shared, -1.0)


def _intersection_over_union(one: Tensor, other: Tensor) -> Tensor:
    """Of boxes [N, 4] and [K, 4]: [N, K] in 0..1; 0 for empty boxes."""
    corner = torch.maximum(one[:, None, :2], other[:, :2])
    opposite = torch.minimum(one[:, None, 2:], other[:, 2:])
    shared = (opposite - corner).clamp(min=0).prod(-1)
    areas = [(box[:, 2:] - box[:, :2]).clamp(min=0).prod(-1) for box in (one, other)]
    return (shared / (areas[0][:, None] + areas[1] - shared).clamp(min=1e-9)).nan_to_num(0.0)
