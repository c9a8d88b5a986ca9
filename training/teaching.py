"""What a detector learns from: boxes and points that a teacher finds in portraits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from tqdm import tqdm

from ..models.loom_detector.closer import MIRRORED
from ..models.roles import Detector
from .pictures import Pictures


def labels(file: Path, pictures: Pictures, teacher: Detector) -> tuple[Pictures, Tensor, Tensor]:
    """Read what `label` once wrote into a file, or let the teacher label and write it.

    Args:
        file: `.safetensors`.
        pictures: upright portraits of one face each.
        teacher: a detector.

    Returns:
        As `label`.

    Raises:
        ValueError: the file is of other pictures.
    """
    if not file.exists():
        kept, box, points = label(pictures, teacher)
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file({"box": box, "points": points}, file, {"names": "\n".join(kept.names)})
    with safe_open(file, "pt") as content:
        names = content.metadata()["names"].split("\n")
        if not set(names) <= set(pictures.names):
            raise ValueError(f"{file} labels other pictures; remove it, or give another output.")
        kept = _only(pictures, torch.tensor([name in set(names) for name in pictures.names]))
        return kept, content.get_tensor("box"), content.get_tensor("points")


def label(
    pictures: Pictures, teacher: Detector, sizes: Sequence[int] = (512, 384, 256)
) -> tuple[Pictures, Tensor, Tensor]:
    """Let the teacher find each portrait's face, and average what it says of several views.

    Of one view its points are rough: YuNet's of the same face in views of other sizes, or mirrored,
    differ by 5 to 8 % of the eye distance.

    Args:
        pictures: upright portraits of one face each.
        teacher: a detector.
        sizes: longest sides at which it looks, at each picture and its mirror image.

    Returns:
        The pictures in which it found the face in every view, their boxes [P, 4] and points
        [P, 5, 2] in their pixels.
    """
    boxes, points, sure = [], [], []
    for image in tqdm(pictures.image, desc="teacher", disable=None):
        frames = torch.stack([image, image.flip(-1)]).float() / 255
        views = [view for size in sizes for view in _views(teacher, frames, size)]
        sure.append(len(views) == 2 * len(sizes))
        boxes.append(torch.stack([box for box, _ in views] or [torch.zeros(4)]).mean(0))
        points.append(torch.stack([p for _, p in views] or [torch.zeros(5, 2)]).mean(0))
    kept = torch.tensor(sure)
    return _only(pictures, kept), torch.stack(boxes)[kept], torch.stack(points)[kept]


def _only(pictures: Pictures, kept: Tensor) -> Pictures:
    names = tuple(name for name, keep in zip(pictures.names, kept.tolist(), strict=True) if keep)
    mask = None if pictures.label is None else pictures.label[kept]
    return replace(pictures, image=pictures.image[kept], label=mask, names=names)


def _views(teacher: Detector, frames: Tensor, size: int) -> list[tuple[Tensor, Tensor]]:
    """The largest face of a picture, and of its mirror image, mirrored back."""
    faces = teacher.detect(frames, 0.6, size)
    width = frames.shape[-1]
    views = []
    for frame in range(2):
        found = faces[faces.frame == frame]
        if not len(found):
            continue
        largest = (found.box[:, 2:] - found.box[:, :2]).prod(-1).argmax()
        box, points = found.box[largest], found.keypoints[largest]
        if frame == 1:
            box = torch.stack([width - box[2], box[1], width - box[0], box[3]])
            points = points * torch.tensor([-1.0, 1.0]) + torch.tensor([float(width), 0.0])
            points = points[list(MIRRORED)]
        views.append((box, points))
    return views
