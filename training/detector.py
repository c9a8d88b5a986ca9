"""The detector's recipe: boxes and points by distillation, on canvases composed of portraits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from tqdm import tqdm

from ..models.loom_detector.network import (
    STRIDES,
    LoomDetectorNetwork,
    cell_middles,
    decode,
)
from ..models.roles import Detector
from .augment import chance, degrade, light, occlude, recolour
from .canvases import FACE, SIZE, UNCLEAR, Canvases, Painter
from .pictures import Pictures

STEM, WIDTH = (16, 32), 48
_FITTING = ((0.0, 48.0), (28.0, 104.0), (72.0, float("inf")))
"""Face sizes in pixels (root of the box's area) that the cells of each stride answer for."""
_MIRRORED = (1, 0, 2, 4, 3)
_COVERED = 0.4  # share of a box behind something in front, above which a face is unclear
_FINE = 30.0  # px; a canvas with smaller faces is not blurred or compressed


class DetectorTask:
    """What `Training` trains.

    Args:
        painter: composes the canvases.
        seed: of the starting weights.
        batch: canvases a step.
    """

    def __init__(self, painter: Painter, seed: int, batch: int = 24) -> None:
        torch.manual_seed(seed)
        self.painter = painter
        self.batch = batch
        network = LoomDetectorNetwork(STEM, WIDTH)
        bias = network.head[1].bias
        assert isinstance(bias, Tensor)
        # Few cells hold a face: beginning from that spares the first steps (Lin et al.,
        # arXiv:1708.02002, section 3.3).
        bias.data[0] = -4.0
        self.network: nn.Module = network

    def loss(self, random: Generator) -> dict[str, Tensor]:
        """Quality focal loss of the scores, GIoU loss of the boxes, distance of the points."""
        canvases = self.draw(random)
        images = canvases.image.contiguous(memory_format=torch.channels_last)
        return detection_loss(decode(self.network(images)), canvases)

    def draw(self, random: Generator) -> Canvases:
        """Compose a batch and put it through light, camera and compression."""
        dice = Random(int(torch.randint(2**62, (), generator=random)))
        canvases = self.painter.paint(dice, self.batch)
        images, cover = occlude(canvases.image, random, 0.3)
        canvases = hide(canvases, cover)
        side = (canvases.box[..., 2:] - canvases.box[..., :2]).amax(-1)
        fine = ((side < _FINE) & (canvases.kind == FACE)).any(1) | chance(random, 0.3, self.batch)
        images[~fine] = degrade(images[~fine], random)
        images[fine] = recolour(light(images[fine], random), random)
        return replace(canvases, image=images)


def hide(canvases: Canvases, cover: Tensor) -> Canvases:
    """Call faces unclear that something [B, 1, SIZE, SIZE] covers for the greater part."""
    kind = canvases.kind.clone()
    for canvas, face in (kind == FACE).nonzero().tolist():
        x0, y0, x1, y1 = canvases.box[canvas, face].clamp(0, SIZE).long().tolist()
        if cover[canvas, 0, y0 : y1 + 1, x0 : x1 + 1].mean() > _COVERED:
            kind[canvas, face] = UNCLEAR
    return replace(canvases, kind=kind)


def detection_loss(found: tuple[Tensor, Tensor, Tensor], canvases: Canvases) -> dict[str, Tensor]:
    """Compare candidates with what is on the canvases.

    Every cell near a face's middle learns its box and points; its score learns how well its own box
    fits: the square root of the intersection over union (Li et al., generalized focal loss,
    arXiv:2006.04388, section 3.2, there without the root), so that of the many cells of a face the
    best one wins. All other cells learn the score 0, save those on unclear faces.

    Args:
        found: logits [B, A], boxes [B, A, 4], points [B, A, 5, 2], as `decode` gives them.
        canvases: what is there.

    Returns:
        The terms `score`, `box` and `points`.
    """
    logits, boxes, points = found
    owner, counted = assign(canvases, logits.device)
    canvas, cell = (owner >= 0).nonzero(as_tuple=True)
    face = owner[canvas, cell]
    overlap, loss = giou(boxes[canvas, cell], canvases.box[canvas, face])
    wanted = torch.zeros_like(logits)
    wanted[canvas, cell] = overlap.detach().clamp(0, 1).sqrt()
    entropy = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    focus = (logits.sigmoid() - wanted).square() * counted
    size = (canvases.box[..., 2:] - canvases.box[..., :2]).prod(-1).sqrt()[canvas, face]
    error = points[canvas, cell] - canvases.points[canvas, face]
    # A root that is round at zero: it pulls as an L1 does, yet settles.
    distance = ((error / size[:, None, None]).square().sum(-1) + 1e-5).sqrt().mean(-1)
    # Each face counts as much as any other, however many cells it has.
    cells = torch.zeros_like(canvases.kind, dtype=torch.float32)
    cells.index_put_((canvas, face), torch.ones(len(face)), accumulate=True)
    weight = 1 / cells[canvas, face] / (cells > 0).sum().clamp(min=1)
    return {
        "score": (entropy * focus).sum() / max(1, len(face)),
        "box": 0.5 * (loss * weight).sum(),
        "points": 4 * (distance * weight).sum(),
    }


def assign(canvases: Canvases, device: torch.device) -> tuple[Tensor, Tensor]:
    """Say which face each cell answers for.

    A cell answers for the face in the middle half of whose box its own middle lies, or within one
    stride of whose centre, if the face's size fits the stride; of several, for the nearest one
    (centre sampling: Tian et al., FCOS, arXiv:1904.01355; a later version's section 3.1).

    Returns:
        The face [B, A] int64, -1 for none; and [B, A] float32, 0 where a cell's score does not
        matter, because it lies on an unclear face.
    """
    low, high = canvases.box[:, None, :, :2], canvases.box[:, None, :, 2:]
    half = (high - low).clamp(min=1e-3) / 2
    size = (2 * half).prod(-1).sqrt()
    owners, counted = [], []
    for stride, (smallest, largest) in zip(STRIDES, _FITTING, strict=True):
        middle = cell_middles(SIZE // stride, SIZE // stride, stride, device)[None, :, None]
        away = (middle - (low + high) / 2).abs()
        near = torch.minimum(away / half * 2, away / stride).amax(-1)
        fits = (size >= smallest) & (size < largest) & (canvases.kind == FACE)[:, None]
        near = torch.where((near < 1) & fits, near, float("inf"))
        distance, face = near.min(-1)
        owners.append(torch.where(distance.isfinite(), face, -1))
        blurred = ((away < half).all(-1) & (canvases.kind == UNCLEAR)[:, None]).any(-1)
        counted.append((~blurred | distance.isfinite()).float())
    return torch.cat(owners, 1), torch.cat(counted, 1)


def giou(boxes: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Intersection over union [K] of pairs of boxes [K, 4], and the generalised loss.

    Rezatofighi et al., arXiv:1902.09630, algorithm 1.
    """
    low = torch.maximum(boxes[:, :2], wanted[:, :2])
    high = torch.minimum(boxes[:, 2:], wanted[:, 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    both = [(each[:, 2:] - each[:, :2]).prod(-1) for each in (boxes, wanted)]
    union = both[0] + both[1] - shared
    outer = torch.maximum(boxes[:, 2:], wanted[:, 2:]) - torch.minimum(boxes[:, :2], wanted[:, :2])
    hull = outer.prod(-1).clamp(min=1e-6)
    overlap = shared / union.clamp(min=1e-6)
    return overlap, 1 - overlap + (hull - union) / hull


def label(
    pictures: Pictures, teacher: Detector, sizes: Sequence[int] = (512, 384, 256)
) -> tuple[Pictures, Tensor, Tensor]:
    """Let the teacher find each portrait's face, and average what it says of several views.

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
    names = tuple(name for name, keep in zip(pictures.names, sure, strict=True) if keep)
    mask = None if pictures.label is None else pictures.label[kept]
    pictures = replace(pictures, image=pictures.image[kept], label=mask, names=names)
    return pictures, torch.stack(boxes)[kept], torch.stack(points)[kept]


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
            points = points[list(_MIRRORED)]
        views.append((box, points))
    return views
