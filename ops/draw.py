"""Boxes, points, lines and numbers drawn into pictures for previews, with dark outlines.

Coordinates are (x, y) in pixels of the frame, which spans [0, W] x [0, H]. What lies off the
picture, or is not finite, is not drawn. All functions return a new picture. Sizes left open follow
the picture's shorter side, so that a drawing can be read at 256 px and at 4K.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .spans import runs

Colour = tuple[float, float, float]
Rectangle = tuple[float, float, float, float]

_OUTLINE: Colour = (0.0, 0.0, 0.0)
_GLYPHS = {
    "0": (".###.", "#...#", "#..##", "#.#.#", "##..#", "#...#", ".###."),
    "1": ("..#..", ".##..", "..#..", "..#..", "..#..", "..#..", ".###."),
    "2": (".###.", "#...#", "....#", "...#.", "..#..", ".#...", "#####"),
    "3": (".###.", "#...#", "....#", "..##.", "....#", "#...#", ".###."),
    "4": ("...#.", "..##.", ".#.#.", "#..#.", "#####", "...#.", "...#."),
    "5": ("#####", "#....", "####.", "....#", "....#", "#...#", ".###."),
    "6": (".###.", "#....", "#....", "####.", "#...#", "#...#", ".###."),
    "7": ("#####", "....#", "...#.", "..#..", "..#..", ".#...", ".#..."),
    "8": (".###.", "#...#", "#...#", ".###.", "#...#", "#...#", ".###."),
    "9": (".###.", "#...#", "#...#", ".####", "....#", "....#", ".###."),
    ".": (".....", ".....", ".....", ".....", ".....", ".##..", ".##.."),
    "-": (".....", ".....", ".....", ".###.", ".....", ".....", "....."),
    "#": (".#.#.", ".#.#.", "#####", ".#.#.", "#####", ".#.#.", ".#.#."),
    "A": (".###.", "#...#", "#...#", "#####", "#...#", "#...#", "#...#"),
    "C": (".####", "#....", "#....", "#....", "#....", "#....", ".####"),
    "H": ("#...#", "#...#", "#...#", "#####", "#...#", "#...#", "#...#"),
    "I": (".###.", "..#..", "..#..", "..#..", "..#..", "..#..", ".###."),
    "P": ("####.", "#...#", "#...#", "####.", "#....", "#....", "#...."),
    "T": ("#####", "..#..", "..#..", "..#..", "..#..", "..#..", "..#.."),
    "W": ("#...#", "#...#", "#...#", "#.#.#", "#.#.#", "##.##", "#...#"),
    "Y": ("#...#", "#...#", ".#.#.", "..#..", "..#..", "..#..", "..#.."),
    " ": (".....",) * 7,
}


def draw_boxes(
    image: Tensor,
    boxes: Tensor,
    frame: Tensor,
    colour: Colour = (0.2, 1.0, 0.4),
    width: int | None = None,
) -> Tensor:
    """Draw the outlines of boxes, inwards from their edges.

    Args:
        image: [B, 3, H, W] RGB in 0..1.
        boxes: [N, 4] as x0, y0, x1, y1.
        frame: [N] integers, the picture each box belongs to.
        colour: RGB in 0..1.
        width: of the line in pixels; by default 1/250 of the shorter side, at least 1.

    Returns:
        [B, 3, H, W].

    Raises:
        ValueError: shapes do not fit together, or a frame does not exist.
    """
    frames = _frames(image, boxes, frame, (4,))
    line = _relative(image, 250) if width is None else width
    image = image.clone()
    for index, box in zip(frames, boxes.tolist(), strict=True):
        if all(map(math.isfinite, box)):
            left, top, right, bottom = (round(edge) for edge in box)
            for shade, grow in ((_OUTLINE, _relative(image, 600)), (colour, 0)):
                outer = (left - grow, top - grow, right + grow, bottom + grow)
                for part in _sides(outer, line + 2 * grow):
                    _paint(image[index], part, shade)
    return image


def draw_points(
    image: Tensor,
    points: Tensor,
    frame: Tensor,
    colour: Colour = (1.0, 0.85, 0.1),
    radius: float | None = None,
) -> Tensor:
    """Draw points as discs.

    Args:
        image: [B, 3, H, W] RGB in 0..1.
        points: [N, P, 2].
        frame: [N] integers, the picture each row of points belongs to.
        colour: RGB in 0..1.
        radius: in pixels; by default 1/350 of the shorter side, at least 1.

    Returns:
        [B, 3, H, W].

    Raises:
        ValueError: shapes do not fit together, or a frame does not exist.
    """
    _frames(image, points, frame, ("P", 2))
    inner = float(_relative(image, 350)) if radius is None else radius
    image = image.clone()
    for shade, reach in ((_OUTLINE, inner + _relative(image, 600)), (colour, inner)):
        _discs(image, points, frame, shade, reach)
    return image


def draw_lines(
    image: Tensor,
    points: Tensor,
    frame: Tensor,
    colour: Colour = (1.0, 0.85, 0.1),
    width: float | None = None,
) -> Tensor:
    """Draw lines from point to point, without an outline, in which dense ones would drown.

    Args:
        image: [B, 3, H, W] RGB in 0..1.
        points: [N, P, 2], the corners of each line. A part with an end that is not finite is left
            out.
        frame: [N] integers, the picture each line belongs to.
        colour: RGB in 0..1.
        width: in pixels; by default 1/500 of the shorter side, at least 1.

    Returns:
        [B, 3, H, W].

    Raises:
        ValueError: shapes do not fit together, or a frame does not exist.
    """
    _frames(image, points, frame, ("P", 2))
    thick = float(_relative(image, 500)) if width is None else width
    begin, end = points[:, :-1].flatten(0, 1).double(), points[:, 1:].flatten(0, 1).double()
    begin, end, shown = _clip(begin, end, image, thick)
    # Discs half a width apart at most, and as much larger as leaves no gap between two of them.
    count = (torch.linalg.vector_norm(end - begin, dim=1) / (thick / 2)).ceil().long() + 1
    part, step = runs(torch.zeros_like(count), count * shown)
    way = (step / (count[part] - 1).clamp(min=1))[:, None]
    places = begin[part] + way * (end - begin)[part]
    rows = frame.to(points.device).repeat_interleave(max(points.shape[1] - 1, 0))[part]
    image = image.clone()
    _discs(image, places[:, None], rows, colour, math.hypot(thick / 2, thick / 4))
    return image


def draw_labels(
    image: Tensor,
    positions: Tensor,
    frame: Tensor,
    numbers: Sequence[int | str] | Tensor,
    colour: Colour = (1.0, 1.0, 1.0),
    scale: int | None = None,
) -> Tensor:
    """Write short texts of digits, ".", "-", "#", spaces, and the letters of YAW and PITCH.

    Args:
        image: [B, 3, H, W] RGB in 0..1.
        positions: [N, 2], the upper left corner of each text.
        frame: [N] integers, the picture each text belongs to.
        numbers: N integers or texts.
        colour: RGB in 0..1.
        scale: pixels a dot of the 5 x 7 letters; by default 1/200 of the shorter side, rounded up.

    Returns:
        [B, 3, H, W].

    Raises:
        ValueError: shapes do not fit together, a frame does not exist, or a letter is unknown.
    """
    frames = _frames(image, positions, frame, (2,))
    texts = list(map(str, numbers.tolist() if isinstance(numbers, Tensor) else numbers))
    if len(texts) != len(frames):
        raise ValueError(f"Wanted one text for each of {len(frames)} positions, got {len(texts)}.")
    dot = math.ceil(min(image.shape[2:]) / 200) if scale is None else scale
    image = image.clone()
    for index, (x, y), text in zip(frames, positions.tolist(), texts, strict=True):
        letters = _lettering(text).to(image.device)
        if math.isfinite(x) and math.isfinite(y) and letters.numel():
            outline = F.max_pool2d(letters[None, None], 3, stride=1, padding=1)[0, 0]
            for shade, mask in ((_OUTLINE, outline), (colour, letters)):
                _stamp(image[index], mask, round(x) - dot, round(y) - dot, dot, shade)
    return image


def _frames(
    image: Tensor, items: Tensor, frame: Tensor, wanted: tuple[int | str, ...]
) -> list[int]:
    """Check that pictures, items and frame numbers fit together; the numbers as a list."""
    if image.ndim != 4 or image.shape[1] != 3:
        raise ValueError(f"image must have shape [B, 3, H, W], got {list(image.shape)}.")
    fits = items.ndim == 1 + len(wanted) and items.shape[-1] == wanted[-1]
    if not fits or list(frame.shape) != [items.shape[0]]:
        shape = ", ".join(map(str, wanted))
        raise ValueError(
            f"Wanted [N, {shape}] to draw and their frame [N], "
            f"got {list(items.shape)} and {list(frame.shape)}."
        )
    frames: list[int] = frame.tolist()
    if frames and not 0 <= min(frames) <= max(frames) < image.shape[0]:
        raise ValueError(
            f"frame must be at least 0 and below {image.shape[0]} "
            f"for image {list(image.shape)}, got {frames}."
        )
    return frames


def _relative(image: Tensor, parts: int) -> int:
    """A share of the picture's shorter side in pixels, at least 1."""
    return max(1, round(min(image.shape[2:]) / parts))


