"""What is known of sets of landmarks: triangles, contours and mean shape, and ways between them.

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

IRIS_MESH = 478
"""A face mesh, and then five points for each iris."""

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

SETS: dict[int, str] = {
    5: "eyes, nose and mouth",
    68: "iBUG",
    98: "WFLW",
    106: "InsightFace",
    MESH: "MediaPipe's face mesh",
    IRIS_MESH: "MediaPipe's face mesh with irises",
}
"""Name of each set of landmarks that faces may carry, by its number of points."""

# What each point of the next smaller set is the mean of. 5 of 68 as FaceFusion and others take
# them; 68 of the mesh by a list in wide use, except the jaw's ends, the chin's neighbours and the
# brows' ends, where PeizhiYan/Mediapipe_2_Dlib_Landmarks comes closer (beside a 68-point network on
# 200 portraits: ends 22 -> 5, chin 12 -> 7, brows 10 -> 2 % of the eye distance off); 68 of WFLW as
# in facexlib; 5 of InsightFace's 106 as in VisoMaster, whose pupils are points of their own.
_SMALLER: dict[int, tuple[tuple[int, ...], ...]] = {
    IRIS_MESH: tuple((point,) for point in range(MESH)),
    MESH: tuple(
        (point,)
        for point in (
            *(127, 234, 93, 58, 172, 136, 149, 176, 152, 400, 378, 365, 397, 288, 323, 454, 356),
            *(70, 63, 105, 66, 107, 336, 296, 334, 293, 300),
            *(168, 197, 5, 4, 75, 97, 2, 326, 305),
            *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),
            *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181),
            *(78, 82, 13, 312, 308, 317, 14, 87),
        )
    ),
    98: (
        *((point,) for point in range(0, 33, 2)),
        *((33,), (34, 41), (35, 40), (36, 39), (37, 38)),
        *((42, 50), (43, 49), (44, 48), (45, 47), (46,)),
        *((point,) for point in range(51, 60)),
        *((point,) for point in (60, 61, 63, 64, 65, 67, 68, 69, 71, 72, 73, 75)),
        *((point,) for point in range(76, 96)),
    ),
    68: (tuple(range(36, 42)), tuple(range(42, 48)), (30,), (48,), (54,)),
    106: ((38,), (88,), (86,), (52,), (61,)),
}


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
            f"These faces have {_described(count)}, which have no triangles. Use a landmarker "
            f"that gives the {MESH} points of a face mesh."
        )
    data = json.loads(Path(__file__).with_name("mediapipe_468.json").read_text("utf-8"))
    mean = torch.tensor(data["mean"])
    mirrored = mean * torch.tensor([-1.0, 1.0, 1.0])
    return LandmarkSet(mean, torch.tensor(data["triangles"]), torch.cdist(mean, mirrored).argmin(1))


def convert_landmarks(landmarks: Tensor, count: int) -> Tensor:
    """Turn landmarks of one set into those of a smaller one.

    478 points become 468 by leaving out the irises, 468 and 98 become 68, and 68 and 106 become
    the 5 of `Faces.keypoints`; longer ways lead over these.

    Args:
        landmarks: [N, L, 2 or 3].
        count: number of points wanted, a key of `SETS`.

    Returns:
        [N, count, 2 or 3]; of `count` points already, the landmarks themselves.

    Raises:
        ValueError: no way leads from the one set to the other.
    """
    points = landmarks
    while points.shape[1] != count:
        smaller = _SMALLER.get(points.shape[1])
        if smaller is None or len(smaller) < count:
            raise ValueError(
                f"{_described(landmarks.shape[1])} cannot be turned into {_described(count)}. "
                "478 points can be turned into 468, 468 and 98 into 68, and 68 and 106 into 5."
            )
        points = torch.stack([points[:, list(group)].mean(1) for group in smaller], 1)
    return points


def keypoints_from_landmarks(landmarks: Tensor) -> Tensor:
    """The five points of `Faces.keypoints` [N, 5, 2] from landmarks [N, L, 2 or 3] of any set.

    Raises:
        ValueError: the set is none of `SETS`.
    """
    return convert_landmarks(landmarks, 5)[..., :2]


def _described(count: int) -> str:
    return f"{count} landmarks ({SETS[count]})" if count in SETS else f"{count} landmarks"
