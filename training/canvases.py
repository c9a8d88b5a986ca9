"""Canvases: small pictures with faces of known place, made of portraits and backgrounds.

Pasting known faces onto other pictures is how little data trains a detector (Dwibedi et al., "Cut,
paste and learn", arXiv:1708.01642); strangeness at the seams teaches nothing, as heads, squares and
ovals without a face are pasted as well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor

from ..models.loom_detector.closer import CLOSE, MIRRORED, turned_boxes
from ..ops.geometry import transform_points
from .pictures import Pictures

SIZE = 192
"""Side of a canvas in pixels."""
MOST = 6
"""Faces a canvas has at most."""
NOTHING, FACE, UNCLEAR = 0, 1, 2
"""What an entry of `Canvases.kind` may be; an unclear face is neither to be found nor to be not."""
_CLOTH = 18
_SMALLEST = 12.0  # px; below it there is not enough of a face to learn from
_VISIBLE = 0.55  # share of a box that must lie on the canvas


@dataclass(frozen=True, eq=False)
class Canvases:
    """B canvases and what is on them, up to `MOST` faces each."""

    image: Tensor
    """[B, 3, SIZE, SIZE] float32 RGB 0..1."""
    box: Tensor
    """[B, MOST, 4] in pixels; it may reach beyond the canvas."""
    points: Tensor
    """[B, MOST, 5, 2] in pixels."""
    kind: Tensor
    """[B, MOST] int64: NOTHING, FACE or UNCLEAR."""


class Painter:
    """Composes canvases.

    Args:
        pictures: portraits, with masks of 19 classes if heads are to be cut out.
        box: [P, 4] the face of each in pixels.
        points: [P, 5, 2].
        backgrounds: pictures without faces, [3, H, W] uint8 each.
    """

    def __init__(
        self, pictures: Pictures, box: Tensor, points: Tensor, backgrounds: list[Tensor]
    ) -> None:
        self.side = pictures.image.shape[-1]
        self.levels = _levels(pictures)
        self.box, self.points = box, points
        self.backgrounds = backgrounds
        eyes = (points[:, 1] - points[:, 0]).norm(dim=-1)
        narrow = (box[:, 2:] - box[:, :2]).prod(-1).sqrt() / eyes.clamp(min=1)
        # Faces seen from the side are few: they are drawn up to four times as often as others.
        self.draws = (narrow / narrow.median()).square().clamp(1, 4).cumsum(0).tolist()

    def __len__(self) -> int:
        return len(self.box)

    def paint(self, dice: Random, count: int) -> Canvases:
        """Compose `count` canvases."""
        canvas = torch.empty(count, 3, SIZE, SIZE)
        box, points = torch.zeros(count, MOST, 4), torch.zeros(count, MOST, 5, 2)
        kind = torch.full((count, MOST), NOTHING)
        for index, image in enumerate(canvas):
            image.copy_(self.background(dice))
            for _ in range(dice.choice((0, 0, 0, 1, 1, 3))):
                self._decoy(dice, image)
            for face in range(dice.choices(range(MOST + 1), (16, 30, 18, 14, 9, 7, 6))[0]):
                crowd = box[index, :face][kind[index, :face] != NOTHING]
                placed = self._face(dice, image, crowd, alone=face == 0)
                if placed is not None:
                    box[index, face], points[index, face], kind[index, face] = placed
        return Canvases(canvas, box, points, kind)

    def background(self, dice: Random) -> Tensor:
        """Make a picture [3, SIZE, SIZE] without a face."""
        draw = dice.random()
        if draw < 0.1:
            colours = torch.tensor([dice.random() for _ in range(12)]).reshape(1, 3, 2, 2)
            return F.interpolate(colours, (SIZE, SIZE), mode="bilinear")[0]
        if draw < 0.2:
            return _noise(dice)
        if draw < 0.3:
            return _doodle(dice, SIZE)
        if draw < 0.42:
            tiles = [self._texture(dice, SIZE // 2) for _ in range(4)]
            return torch.cat([torch.cat(tiles[:2], 1), torch.cat(tiles[2:], 1)], 2)
        return self._texture(dice, SIZE)

    def _texture(self, dice: Random, size: int) -> Tensor:
        """Cut a square out of a background, or out of a portrait beside its face."""
        if self.backgrounds and dice.random() < 0.45:
            source = dice.choice(self.backgrounds)
            left, top, right, bottom = 0.0, 0.0, float(source.shape[2]), float(source.shape[1])
        else:
            row = dice.randrange(len(self))
            source = self.levels[0][row, :3]
            left, top, right, bottom = self._beside(dice, row)
        most = min(right - left, bottom - top)
        side = max(8, int(most * dice.uniform(0.25, 1.0)))
        x = int(left + dice.random() * max(0.0, right - left - side))
        y = int(top + dice.random() * max(0.0, bottom - top - side))
        part = source[:, y : y + side, x : x + side].float()[None] / 255
        mode = "area" if side > size else "bilinear"
        part = F.interpolate(part, (size, size), mode=mode)[0]
        part = part.rot90(dice.randrange(4), (1, 2))
        return part.flip(2) if dice.random() < 0.5 else part

    def _beside(self, dice: Random, row: int) -> tuple[float, float, float, float]:
        """One of the four strips of a portrait around the face's box."""
        x0, y0, x1, y1 = self.box[row].clamp(0, self.side).tolist()
        full = float(self.side)
        strips = ((0, 0, x0, full), (x1, 0, full, full), (0, 0, full, y0), (0, y1, full, full))
        return dice.choice([s for s in strips if min(s[2] - s[0], s[3] - s[1]) >= full / 16])

    def _face(
        self, dice: Random, canvas: Tensor, crowd: Tensor, alone: bool
    ) -> tuple[Tensor, Tensor, int] | None:
        """Paste a face, unless it would cover others; say where it is and of which kind."""
        row = dice.choices(range(len(self)), cum_weights=self.draws)[0]
        mirrored = dice.random() < 0.5
        size, turn, reach = _pose(dice, alone)
        middle = [SIZE / 2 + dice.uniform(-reach, reach) for _ in range(2)]
        matrix = self._placement(row, size, middle, turn, mirrored)
        box = turned_boxes(self.box[row][None], matrix[None])[0]
        if len(crowd) and bool((_shared(crowd, box) > 0.2).any()):
            return None
        self._paste(canvas, row, matrix, dice.choices(("square", "head", "oval"), (5, 4, 2))[0])
        points = transform_points(matrix[None], self.points[row][None])[0]
        points = points[list(MIRRORED)] if mirrored else points
        whole = torch.tensor([0.0, 0.0, SIZE, SIZE])
        clear = size >= _SMALLEST and float(_shared(whole[None], box, of_second=True)) > _VISIBLE
        return box, points, FACE if clear else UNCLEAR

    def _placement(
        self, row: int, size: float, middle: list[float], turn: float, mirrored: bool
    ) -> Tensor:
        """Portrait-to-canvas matrix [2, 3] that gives the face's box this size and middle."""
        x0, y0, x1, y1 = self.box[row].tolist()
        scale = size / math.sqrt((x1 - x0) * (y1 - y0))
        cos, sin = scale * math.cos(turn), scale * math.sin(turn)
        flip = -1.0 if mirrored else 1.0
        linear = torch.tensor([[flip * cos, -sin], [flip * sin, cos]])
        offset = torch.tensor(middle) - linear @ torch.tensor([(x0 + x1) / 2, (y0 + y1) / 2])
        return torch.cat([linear, offset[:, None]], 1)

    def _paste(self, canvas: Tensor, row: int, matrix: Tensor, shape: str) -> None:
        """Lay a portrait, its head, or an oval about its face onto a canvas, in place."""
        scale = float(matrix[:, 0].norm())
        level = min(len(self.levels) - 1, max(0, int(math.log2(max(1.0, 1 / scale)))))
        portrait = self.levels[level][row]
        corners = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]) * self.side
        corners = transform_points(matrix[None], corners[None])[0]
        x0, y0 = (int(v) for v in corners.amin(0).floor().clamp(0, SIZE))
        x1, y1 = (int(v) for v in corners.amax(0).ceil().clamp(0, SIZE))
        if x1 <= x0 or y1 <= y0:
            return
        x, y = torch.arange(x0, x1) + 0.5, torch.arange(y0, y1) + 0.5
        at = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)
        at = (at - matrix[:, 2]) @ torch.linalg.inv(matrix[:, :2]).mT / self.side * 2 - 1
        found = F.grid_sample(portrait[None].float() / 255, at[None], align_corners=False)[0]
        edge = 1.5 / (scale * self.side / 2)  # 1.5 canvas pixels
        if shape == "square":
            alpha = ((1 - at.abs().amax(-1)) / edge).clamp(0, 1)
        elif shape == "head":
            alpha = found[3]
        else:
            box = self.box[row] / self.side * 2 - 1
            away = (at - (box[:2] + box[2:]) / 2) / ((box[2:] - box[:2]) * 0.62)
            alpha = ((1 - away.norm(dim=-1)) / (3 * edge)).clamp(0, 1)
        part = canvas[:, y0:y1, x0:x1]
        part.lerp_(found[:3], alpha.expand_as(part))

    def _decoy(self, dice: Random, canvas: Tensor) -> None:
        """Lay something onto a canvas that has a face's colours or edges but is none, in place."""
        size = int(math.exp(dice.uniform(math.log(12), math.log(0.8 * SIZE))))
        kind = dice.choices((self._texture, self._scrambled, _doodle), (3, 4, 3))[0]
        part = kind(dice, size)
        alpha = torch.ones(size, size)
        if dice.random() < 0.6:
            place = torch.linspace(-1, 1, size)
            ratio = dice.uniform(0.5, 1.0)
            away = (place[:, None] ** 2 + (place / ratio) ** 2).sqrt()
            alpha = ((1 - away) * size / 4).clamp(0, 1)
        x, y = (dice.randrange(-size // 3, SIZE - size // 2) for _ in range(2))
        whole = canvas[:, max(0, y) : y + size, max(0, x) : x + size]
        part = part[:, max(0, -y) :, max(0, -x) :][:, : whole.shape[1], : whole.shape[2]]
        alpha = alpha[max(0, -y) :, max(0, -x) :][: whole.shape[1], : whole.shape[2]]
        whole.lerp_(part, alpha.expand_as(part))

    def _scrambled(self, dice: Random, size: int) -> Tensor:
        """A face cut into tiles that are put together wrongly, or one tile of it alone."""
        row, tiles = dice.randrange(len(self)), dice.choice((1, 3, 4, 5))
        x0, y0, x1, y1 = self.box[row].clamp(0, self.side).tolist()
        tile = (x1 - x0) / max(3, tiles)
        order = [(i, j) for i in range(max(3, tiles)) for j in range(max(3, tiles))]
        dice.shuffle(order)
        rows = []
        for i in range(tiles):
            parts = []
            for j in range(tiles):
                column, line = order[i * tiles + j]
                x, y = int(x0 + column * tile), int(y0 + line * (y1 - y0) / max(3, tiles))
                parts.append(self.levels[0][row, :3, y : y + int(tile), x : x + int(tile)])
            rows.append(torch.cat(parts, 2))
        whole = torch.cat(rows, 1)[None].float() / 255
        mode = "area" if whole.shape[-1] > size else "bilinear"
        return F.interpolate(whole, (size, size), mode=mode)[0]


def _pose(dice: Random, alone: bool) -> tuple[float, float, float]:
    """Draw a face's size in pixels, its turn in radians, and how far off the middle it may lie."""
    if alone and dice.random() < 0.5:
        # As the detector's second look shows a face: upright, and of the size it knows best.
        return CLOSE * dice.uniform(0.8, 1.25), math.radians(dice.uniform(-10, 10)), 0.2 * CLOSE
    largest = 1.35 * SIZE if alone and dice.random() < 0.5 else SIZE / 2
    size = math.exp(dice.uniform(math.log(11), math.log(largest)))
    turn = math.radians(dice.choices((12.0, 50.0, 180.0), (3, 4, 3))[0]) * dice.uniform(-1, 1)
    return size, turn, SIZE / 2 + 0.2 * size if size < 0.7 * SIZE else 0.2 * SIZE


def _shared(boxes: Tensor, box: Tensor, of_second: bool = False) -> Tensor:
    """Share [K] of the smaller one of `boxes` [K, 4] and `box` [4], or of the latter, in both."""
    low, high = torch.maximum(boxes[:, :2], box[:2]), torch.minimum(boxes[:, 2:], box[2:])
    second = (box[2:] - box[:2]).prod()
    first = (boxes[:, 2:] - boxes[:, :2]).prod(-1)
    whole = second if of_second else torch.minimum(first, second)
    return (high - low).clamp(min=0).prod(-1) / whole.clamp(min=1e-6)


def _noise(dice: Random) -> Tensor:
    """Coloured noise [3, SIZE, SIZE] with about as much in every octave."""
    random = torch.Generator().manual_seed(dice.getrandbits(60))
    total = torch.full((1, 3, SIZE, SIZE), dice.random())
    for octave in range(dice.randrange(1, 5), 8):
        grid = torch.randn(1, dice.choice((1, 3)), 2**octave, 2**octave, generator=random)
        grid = F.interpolate(grid, (SIZE, SIZE), mode="bilinear")
        total = total + 0.12 * grid
    return total[0].clamp(0, 1)


def _doodle(dice: Random, size: int) -> Tensor:
    """Round spots and rings [3, size, size]: what coins, dials and cells share with faces."""
    place = torch.linspace(-1, 1, size)
    y, x = place[:, None], place[None]
    picture = torch.full((3, size, size), dice.random())
    for _ in range(dice.randrange(1, 9)):
        cx, cy, turn = dice.uniform(-1, 1), dice.uniform(-1, 1), dice.uniform(0, math.pi)
        long = math.exp(dice.uniform(math.log(0.05), math.log(0.9)))
        short = long * dice.uniform(0.4, 1.0)
        u = ((x - cx) * math.cos(turn) + (y - cy) * math.sin(turn)) / long
        v = ((y - cy) * math.cos(turn) - (x - cx) * math.sin(turn)) / short
        inside = (1 - (u * u + v * v).sqrt()) * short * size / 2
        alpha = (inside / dice.choice((1.0, 1.0, 6.0))).clamp(0, 1)
        if dice.random() < 0.3:
            alpha = alpha * (dice.uniform(0.1, 0.4) * short * size / 2 + 1 - inside).clamp(0, 1)
        grey = dice.random()
        tint = [min(1.0, max(0.0, grey + dice.gauss(0, 0.15))) for _ in range(3)]
        picture.lerp_(torch.tensor(tint).view(3, 1, 1).expand_as(picture), alpha.expand_as(picture))
    return picture


def _levels(pictures: Pictures) -> list[Tensor]:
    """Portraits [P, 4, s, s] uint8 with their heads as fourth channel, each half the one before."""
    head = torch.full_like(pictures.image[:, :1], 255)
    if pictures.label is not None:
        head = ((pictures.label > 0) & (pictures.label < _CLOTH)).to(torch.uint8) * 255
    levels = [torch.cat([pictures.image, head], 1)]
    while levels[-1].shape[-1] > 32:
        finer = levels[-1]
        half = [F.avg_pool2d(each.float(), 2).round().to(torch.uint8) for each in finer]
        levels.append(torch.stack(half))
    return levels
