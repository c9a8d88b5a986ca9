"""Faces to and from ComfyUI core's BOUNDING_BOX, the wire of its detectors and box editors.

The layout is a list of frames, each a list of dicts `{"x", "y", "width", "height", "label",
"score"}` in px, the last two optional.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from ..faces import Faces

SIDES = ("x", "y", "width", "height")

# Mean over 416 faces of portraits as YuNet boxes them, made symmetric; fractions of the box.
KEYPOINTS_IN_BOX = ((0.26, 0.39), (0.74, 0.39), (0.50, 0.60), (0.29, 0.74), (0.71, 0.74))


def to_bounding_boxes(faces: Faces, label: str = "face") -> list[list[dict[str, Any]]]:
    """Give the boxes of each frame as ComfyUI core's BOUNDING_BOX.

    Returns:
        For each of the `faces.frames` frames a list of dicts with float x, y, width, height (px)
        and score, and `label`.
    """
    frames: list[list[dict[str, Any]]] = [[] for _ in range(faces.frames)]
    rows = zip(faces.frame.tolist(), faces.box.tolist(), faces.score.tolist(), strict=True)
    for frame, (x0, y0, x1, y1), score in rows:
        sides = {"x": x0, "y": y0, "width": x1 - x0, "height": y1 - y0}
        frames[frame].append({**sides, "label": label, "score": score})
    return frames


def from_bounding_boxes(value: Any, image_size: tuple[int, int], frames: int) -> Faces:
    """Read ComfyUI core's BOUNDING_BOX; labels are dropped, keypoints estimated.

    Args:
        value: one dict, a list of dicts (one frame) or a list of such lists (one per frame). As
            in core's SDPose, the last list repeats where there are fewer lists than frames.
        image_size: (H, W) of the frames.
        frames: number of frames in the batch.

    Returns:
        Faces on the CPU. A box without a score has 1; see `faces_from_boxes` for the keypoints.

    Raises:
        TypeError: `value` is built of something else.
        ValueError: a box lacks a side or has one that is not finite or negative in length, or
            there are more lists than frames.
    """
    lists = _list_per_frame(value, frames)
    boxes = [(frame, *_read(box)) for frame, found in enumerate(lists) for box in found]
    table = torch.tensor(boxes, dtype=torch.float64).reshape(len(boxes), 6)
    return faces_from_boxes(
        table[:, 1:5].float(), table[:, 5].float(), table[:, 0].long(), image_size, frames
    )


def faces_from_boxes(
    box: Tensor, score: Tensor, frame: Tensor, image_size: tuple[int, int], frames: int
) -> Faces:
    """Make faces of boxes alone, with the keypoints of a mean frontal face.

    Args:
        box: [N, 4] float32, x0, y0, x1, y1 px.
        score: [N] float32.
        frame: [N] int64.
        image_size: (H, W) of the frames.
        frames: number of frames in the batch.

    Returns:
        Faces whose keypoints lie at fixed fractions of the box: eyes at 0.26 and 0.74 of its
        width and 0.39 of its height, nose tip (0.50, 0.60), mouth corners (0.29, 0.74) and
        (0.71, 0.74). Good enough for a crop, not for a turned or tilted face.
    """
    layout = torch.tensor(KEYPOINTS_IN_BOX, dtype=box.dtype, device=box.device)
    return Faces(
        frame=frame,
        box=box,
        score=score,
        keypoints=box[:, None, :2] + layout * (box[:, None, 2:] - box[:, None, :2]),
        track=torch.full_like(frame, -1),
        image_size=image_size,
        frames=frames,
    )


def _list_per_frame(value: Any, frames: int) -> list[Sequence[Any]]:
    """Bring the three legal forms of BOUNDING_BOX to one list for each frame."""
    if isinstance(value, Mapping):
        value = [[value]]
    if not isinstance(value, list | tuple):
        raise TypeError(
            "BOUNDING_BOX must be a dict, a list of dicts or a list of such lists, "
            f"got {type(value).__name__}."
        )
    if value and all(isinstance(item, Mapping) for item in value):
        value = [value]
    for number, found in enumerate(value):
        if not isinstance(found, list | tuple):
            kind = type(found).__name__
            raise TypeError(f"BOUNDING_BOX frame {number} must be a list of dicts, got {kind}.")
    if len(value) > frames:
        raise ValueError(
            f"BOUNDING_BOX has boxes for {len(value)} frames, but the batch has {frames}; "
            "connect the image that the boxes were found in."
        )
    return [*value, *[value[-1]] * (frames - len(value))] if value else []


def _read(box: Any) -> tuple[float, ...]:
    """Read one dict as x0, y0, x1, y1, score."""
    if not isinstance(box, Mapping):
        raise TypeError(
            f"A box must be a dict with {', '.join(SIDES)}, got {type(box).__name__}: {box!r}."
        )
    missing = [side for side in SIDES if side not in box]
    if missing:
        raise ValueError(f"A box must have {', '.join(SIDES)}; {dict(box)} lacks {missing[0]}.")
    numbers = [box[side] for side in SIDES] + [box.get("score", 1.0)]
    if not all(isinstance(number, Real) and math.isfinite(number) for number in numbers):
        raise ValueError(f"The sides and score of a box must be finite numbers, got {dict(box)}.")
    x, y, width, height, score = map(float, numbers)
    if width < 0 or height < 0:
        raise ValueError(f"The width and height of a box must not be negative, got {dict(box)}.")
    return x, y, x + width, y + height, score
