"""Strangers: faces of people who do not exist, made of aligned faces of those who do.

An encoder's student must know the space between people, and a few hundred people do not fill it.
Mixed, bent and recoloured faces do, because a teacher can say where each one lies.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from .augment import chance, degrade, jitter, recolour, uniform

SIZE = 112
"""Side of a stranger's crop."""
MARGIN = 16
"""Crop pixels that a source shows beyond the crop, on each side."""
DETAIL = 2
"""Source pixels for each crop pixel, so that a bent face loses no sharpness."""
SOURCE = DETAIL * (SIZE + 2 * MARGIN)
"""Side of a source."""


def draw_strangers(sources: Tensor, count: int, random: Generator) -> Tensor:
    """Make faces: a quarter plain people, the others bent, half of all mixed of two.

    Args:
        sources: [P, 3, SOURCE, SOURCE] uint8 RGB, faces aligned in their middle.
        count: how many faces.
        random: source of chance.

    Returns:
        [count, 3, SIZE, SIZE] uint8 RGB.
    """
    matrix = jitter(random, count, SIZE, turn=4, zoom=1.06, shift=0.015)
    row = torch.randint(len(sources), (2, count), generator=random)
    bent = chance(random, 0.7, count).view(-1, 1, 1, 1)
    faces = cut_faces(sources[row[0]], matrix, _draw_bend(count, random) * bent)
    mixed = chance(random, 0.55, count).nonzero()[:, 0]
    bend = _draw_bend(len(mixed), random) * bent[mixed]
    others = cut_faces(sources[row[1, mixed]], matrix[mixed], bend)
    own = chance(random, 0.08, len(mixed))
    others[own] = faces[mixed[own]].flip(-1)  # two left halves or two right ones, for instance
    alike = chance(random, 0.6, len(mixed))
    others[alike] = match_colours(others[alike], faces[mixed[alike]])
    faces[mixed] = torch.lerp(faces[mixed], others, patchwork(len(mixed), random))
    for change, probability in ((recolour, 0.5), (degrade, 0.35)):
        some = chance(random, probability, count)
        faces[some] = change(faces[some], random)
    return (faces * 255).round().to(torch.uint8)


def patchwork(count: int, random: Generator) -> Tensor:
    """Draw masks [count, 1, SIZE, SIZE] 0..1: from even mixtures of two faces to swapped parts."""
    grid = torch.randn(count, 1, 5, 5, generator=random)
    even = chance(random, 0.7, count).view(-1, 1, 1, 1)
    grid = torch.where(even, grid + grid.flip(-1), grid)  # parts of both halves alike
    field = F.interpolate(grid, (SIZE, SIZE), mode="bicubic", align_corners=False)
    steep = uniform(random, -1.5, 2.5, count, 1, 1, 1).exp()
    return (steep * field + uniform(random, -1, 1, count, 1, 1, 1)).sigmoid()


def cut_faces(sources: Tensor, matrix: Tensor, bend: Tensor | None = None) -> Tensor:
    """Cut crops out of sources.

    Args:
        sources: [N, 3, SOURCE, SOURCE] uint8 RGB.
        matrix: [N, 2, 3] crop pixel -> pixel of the aligned crop.
        bend: [N, DETAIL * SIZE, DETAIL * SIZE, 2] crop pixels to add before that, or none.

    Returns:
        [N, 3, SIZE, SIZE] RGB 0..1.
    """
    points = _places() if bend is None else _places() + bend
    points = points.reshape(-1, (DETAIL * SIZE) ** 2, 2) @ matrix[:, :, :2].mT
    grid = (points + matrix[:, None, :, 2] + MARGIN) * (2 * DETAIL / SOURCE) - 1
    grid = grid.view(len(sources), DETAIL * SIZE, DETAIL * SIZE, 2)
    images = F.grid_sample(sources.float() / 255, grid, padding_mode="border", align_corners=False)
    return F.avg_pool2d(images, DETAIL)


def _draw_bend(count: int, random: Generator) -> Tensor:
    """Draw how faces are stretched and bent, for `cut_faces`."""
    stretch = uniform(random, -0.12, 0.12, count, 1, 1, 2)
    knots = torch.randn(count, 2, 6, 6, generator=random) * uniform(random, 0, 3, count, 1, 1, 1)
    fine = DETAIL * SIZE
    bend = F.interpolate(knots, (fine, fine), mode="bicubic", align_corners=False)
    return (_places() - SIZE / 2) * stretch + bend.permute(0, 2, 3, 1)


def _places() -> Tensor:
    """Where the sampled points lie in the crop: [DETAIL * SIZE, DETAIL * SIZE, 2]."""
    place = (torch.arange(DETAIL * SIZE) + 0.5) / DETAIL
    return torch.stack(torch.meshgrid(place, place, indexing="xy"), -1)


def match_colours(images: Tensor, wanted: Tensor) -> Tensor:
    """Give pictures [N, 3, H, W] the mean and the deviation of others in each channel."""
    mean, deviation = images.mean((2, 3), keepdim=True), images.std((2, 3), keepdim=True)
    target = wanted.mean((2, 3), keepdim=True), wanted.std((2, 3), keepdim=True)
    return ((images - mean) / (deviation + 1e-3) * target[1] + target[0]).clamp(0, 1)
