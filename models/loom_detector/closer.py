"""A closer look at faces: each one cut out upright and at the size the network knows best."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...ops.geometry import invert_affine, transform_points
from ...ops.warp import crop
from .network import decode

CLOSE = 96.0
"""Size in crop pixels, root of the box's area, at which a face is looked at closely."""
_CROP = 192  # side of the crop
_AT_ONCE = 64  # faces: the features of each take some megabytes
_NEAR = 0.35  # intersection over union with the box expected there, above which it is the same face
_ALIKE = 0.6  # share of the best score above which a candidate has a say
MIRRORED = (1, 0, 2, 4, 3)
"""Which of the five points each is in a mirror image."""


def look_closer(
    network: nn.Module, frames: Tensor, frame: Tensor, box: Tensor, points: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Look at faces again, upright and close, and at the mirror image of that.

    What both looks and their best candidates say is averaged: a small network errs to one side here
    and to the other there.

    Args:
        network: a `LoomDetectorNetwork`.
        frames: [B, 3, H, W] RGB 0..1.
        frame: [N] the frame of each face.
        box: [N, 4] in frame pixels.
        points: [N, 5, 2] in frame pixels.

    Returns:
        Scores [N], 0 where no face is seen any more, boxes [N, 4] and points [N, 5, 2].
    """
    looks = [
        _look(network, frames, *(each[start : start + _AT_ONCE] for each in (frame, box, points)))
        for start in range(0, max(1, len(frame)), _AT_ONCE)
    ]
    score, boxes, places = (torch.cat(each) for each in zip(*looks, strict=True))
    return score, boxes, places


def _look(
    network: nn.Module, frames: Tensor, frame: Tensor, box: Tensor, points: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    matrix = upright(box, points)
    crops = crop(frames, matrix, frame, _CROP, padding="zeros").float().clamp(0, 1)
    seen = [_in_the_middle(network, crops), _unmirrored(*_in_the_middle(network, crops.flip(-1)))]
    score, boxes, places = (torch.stack(pair).mean(0) for pair in zip(*seen, strict=True))
    back = invert_affine(matrix)
    return score, turned_boxes(boxes, back), transform_points(back, places)


def upright(box: Tensor, points: Tensor) -> Tensor:
    """Frame-to-crop matrices [N, 2, 3] that level eyes and mouth, and give the box its size.

    Args:
        box: [N, 4], its centre becomes the crop's.
        points: [N, 5, 2].
    """
    across = points[:, 1] - points[:, 0] + points[:, 4] - points[:, 3]
    angle = torch.atan2(across[:, 1], across[:, 0])
    scale = CLOSE / (box[:, 2:] - box[:, :2]).clamp(min=1e-3).prod(-1).sqrt()
    cos, sin = scale * angle.cos(), scale * angle.sin()
    linear = torch.stack([cos, sin, -sin, cos], -1).reshape(-1, 2, 2)
    centre = (box[:, :2] + box[:, 2:])[..., None] / 2
    return torch.cat([linear, _CROP / 2 - linear @ centre], -1)


def turned_boxes(box: Tensor, matrix: Tensor) -> Tensor:
    """Where similarities take boxes, as upright ones.

    A face is round, so its box after a turn is that of the ellipse in the old box; the box of the
    turned corners would be up to half again as wide.

    Args:
        box: [N, 4] x0, y0, x1, y1.
        matrix: [N, 2, 3], similarities, mirrored or not.

    Returns:
        [N, 4].
    """
    centre, half = (box[:, :2] + box[:, 2:]) / 2, (box[:, 2:] - box[:, :2]) / 2
    linear = matrix[:, :, :2]
    centre = (linear @ centre[..., None])[..., 0] + matrix[:, :, 2]
    reach = (linear * half[:, None]).norm(dim=-1)
    return torch.cat([centre - reach, centre + reach], -1)


def _in_the_middle(network: nn.Module, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What the candidates about the middle of each crop say.

    The best score, and the mean of boxes and points, each weighted by its score's square.
    """
    logits, boxes, points = decode(network(crops))
    low, high = (_CROP - CLOSE) / 2, (_CROP + CLOSE) / 2
    shared = (boxes[..., 2:].clamp(max=high) - boxes[..., :2].clamp(min=low)).clamp(min=0).prod(-1)
    union = (boxes[..., 2:] - boxes[..., :2]).prod(-1) + CLOSE**2 - shared
    score = logits.sigmoid() * (shared / union > _NEAR)
    best = score.amax(1, keepdim=True)
    weight = (score * (score > _ALIKE * best)).square()
    weight = weight / weight.sum(1, keepdim=True).clamp(min=1e-6)
    return best[:, 0], (weight[..., None] * boxes).sum(1), (weight[..., None, None] * points).sum(1)


def _unmirrored(score: Tensor, box: Tensor, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    box = torch.stack([_CROP - box[:, 2], box[:, 1], _CROP - box[:, 0], box[:, 3]], -1)
    turned = torch.stack([_CROP - points[..., 0], points[..., 1]], -1)
    return score, box, turned[:, list(MIRRORED)]
