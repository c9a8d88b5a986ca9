"""The parser's recipe: the classes of CelebAMask-HQ's masks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from ..models.loom_parser.network import CLASSES, INPUT, LoomParserNetwork
from .augment import chance, cut, degrade, jitter, occlude
from .pictures import Pictures

WIDTHS, BLOCKS, HEAD = (16, 32, 64, 96, 128), (0, 1, 2, 2, 1), 24
PICTURE = 288
"""Side in pixels at which pictures are kept: the crops then need no low-pass."""
_LABEL = INPUT // 2
_MIRRORED = (0, 1, 2, 3, 5, 4, 7, 6, 9, 8, *range(10, CLASSES))
_PAIRS = ((4, 5), (6, 7))
_GLASSES, _HAT = 3, 14
_RARE = 4.0  # how many times as often as others pictures with glasses or hats are drawn


class ParserTask:
    """What `Training` trains.

    Args:
        pictures: of `PICTURE` pixels, aligned as FFHQ's and CelebA-HQ's are, with masks.
        seed: of the starting weights.
        batch: crops a step.

    Raises:
        ValueError: the pictures have no masks.
    """

    def __init__(self, pictures: Pictures, seed: int, batch: int = 12) -> None:
        if pictures.label is None:
            raise ValueError("The parser learns from masks: put them into masks/ beside images/.")
        torch.manual_seed(seed)
        self.image, self.label = pictures.image, untangle(pictures.label)
        self.batch = batch
        self.network: nn.Module = LoomParserNetwork(WIDTHS, BLOCKS, HEAD)
        rare = ((self.label == _GLASSES) | (self.label == _HAT)).flatten(1).float().mean(1) > 0.005
        self.draws = 1 + (_RARE - 1) * rare.float()
        count = torch.bincount(self.label.flatten().long(), minlength=CLASSES).float()
        # Between equal pixels and equal classes, else background and hair drown the lips.
        self.weight = (count.sum() / count.clamp(min=1)) ** 0.4
        self.weight /= (self.weight * count).sum() / count.sum()

    def loss(self, random: Generator) -> dict[str, Tensor]:
        """Weighted cross entropy, and one minus the mean Dice coefficient of the classes."""
        crops, label = self.draw(random)
        logits = self.network(crops.contiguous(memory_format=torch.channels_last)).float()
        entropy = F.cross_entropy(logits, label, self.weight.clamp(max=20))
        return {"entropy": entropy, "dice": 0.5 * (1 - dice(logits.softmax(1), label))}

    def draw(self, random: Generator) -> tuple[Tensor, Tensor]:
        """Crops [N, 3, 256, 256], and the class [N, 128, 128] of every second pixel."""
        row = torch.multinomial(self.draws, self.batch, True, generator=random)
        mirrored = chance(random, 0.5, self.batch)
        images = _where(mirrored, self.image[row].flip(-1), self.image[row])
        label = self.label[row].float()
        swapped = torch.tensor(_MIRRORED)[self.label[row].flip(-1).long()].float()
        label = _where(mirrored, swapped, label)
        turn = jitter(random, self.batch, INPUT, turn=25, zoom=1.4, shift=0.1)
        fit = torch.tensor([[INPUT / PICTURE, 0, 0], [0, INPUT / PICTURE, 0]])
        turn[:, :, :2] = turn[:, :, :2] @ fit[:, :2]
        # Black as the detector's canvas, or repeated as `realign` does it.
        padding = "border" if chance(random, 0.5, 1) else "zeros"
        crops = cut(images, turn, INPUT, padding=padding)
        crops, cover = occlude(degrade(crops, random), random, 0.4)
        label = cut(label, turn * (_LABEL / INPUT), _LABEL, "nearest")
        covered = F.interpolate(cover, (_LABEL, _LABEL), mode="area") > 0.5
        return crops, label.masked_fill(covered, 0)[:, 0].round().long()


def untangle(label: Tensor) -> Tensor:
    """Put right the pictures whose left and right eye or brow have each other's class.

    In CelebAMask-HQ one pair in fifteen has. The first class of a pair lies further to the right.

    Args:
        label: [P, 1, S, S] uint8, upright faces.
    """
    across = torch.arange(label.shape[-1], dtype=torch.float32)
    fixed = label.clone()
    for first, second in _PAIRS:
        a, b = label == first, label == second
        x, y = ((part * across).sum((1, 2, 3)) / part.sum((1, 2, 3)) for part in (a, b))
        tangled = (x < y).view(-1, 1, 1, 1)  # never where one of the two is hidden: NaN
        fixed = fixed.masked_fill(tangled & a, second).masked_fill(tangled & b, first)
    return fixed


def dice(probabilities: Tensor, label: Tensor) -> Tensor:
    """Mean Dice coefficient over the classes that a batch shows.

    Milletari, Navab, Ahmadi: "V-Net", arXiv:1606.04797, section 3.

    Args:
        probabilities: [N, C, H, W].
        label: [N, H, W] int64.
    """
    wanted = F.one_hot(label, probabilities.shape[1]).movedim(-1, 1).float()
    shared = (probabilities * wanted).sum((0, 2, 3))
    total = (probabilities + wanted).sum((0, 2, 3))
    shown = wanted.sum((0, 2, 3)) > 0
    return (2 * shared / total.clamp(min=1))[shown].mean()


def _where(choose: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return torch.where(choose.view(-1, 1, 1, 1), a, b)
