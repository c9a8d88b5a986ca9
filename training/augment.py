"""Augmentation: what light, cameras, compression and things in front of it do to a face.

Every function draws from the generator it is given, so a step of a training can be repeated.
"""

from __future__ import annotations

import math
from io import BytesIO

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Generator, Tensor


def uniform(random: Generator, low: float, high: float, *shape: int) -> Tensor:
    """Draw float32 numbers of `shape` between two bounds."""
    return torch.rand(shape, generator=random) * (high - low) + low


def chance(random: Generator, probability: float, count: int) -> Tensor:
    """Draw [count] bool, true with a probability."""
    return torch.rand(count, generator=random) < probability


def jitter(
    random: Generator, count: int, size: float, *, turn: float, zoom: float, shift: float
) -> Tensor:
    """Draw similarity transforms about the centre of a square of `size` pixels.

    Args:
        random: source of chance.
        count: how many.
        size: side of the square in pixels.
        turn: largest rotation either way, degrees.
        zoom: largest factor of enlargement, and of reduction.
        shift: largest movement along each axis, as a fraction of the side.

    Returns:
        [count, 2, 3] float32: pixel of the square -> pixel of the square.
    """
    angle = uniform(random, -turn, turn, count).deg2rad()
    scale = (uniform(random, -1, 1, count) * math.log(zoom)).exp()
    cos, sin = scale * angle.cos(), scale * angle.sin()
    linear = torch.stack([cos, -sin, sin, cos], -1).reshape(count, 2, 2)
    centre = torch.full((count, 2, 1), size / 2)
    moved = uniform(random, -shift, shift, count, 2, 1) * size
    return torch.cat([linear, centre + moved - linear @ centre], -1)


def cut(
    images: Tensor, matrix: Tensor, size: int, mode: str = "bilinear", padding: str = "zeros"
) -> Tensor:
    """Cut squares of `size` pixels out of pictures.

    Args:
        images: [N, C, H, W], uint8 (then divided by 255) or float.
        matrix: [N, 2, 3] picture pixel -> crop pixel.
        size: side of the crops.
        mode: `bilinear`, or `nearest` for labels.
        padding: beyond the pictures: black with `zeros`, or their `border` pixels.

    Returns:
        [N, C, size, size] float32.
    """
    if images.dtype == torch.uint8:
        images = images.float() / (1 if mode == "nearest" else 255)
    height, width = images.shape[-2:]
    linear, offset = matrix[:, :, :2], matrix[:, :, 2:]
    inverse = torch.linalg.inv(linear)
    centres = torch.arange(size) + 0.5
    points = torch.stack(torch.meshgrid(centres, centres, indexing="xy"), -1).reshape(1, -1, 2)
    source = (points - offset.mT) @ inverse.mT / torch.tensor([width, height]) * 2 - 1
    grid = source.reshape(-1, size, size, 2)
    return F.grid_sample(images, grid, mode, padding, align_corners=False)


def degrade(images: Tensor, random: Generator) -> Tensor:
    """Change light and colour, then blur, add noise and compress.

    Args:
        images: [N, 3, H, W] RGB 0..1.
        random: source of chance.

    Returns:
        The same shape and range.
    """
    images = recolour(light(images, random), random)
    images = torch.stack([_coarsen(image, random) for image in images])
    noise = uniform(random, 0, 0.06, len(images), 1, 1, 1) * chance(random, 0.4, len(images)).view(
        -1, 1, 1, 1
    )
    images = images + noise * torch.randn(images.shape, generator=random)
    return torch.stack([_compress(image, random) for image in images.clamp(0, 1)])


def light(images: Tensor, random: Generator) -> Tensor:
    """Light half of the pictures [N, 3, H, W] from one side."""
    count, _, height, width = images.shape
    angle = uniform(random, 0, 2 * math.pi, count, 1, 1)
    across = torch.linspace(-1, 1, width).view(1, 1, -1) * angle.cos()
    down = torch.linspace(-1, 1, height).view(1, -1, 1) * angle.sin()
    strength = uniform(random, 0, 0.7, count, 1, 1) * chance(random, 0.5, count).view(-1, 1, 1)
    return (images * (1 + strength * (across + down))[:, None]).clamp(0, 1)


def recolour(images: Tensor, random: Generator) -> Tensor:
    """Change exposure, contrast, white balance and saturation of pictures [N, 3, H, W]."""
    count = len(images)
    gain = (uniform(random, -0.5, 0.4, count, 1, 1, 1)).exp()
    gamma = (uniform(random, -0.4, 0.4, count, 1, 1, 1)).exp()
    balance = 1 + uniform(random, -0.15, 0.15, count, 3, 1, 1)
    images = (images * gain * balance).clamp(1e-4, 1) ** gamma
    grey = images.mean(1, keepdim=True)
    saturation = uniform(random, 0.3, 1.5, count, 1, 1, 1)
    saturation = saturation * ~chance(random, 0.08, count).view(-1, 1, 1, 1)
    return torch.lerp(grey.expand_as(images), images, saturation).clamp(0, 1)


def occlude(images: Tensor, random: Generator, probability: float) -> tuple[Tensor, Tensor]:
    """Lay soft-edged ellipses and bars over some pictures: plain ones, and parts of others.

    Args:
        images: [N, 3, S, S] RGB 0..1.
        random: source of chance.
        probability: of a picture to be covered in part.

    Returns:
        The pictures, and [N, 1, S, S] how far each pixel is covered, 0..1.
    """
    count, size = len(images), images.shape[-1]
    place = torch.linspace(0, 1, size)
    y, x = place.view(1, -1, 1), place.view(1, 1, -1)
    cx, cy = (uniform(random, 0, 1, count, 1, 1) for _ in range(2))
    angle = uniform(random, 0, math.pi, count, 1, 1)
    u = (x - cx) * angle.cos() + (y - cy) * angle.sin()
    v = (y - cy) * angle.cos() - (x - cx) * angle.sin()
    long, short = uniform(random, 0.1, 0.9, count, 1, 1), uniform(random, 0.04, 0.22, count, 1, 1)
    # A power of two gives ellipses, a high one bars with round corners.
    power = torch.where(chance(random, 0.5, count), 2.0, 8.0).view(-1, 1, 1)
    reach = ((u / long).abs() ** power + (v / short).abs() ** power) ** (1 / power)
    cover = ((1 - reach) * short * size / 1.5 + 0.5).clamp(0, 1)
    cover = (cover * chance(random, probability, count).view(-1, 1, 1))[:, None]
    plain = uniform(random, 0, 1, count, 3, 1, 1).expand_as(images)
    other = images.roll(1, 0).flip(-2)
    own = chance(random, 0.4, count).view(-1, 1, 1, 1)
    return torch.lerp(images, torch.where(own, plain, other), cover), cover


def _coarsen(image: Tensor, random: Generator) -> Tensor:
    """Reduce and enlarge one picture [3, H, W], four times in ten."""
    draw, amount = uniform(random, 0, 1, 2).tolist()
    if draw > 0.4:
        return image
    size = max(16, round(image.shape[-1] / (1 + 3 * amount * amount)))
    small = F.interpolate(image[None], (size, size), mode="area")
    return F.interpolate(small, image.shape[-2:], mode="bilinear")[0]


def _compress(image: Tensor, random: Generator) -> Tensor:
    """Put one picture [3, H, W] through JPEG, three times in ten."""
    draw, quality = uniform(random, 0, 1, 2).tolist()
    if draw > 0.3:
        return image
    pixels = (image.permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=int(20 + 75 * quality))
    return torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1) / 255
