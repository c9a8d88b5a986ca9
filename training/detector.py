"""The detector's recipe: boxes and points by distillation, on canvases composed of portraits."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from ..models.loom_detector.network import (
    STRIDES,
    LoomDetectorNetwork,
    cell_middles,
    decode,
)
from .augment import chance, degrade, light, occlude, recolour
from .canvases import FACE, SIZE, UNCLEAR, Canvases, Painter

STEM, WIDTH = (16, 32), 48
_FITTING = ((0.0, 48.0), (28.0, 104.0), (72.0, float("inf")))
"""Face sizes in pixels (root of the box's area) that the cells of each stride answer for."""
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
        bias = network.box[1].bias
        assert isinstance(bias, Tensor)
        # Few cells hold a face: beginning from that spares the first steps (Lin et al.,
        # arXiv:1708.02002, section 3.3).
        bias.data[0] = -4.0
        self.network: nn.Module = network

    def loss(self, random: Generator) -> dict[str, Tensor]:
        """Quality focal loss of the scores, GIoU loss of the boxes, distance of the points."""
        # A training runs in bfloat16, whose eight bits are too few for coordinates.
        with torch.autocast("cpu", enabled=False):
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
        fine = ((side < _FINE) & (canvases.kind == FACE)).any(1)
        touched = chance(random, 0.75, self.batch)
        for part, change in ((touched & ~fine, degrade), (touched & fine, _relight)):
            if part.any():
                images[part] = change(images[part], random)
        return replace(canvases, image=images)


def _relight(images: Tensor, random: Generator) -> Tensor:
    return recolour(light(images, random), random)


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
