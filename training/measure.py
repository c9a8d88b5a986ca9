"""Measuring the built-in networks on the pictures that were held out."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from ..faces import Crops, Faces
from ..faces.select import take
from ..models.roles import Detector, Landmarker, Parser
from ..models.squares import LEFT_EYE, RIGHT_EYE
from ..ops.geometry import fit_similarity, invert_affine, transform_points
from ..ops.templates import template_points
from ..ops.warp import crop
from .augment import cut
from .pictures import Pictures

PARTS: dict[str, tuple[int, ...]] = {
    "skin": (1,),
    "nose": (2,),
    "eyes": (4, 5),
    "brows": (6, 7),
    "lips": (11, 12),
    "hair": (13,),
}
"""The parts that a parser is judged by, as classes of CelebAMask-HQ."""


def copies(size: int) -> dict[str, Tensor]:
    """The copies of a picture in which a network must do as well: name -> [2, 3] transform."""
    upright = torch.eye(2, 3)
    return {
        "upright": upright,
        "turned by 30 degrees": turn(30, size),
        "turned by -30 degrees": turn(-30, size),
        "half size": upright / 2,
        "quarter size": upright / 4,
    }


def turn(degrees: float, size: int) -> Tensor:
    """Matrix [2, 3] that turns a square of `size` pixels clockwise about its middle."""
    angle = torch.tensor(float(degrees)).deg2rad()
    cos, sin = angle.cos(), angle.sin()
    linear = torch.stack([cos, -sin, sin, cos]).reshape(2, 2)
    middle = torch.full((2, 1), size / 2)
    return torch.cat([linear, middle - linear @ middle], 1)


def make_copy(images: Tensor, matrix: Tensor) -> Tensor:
    """Move pictures [B, 3, S, S] uint8 by a turn or a reduction, black beyond their borders."""
    scale = matrix[0, 0]
    if torch.equal(matrix[:, :2], scale.abs() * torch.eye(2)):
        size = round(float(scale) * images.shape[-1])
        return F.interpolate(images.float() / 255, (size, size), mode="area")
    return cut(images, matrix.expand(len(images), -1, -1), images.shape[-1])


def landmark_errors(
    model: Landmarker, teacher: Landmarker, detector: Detector, pictures: Pictures
) -> dict[str, Tensor]:
    """Mean distance of the landmarks to the teacher's of the upright picture, in eye distances.

    The eye distance is that of the outer corners, as 300-W takes it (Sagonas et al., 2016).

    Args:
        model: what is measured, on faces that `detector` finds in each copy.
        teacher: says where the points are.
        detector: finds the faces.
        pictures: P square pictures of one face each.

    Returns:
        For each of `copies` [P]; NaN where no face was found.
    """
    size = pictures.image.shape[-1]
    errors: dict[str, list[Tensor]] = {name: [] for name in copies(size)}
    for images in torch.split(pictures.image, 8):
        upright = _landmarks(teacher, detector, images.float() / 255)
        unit = (upright[:, RIGHT_EYE, :2] - upright[:, LEFT_EYE, :2]).norm(dim=-1)
        for name, matrix in copies(size).items():
            found = _landmarks(model, detector, make_copy(images, matrix))
            back = invert_affine(matrix[None]).expand(len(images), -1, -1)
            error = (transform_points(back, found[..., :2]) - upright[..., :2]).norm(dim=-1)
            errors[name].append(error.mean(1) / unit)
    return {name: torch.cat(parts) for name, parts in errors.items()}


def parser_overlap(model: Parser, detector: Detector, pictures: Pictures) -> dict[str, float]:
    """Intersection over union of each of `PARTS`, over the pixels of all pictures together.

    Args:
        model: what is measured, on crops aligned by the points that `detector` finds.
        detector: finds the faces; pictures in which it finds none are left out.
        pictures: P pictures with masks.
    """
    shared, total = torch.zeros(len(PARTS)), torch.zeros(len(PARTS))
    for crops, label in aligned(detector, pictures):
        found = model.parse(crops).argmax(1)
        for row, classes in enumerate(PARTS.values()):
            a, b = (torch.isin(x, torch.tensor(classes)) for x in (found, label))
            shared[row] += (a & b).sum()
            total[row] += (a | b).sum()
    return dict(zip(PARTS, (shared / total).tolist(), strict=True))


def aligned(detector: Detector, pictures: Pictures) -> Iterator[tuple[Crops, Tensor]]:
    """Align the pictures' faces as users do: crops of 512 px, and their classes [N, 512, 512]."""
    if pictures.label is None:
        raise ValueError("Measuring a parser wants masks: put them into masks/ beside images/.")
    for images, label in zip(
        *(torch.split(x, 8) for x in (pictures.image, pictures.label)), strict=True
    ):
        frames = images.float() / 255
        faces = take(detector.detect(frames, 0.5), [0])
        matrix = fit_similarity(faces.keypoints, template_points("ffhq_512", 512))
        crops = Crops(crop(frames, matrix, faces.frame, 512), matrix, faces, "ffhq_512")
        yield crops, cut(label[faces.frame].float(), matrix, 512, "nearest")[:, 0].round().long()


def _landmarks(model: Landmarker, detector: Detector, frames: Tensor) -> Tensor:
    """Landmarks [B, 468, 3] of each frame's best face; NaN where there is none."""
    faces: Faces = model.find(frames, take(detector.detect(frames, 0.5), [0]))
    points = torch.full((len(frames), model.points, 3), torch.nan)
    if faces.landmarks is not None:
        points[faces.frame] = faces.landmarks
    return points