def _sides(box: Rectangle, line: int) -> list[Rectangle]:
    left, top, right, bottom = box
    return [
        (left, top, right, min(top + line, bottom)),
        (left, max(bottom - line, top), right, bottom),
        (left, top, min(left + line, right), bottom),
        (max(right - line, left), top, right, bottom),
    ]


def _clip(
    begin: Tensor, end: Tensor, image: Tensor, margin: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Cut lines [L, 2] to the picture and a margin (Liang and Barsky, 1984); which show at all."""
    size = begin.new_tensor([image.shape[3], image.shape[2]])
    finite = (begin.isfinite() & end.isfinite()).all(1)
    begin, end = begin.nan_to_num(0, 0, 0), end.nan_to_num(0, 0, 0)
    way = end - begin
    way = torch.where(way == 0, torch.full_like(way, 1e-9), way)
    one, other = (-margin - begin) / way, (size + margin - begin) / way
    enter = torch.minimum(one, other).amax(1).clamp(0, 1)[:, None]
    leave = torch.maximum(one, other).amin(1).clamp(0, 1)[:, None]
    shown = finite & (enter <= leave)[:, 0]
    return begin + enter * way, begin + leave * way, shown


def _colour(colour: Colour, like: Tensor) -> Tensor:
    return torch.tensor(colour, dtype=like.dtype, device=like.device)


def _paint(picture: Tensor, part: Rectangle, colour: Colour) -> None:
    """Fill a rectangle of one [3, H, W] picture, in place."""
    left, top, right, bottom = (max(0, int(edge)) for edge in part)
    picture[:, top:bottom, left:right] = _colour(colour, picture)[:, None, None]


def _discs(image: Tensor, points: Tensor, frame: Tensor, colour: Colour, radius: float) -> None:
    """Fill a disc around each point, in place: all pixels whose centres lie within the radius."""
    height, width = image.shape[2:]
    reach = math.ceil(radius)
    axis = torch.arange(-reach, reach + 1, device=points.device)
    offset = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1).flatten(0, 1)
    # Far or missing points go to a place where nothing of them shows: integers have no infinity.
    pixel = points.detach().nan_to_num(-1e6).clamp(-1e6, 1e6).floor().long()[:, :, None] + offset
    inside = (pixel + 0.5 - points[:, :, None]).square().sum(dim=-1) <= max(radius, 0.5) ** 2
    x, y = pixel.unbind(dim=-1)
    shown = inside & (x >= 0) & (x < width) & (y >= 0) & (y < height)
    rows = frame.to(points.device).long()[:, None, None].expand(shown.shape)[shown]
    image[rows, :, y[shown], x[shown]] = _colour(colour, image)


def _lettering(text: str) -> Tensor:
    """The dots of a text with a free margin of one dot, [9, 6 letters + 1] of 0 and 1."""
    unknown = sorted(set(text) - set(_GLYPHS))
    if unknown:
        raise ValueError(f"Only {' '.join(_GLYPHS)} can be written, got {text!r}.")
    rows = ["." + ".".join(_GLYPHS[letter][row] for letter in text) + "." for row in range(7)]
    dots = torch.tensor([[float(dot == "#") for dot in row] for row in rows])
    return F.pad(dots, (0, 0, 1, 1)) if text else dots.new_zeros(0, 0)


def _stamp(picture: Tensor, dots: Tensor, left: int, top: int, dot: int, colour: Colour) -> None:
    """Paint the set dots of a text into one [3, H, W] picture, in place."""
    mask = dots.repeat_interleave(dot, dim=0).repeat_interleave(dot, dim=1) > 0
    skip_y, skip_x = max(0, -top), max(0, -left)
    part = picture[:, max(0, top) :, max(0, left) :]
    mask = mask[skip_y:, skip_x:][: part.shape[1], : part.shape[2]]
    part = part[:, : mask.shape[0], : mask.shape[1]]
    part.copy_(torch.where(mask, _colour(colour, picture)[:, None, None], part))
