"""A picture of an appearance map: people would rather look than read."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from .appearance_map import REACH, clamp_poses, fuse_poses, map_points, triangulate
from .draw import Colour, draw_labels, draw_lines, draw_points

SIZE = 768
"""Side of the picture in pixels."""

_FINE = 2  # drawn this much larger and averaged down, for smooth lines
_SIDE = SIZE * _FINE
_MARGIN = 64 * _FINE
_DEGREE = (_SIDE - 2 * _MARGIN) / (2 * REACH)  # in pixels of the drawing
_FACE = 72 * _FINE
_TICK = 25
_LETTER = 2 * _FINE  # a dot of a label

_PAPER, _GRID, _INK = (0.07, 0.08, 0.10), (0.16, 0.17, 0.20), (0.75, 0.78, 0.82)
_OUTER, _INNER = (0.32, 0.35, 0.40), (0.35, 0.65, 1.0)
_DROPPED, _KEPT, _PATH = (0.50, 0.53, 0.58), (1.0, 0.82, 0.2), (1.0, 0.35, 0.45)


def draw_appearance_map(
    poses: Tensor, kept: Tensor, images: Tensor, path: Tensor, run: Tensor
) -> Tensor:
    """Draw views, triangles and targets over yaw and pitch; up in the picture looks up.

    Faces of some views lie where these are, as many as fit. Kept views are yellow, dropped ones
    grey; edges among views are blue, those to a boundary point grey. Targets are red, joined
    in their order, and the first of each run is larger.

    Args:
        poses: [N, 2 or 3] yaw, pitch and perhaps roll of all views in degrees.
        kept: [V] rows of `poses`.
        images: [V, 3, S, S] RGB 0..1, what the kept views show.
        path: [Q, 2 or 3] poses of the targets; may be none.
        run: [Q] integers: neighbouring rows of one number are joined.

    Returns:
        [1, 3, SIZE, SIZE] float32 RGB on the CPU.

    Raises:
        ValueError: a wrong shape, or a pose that is not finite.
    """
    views = poses.cpu()[kept.cpu()]
    picture = _axes()
    picture = _faces(picture, views, images)
    picture = _triangles(picture, views)
    picture = _dots(picture, poses, _DROPPED, 1.2)
    picture = _dots(picture, views, _KEPT, 2.5)
    picture = _path(picture, path, run.cpu())
    return F.avg_pool2d(picture, _FINE)


def _place(plane: Tensor) -> Tensor:
    """Where [..., 2] yaw and pitch lie in the drawing."""
    return _SIDE / 2 + plane.float() * plane.new_tensor([_DEGREE, -_DEGREE]).float()


def _axes() -> Tensor:
    picture = torch.tensor(_PAPER)[None, :, None, None].repeat(1, 1, _SIDE, _SIDE)
    ticks = torch.arange(-REACH, REACH + 1, _TICK)
    ends = torch.full_like(ticks, REACH)
    upright = torch.stack([torch.stack([ticks, -ends], 1), torch.stack([ticks, ends], 1)], 1)
    lines = torch.cat([upright, upright.flip(-1)])
    picture = _draw_all(draw_lines, picture, _place(lines), _GRID, float(_FINE))
    below, beside = _place(upright[:, 0]), _place(upright.flip(-1)[:, 0])
    texts = [str(int(tick)) for tick in ticks.tolist()]
    widths = torch.tensor([6.0 * _LETTER * len(text) for text in texts])
    gap = 6.0 * _FINE
    numbers = torch.cat(
        [
            below + torch.stack([-widths / 2, torch.full_like(widths, 2 * gap)], 1),
            beside + torch.stack([-widths - gap, torch.full_like(widths, -3.5 * _LETTER)], 1),
        ]
    )
    titles = torch.tensor(
        [[_SIDE / 2 - 9 * _LETTER, _SIDE - _MARGIN / 2.5], [gap, _MARGIN - 18 * _LETTER]]
    )
    places = torch.cat([numbers, titles])
    frame = torch.zeros(len(places), dtype=torch.int64)
    return draw_labels(picture, places, frame, [*texts, *texts, "YAW", "PITCH"], _INK, _LETTER)


def _faces(picture: Tensor, views: Tensor, images: Tensor) -> Tensor:
    """Paste the faces of views that lie so far apart that squares around them do not meet."""
    shown = fuse_poses(views, _FACE / _DEGREE * 2**0.5)
    if not len(shown):
        return picture
    small = F.interpolate(
        images[shown.to(images.device)].float().cpu(),
        (_FACE, _FACE),
        mode="bilinear",
        antialias=True,
    )
    corners = (_place(clamp_poses(views)[shown]) - _FACE / 2).round().clamp(0, _SIDE - _FACE)
    for (left, top), face in zip(corners.int().tolist(), small.clamp(0, 1), strict=True):
        picture[0, :, top : top + _FACE, left : left + _FACE] = face
    return picture


def _triangles(picture: Tensor, views: Tensor) -> Tensor:
    ends = triangulate(views)[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2).sort(dim=1).values
    edges = torch.unique(ends, dim=0)
    points = _place(map_points(views))
    outer = (edges >= len(views)).any(1)
    picture = _draw_all(draw_lines, picture, points[edges[outer]], _OUTER, 1.0 * _FINE)
    return _draw_all(draw_lines, picture, points[edges[~outer]], _INNER, 1.0 * _FINE)


def _dots(picture: Tensor, poses: Tensor, colour: Colour, radius: float) -> Tensor:
    places = _place(clamp_poses(poses))[:, None]
    return _draw_all(draw_points, picture, places, colour, radius * _FINE)


def _path(picture: Tensor, path: Tensor, run: Tensor) -> Tensor:
    places = _place(clamp_poses(path))
    joined = run[1:] == run[:-1]
    parts = torch.stack([places[:-1], places[1:]], 1)[joined]
    picture = _draw_all(draw_lines, picture, parts, _PATH, _FINE * 2.0)
    first = torch.cat([torch.ones(len(run[:1]), dtype=torch.bool), ~joined])
    picture = _dots(picture, path, _PATH, 2.5)
    return _dots(picture, path.cpu()[first], _PATH, 6.0)


def _draw_all(
    draw: Callable[[Tensor, Tensor, Tensor, Colour, float], Tensor],
    picture: Tensor,
    points: Tensor,
    colour: Colour,
    size: float,
) -> Tensor:
    """Draw points [N, P, 2] into the one picture there is."""
    return draw(picture, points, torch.zeros(len(points), dtype=torch.int64), colour, size)
