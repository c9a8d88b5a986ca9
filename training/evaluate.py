"""Judging face swaps: whose face a result shows, and how well it keeps the target's pose.

The judges should be networks that the swap itself did not use: an encoder that the swap was made
to please says little.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ..faces import Faces
from ..faces.select import largest
from ..models.roles import Detector, Encoder, Landmarker
from ..models.squares import LEFT_EYE, RIGHT_EYE
from ..models.suppression import pairwise_iou
from .pictures import find_pictures, part_of

_THRESHOLD = 0.5  # score from which a judge sees a face
_SAME_PLACE = 0.3  # overlap of boxes from which a result's face is the target's, swapped
_ROUNDS = 10_000  # of the bootstrap


class NoFaceError(ValueError):
    """A picture of a pair shows no face that could be judged; the text says which."""


@dataclass(frozen=True)
class Score:
    """How well one swap went."""

    to_source: float
    """Cosine of the result's identity to the source's: -1..1, more is better."""
    to_target: float
    """Cosine of the result's identity to the target's: less is better."""
    between: float
    """Cosine of the source's identity to the target's: what there was to change."""
    landmarks: float
    """Mean distance of the result's landmarks to the target's, as a share of the target's eye
    distance, which is that of the outer corners, as 300-W takes it (Sagonas et al., 2016)."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What the judges see in one face."""

    faces: Faces
    """The face."""
    identity: Tensor
    """[1, D], of length 1."""
    landmarks: Tensor
    """[1, L, 2] in pixels of the picture."""


@dataclass(frozen=True, eq=False)
class Judges:
    """Networks that judge swaps, on their device."""

    detector: Detector
    encoder: Encoder
    landmarker: Landmarker
    """Gives the 468 points of a face mesh."""

    def look(self, frame: Tensor, place: Faces | None = None) -> Seen | None:
        """Judge a picture's largest face.

        Args:
            frame: [1, 3, H, W] RGB 0..1.
            place: a face of a picture of the same size: look at the face in its place instead.

        Returns:
            None where there is no face, or none in that place.
        """
        faces = self.detector.detect(frame, _THRESHOLD)
        faces = largest(faces) if place is None else _in_place(faces, place)
        if not len(faces):
            return None
        found = self.landmarker.find(frame, faces).landmarks
        if found is None:
            raise ValueError(f"{self.landmarker.name} gave no landmarks.")
        return Seen(faces, F.normalize(self.encoder.encode(frame, faces)), found[..., :2])

    def score(self, source: Tensor, target: Tensor, result: Tensor) -> tuple[Score, list[Seen]]:
        """Judge a swap.

        Args:
            source: [1, 3, h, w] RGB 0..1, whose largest face is the one to take.
            target: [1, 3, H, W], whose largest face is the one replaced.
            result: [1, 3, H, W].

        Returns:
            The score, and what was seen in source, target and result.

        Raises:
            NoFaceError: a picture shows no face, or the result none where the target has one.
            ValueError: result and target differ in size.
        """
        if result.shape != target.shape:
            raise ValueError(
                f"the result must be of the target's size, got {_size(result)} for {_size(target)}"
            )
        one, other = self.look(source), self.look(target)
        if one is None or other is None:
            raise NoFaceError(f"no face in the {'source' if one is None else 'target'}")
        made = self.look(result, other.faces)
        if made is None:
            raise NoFaceError("no face in the result where the target's is")
        eyes = other.landmarks[:, LEFT_EYE] - other.landmarks[:, RIGHT_EYE]
        distance = (made.landmarks - other.landmarks).norm(dim=-1).mean()
        score = Score(
            to_source=float((made.identity * one.identity).sum()),
            to_target=float((made.identity * other.identity).sum()),
            between=float((one.identity * other.identity).sum()),
            landmarks=float(distance / eyes.norm()),
        )
        return score, [one, other, made]


def choose_pairs(given: list[Path], most: int, seed: int) -> list[tuple[Path, Path]]:
    """Say which pictures to swap.

    Args:
        given: pictures, of which every one is swapped with every other; or one folder, of which
            the pictures are taken, and if it holds `images/` those that are held out from
            training (see `part_of`); or one text file with a source and a target a line, parted
            by a tab, relative to the file.
        most: how many pairs to choose of pictures and folders, at most. Every picture serves once
            as source and once as target before any serves again.
        seed: decides which, where there are more.

    Returns:
        Source and target of each pair.

    Raises:
        ValueError: there are no two pictures, or one is missing, or a line cannot be read.
    """
    if len(given) == 1 and given[0].suffix.lower() == ".txt":
        pairs = _read_pairs(given[0])
        _check_files([path for pair in pairs for path in pair])
        return pairs
    files = _pictures(given[0]) if len(given) == 1 else given
    _check_files(files)
    if len(files) < 2:
        raise ValueError(f"--pairs {given[0]}: a pair wants two pictures, there are {len(files)}.")
    random = torch.Generator().manual_seed(seed)
    ring = [files[i] for i in torch.randperm(len(files), generator=random).tolist()]
    steps = range(1, len(ring))
    pairs = [(ring[i], ring[i - step]) for step in steps for i in range(len(ring))]
    return sorted(pairs[:most])


def bootstrap(values: Tensor, seed: int = 0) -> tuple[float, float, float]:
    """Mean of values [P], and the ends of its 95 % confidence interval (percentile bootstrap).

    Source: Efron, Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.

    Raises:
        ValueError: there are no values.
    """
    if not values.numel():
        raise ValueError("The mean of no values is unknown.")
    random = torch.Generator().manual_seed(seed)
    drawn = torch.randint(len(values), (_ROUNDS, len(values)), generator=random)
    means = values.double()[drawn].mean(1)
    low, high = means.quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return values.double().mean().item(), low, high


def _pictures(folder: Path) -> list[Path]:
    files = find_pictures(folder)
    return part_of(files, held_out=True) if (folder / "images").is_dir() else files


def _check_files(files: list[Path]) -> None:
    missing = [path for path in files if not path.is_file()]
    if missing:
        raise ValueError(f"--pairs: there is no picture {missing[0]}")


def _read_pairs(path: Path) -> list[tuple[Path, Path]]:
    pairs = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if not line.strip():
            continue
        names = line.split("\t")
        if len(names) != 2:
            raise ValueError(
                f"{path}, line {number}: wanted a source and a target with a tab between, "
                f"got {line!r}"
            )
        source, target = (path.parent / name.strip() for name in names)
        pairs.append((source, target))
    if not pairs:
        raise ValueError(f"{path}: there are no pairs; write source, tab, target on each line.")
    return pairs


def _in_place(faces: Faces, place: Faces) -> Faces:
    """The face that lies over another one, if any does."""
    boxes = torch.cat([place.box, faces.box])[None]
    overlap = pairwise_iou(boxes)[0, 0, 1:]
    best = overlap.argsort(descending=True)[:1]
    return faces[best[overlap[best] > _SAME_PLACE]]


def _size(frame: Tensor) -> str:
    return f"{frame.shape[-1]}x{frame.shape[-2]}"
