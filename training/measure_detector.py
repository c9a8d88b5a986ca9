"""How good a detector is, against a teacher, on portraits that no training saw."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm import tqdm

from ..faces import Faces
from ..models.loom_detector.closer import turned_boxes
from ..models.roles import Detector
from ..models.suppression import pairwise_iou
from ..ops.geometry import transform_points
from .measure import make_copy, turn
from .negatives import faceless
from .pictures import Pictures

THRESHOLD = 0.6
"""Score that counts: the default of the Detect Faces node."""
_LARGEST = 4.0  # eye distances: points off by more count as off by that


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    copy: str
    """How the pictures were changed."""
    pictures: int
    """Those in which the teacher finds a face."""
    found: float
    """Share in which a box overlaps the teacher's by more than half (intersection over union)."""
    points: float
    """Mean distance of the five points of those, in eye distances."""
    others: int
    """Boxes in all pictures that do not overlap the teacher's so much."""

    def __str__(self) -> str:
        return (
            f"| {self.copy} | {self.pictures} | {100 * self.found:.1f} % "
            f"| {100 * self.points:.2f} % | {self.others} |"
        )


HEADER = "| copy | pictures | found | points | other boxes |\n|---|---|---|---|---|"
"""Of the Markdown table whose lines the rows are."""


def measure_portraits(
    detector: Detector, pictures: Pictures, box: Tensor, points: Tensor
) -> list[Row]:
    """Measure a detector on portraits and on their turned and smaller copies.

    A copy's right answer is the teacher's on the upright picture of full size, moved with the
    picture: the teacher itself fails on turned faces. A turned box is the box of the turned
    ellipse within (`turned_boxes`). Turned pictures keep their size, black in the corners.

    Args:
        detector: who is measured.
        pictures: P upright portraits of one face each.
        box: [P, 4] what the teacher says, in pixels.
        points: [P, 5, 2].
    """
    side = pictures.image.shape[-1]
    rows = []
    for degrees in (0, 30, -30, 60, -60, 90, 180):
        name = f"turned {degrees:+d} degrees" if degrees else "as it is"
        rows.append(_measure(name, detector, pictures, box, points, turn(degrees, side)))
    for part in (2, 4, 8, 14):
        matrix = torch.eye(2, 3) * (side // part / side)
        name = f"1/{part} of the size"
        rows.append(_measure(name, detector, pictures, box, points, matrix))
    return rows


def _measure(
    copy: str,
    detector: Detector,
    pictures: Pictures,
    box: Tensor,
    points: Tensor,
    matrix: Tensor,
) -> Row:
    found, errors, others = 0, [], 0
    for image, its_box, its_points in tqdm(
        zip(pictures.image, box, points, strict=True), copy, len(box), disable=None
    ):
        faces = detector.detect(make_copy(image[None], matrix), THRESHOLD)
        overlap = overlaps(faces, turned_boxes(its_box[None], matrix[None])[0])
        others += int((overlap <= 0.5).sum())
        if len(faces) and overlap.max() > 0.5:
            found += 1
            wanted = transform_points(matrix[None], its_points[None])[0]
            away = (faces.keypoints[overlap.argmax()] - wanted).norm(dim=-1).mean()
            eyes = (wanted[1] - wanted[0]).norm()
            errors.append(min(_LARGEST, float(away / eyes)))
    return Row(copy, len(box), found / len(box), sum(errors) / max(1, len(errors)), others)


def overlaps(faces: Faces, box: Tensor) -> Tensor:
    """Intersection over union [N] of each face's box and one box [4]."""
    return pairwise_iou(torch.cat([box[None], faces.box])[None])[0, 0, 1:]


def false_hits(detector: Detector, names: tuple[str, ...], size: int = 640) -> dict[str, int]:
    """Faces that a detector finds in scikit-image's pictures of these names, which show none."""
    hits = {}
    for name, picture in zip(names, faceless(names), strict=True):
        hits[name] = len(detector.detect(picture[None].float() / 255, THRESHOLD, size))
    return hits
