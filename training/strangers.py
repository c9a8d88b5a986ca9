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
    bent = chance(random, 0.7, count)
    faces = _sample(sources[row[0]], matrix, bent, random)
    mixed = chance(random, 0.55, count).nonzero()[:, 0]
    others = _sample(sources[row[1, mixed]], matrix[mixed], bent[mixed], random)
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


def _sample(sources: Tensor, matrix: Tensor, bent: Tensor, random: Generator) -> Tensor:
    """Cut crops [N, 3, SIZE, SIZE] 0..1 out of sources, those of `bent` through a bent grid."""
    count, fine = len(sources), DETAIL * SIZE
    place = (torch.arange(fine) + 0.5) / DETAIL
    points = torch.stack(torch.meshgrid(place, place, indexing="xy"), -1)
    stretch = 1 + uniform(random, -0.12, 0.12, count, 1, 1, 2)
    knots = torch.randn(count, 2, 6, 6, generator=random) * uniform(random, 0, 3, count, 1, 1, 1)
    bend = F.interpolate(knots, (fine, fine), mode="bicubic", align_corners=False)
    change = (points - SIZE / 2) * (stretch - 1) + bend.permute(0, 2, 3, 1)
    points = (points + change * bent.view(-1, 1, 1, 1)).flatten(1, 2)
    points = points @ matrix[:, :, :2].mT + matrix[:, None, :, 2]
    grid = ((points + MARGIN) * (2 * DETAIL / SOURCE) - 1).view(count, fine, fine, 2)
    images = F.grid_sample(sources.float() / 255, grid, padding_mode="border", align_corners=False)
    return F.avg_pool2d(images, DETAIL)


def match_colours(images: Tensor, wanted: Tensor) -> Tensor:
    """Give pictures [N, 3, H, W] the mean and the deviation of others in each channel."""
    mean, deviation = images.mean((2, 3), keepdim=True), images.std((2, 3), keepdim=True)
    target = wanted.mean((2, 3), keepdim=True), wanted.std((2, 3), keepdim=True)
    return ((images - mean) / (deviation + 1e-3) * target[1] + target[0]).clamp(0, 1)
