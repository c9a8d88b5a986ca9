"""What is known of a set of landmarks: its triangles, contours and mean shape.

The 468 points are numbered as MediaPipe's face mesh numbers them. Mean shape and triangles are
this project's own: the mean of 598 portraits, made symmetric, and the Delaunay triangulation of
that mean unrolled round the head, with lips, lids and oval kept as edges. Left and right are the
image's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

MESH = 468
"""How many landmarks a face mesh has, the one set with triangles."""

CONTOURS: dict[str, tuple[int, ...]] = {
    "oval": (
        *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
        *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
    ),
    "left_eye": (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    "right_eye": (
        *(263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249),
    ),
    "left_brow": (46, 70, 63, 105, 66, 107, 55, 65, 52, 53),
    "right_brow": (276, 300, 293, 334, 296, 336, 285, 295, 282, 283),
    "lips": (
        *(61, 185, 40, 39, 37, 0, 267, 269, 270, 409),
        *(291, 375, 321, 405, 314, 17, 84, 181, 91, 146),
    ),
    "inner_mouth": (
        *(78, 191, 80, 81, 82, 13, 312, 311, 310, 415),
        *(308, 324, 318, 402, 317, 14, 87, 178, 88, 95),
    ),
    "nose": (168, 417, 465, 343, 437, 279, 278, 327, 2, 98, 48, 49, 217, 114, 245, 193),
}
"""Closed contours of the 468 points, each point once; "left" is the image's left.

All but the nose's run along edges of the triangles. Eyes, lips and mouth begin at a corner: an eye
at its outer one, lips and mouth at the left one.
"""


@dataclass(frozen=True)
class LandmarkSet:
    """A set of L landmarks."""

    mean: Tensor
    """[L, 3] float32: mean frontal face; x right, y down, z away from the camera.

    Its middle is 0, and the root of the mean square distance from it is 1.
    """
    triangles: Tensor
    """[T, 3] int64: corners in clockwise order as seen in a frontal face; a disc without holes."""
    mirror: Tensor
    """[L] int64: the landmark on the other half of the face; its own number on the midline."""


@cache
def landmark_set(count: int) -> LandmarkSet:
    """The set of `count` landmarks, on the CPU; one value for all callers, not to be changed.

    Args:
        count: number L of landmarks; `MESH` is the one set there is.

    Raises:
        ValueError: no set of that size has triangles.
    """
    if count != MESH:
        raise ValueError(
            f"These faces have {count} landmarks, which have no triangles. Use a landmarker that "
            f"gives the {MESH} points of a face mesh."
        )
    data = json.loads(Path(__file__).with_name("mediapipe_468.json").read_text("utf-8"))
    mean = torch.tensor(data["mean"])
    mirrored = mean * torch.tensor([-1.0, 1.0, 1.0])
    return LandmarkSet(mean, torch.tensor(data["triangles"]), torch.cdist(mean, mirrored).argmin(1))
