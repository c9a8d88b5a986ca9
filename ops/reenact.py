"""Mesh reenactment: a face's texture, carried triangle by triangle into another face's pose."""

from __future__ import annotations

import torch
from torch import Tensor

from .face_regions import PARTS, part_mask, vertex_visibility
from .filters import close, erode
from .inpaint import pull_push
from .landmark_sets import CONTOURS, landmark_set
from .mesh import warp_mesh

_OPENINGS = ("eyes", "inner_mouth")
# Openings (area over squared width) below which an eye or a mouth counts as shut, and the
# difference to the other face from which it matters.
_SHUT, _DIFFERENT = 0.1, 0.08
_CRACK = 0.012  # of the side: half the width of gaps in the confidence that are filled smoothly
_RIM = 2.0  # pixels at the confidence's edge that mix with what lies behind: not to be spread


def reenact_mesh(
    texture: Tensor, skin: Tensor, source: Tensor, target: Tensor, size: int
) -> tuple[Tensor, Tensor]:
    """Show the source's face in the target's pose and expression.

    What the source hides, by turning away or behind what is not skin, is taken from the other
    half of its face. Eyes and mouth that are shut in one face and open in the other cannot be
    carried over; there, and where both halves are hidden, the confidence is 0, so that the target
    can show through. The picture goes on smoothly beyond what could be carried.

    Args:
        texture: [N, 3, H, H] source crops, RGB 0..1.
        skin: [N, 1, H, H] in 0..1, where they show the face itself (see `skin_likeness`).
        source: [N, 468, 3] float32 landmarks in pixels of the texture, and depth.
        target: [N, 468, 3] float32 landmarks in pixels of the output, and depth.
        size: side S of the output in pixels.

    Returns:
        The reenacted faces [N, 3, S, S], and the confidence [N, 1, S, S] in 0..1, which is 0
        outside the face but for bays of its outline as narrow as a crack.

    Raises:
        ValueError: shapes do not fit, or landmarks without depth or triangles.
    """
    _check(texture, skin, source=source, target=target)
    mirror = landmark_set(source.shape[1]).mirror.to(source.device)
    seen = vertex_visibility(source)
    layers = torch.cat([texture, skin], 1)
    direct, trust = _carry(layers, source, seen, target, size)
    across, trust_across = _carry(layers, source[:, mirror], seen[:, mirror], target, size)
    rest = (1 - trust) * trust_across
    total = trust + rest
    image = (trust * direct + rest * across) / total.clamp(min=1e-6)
    confidence = close(total, _CRACK * size)
    image = pull_push(image, (erode(confidence, _RIM) > 0.5).to(image.dtype))
    for part in _OPENINGS:
        lost = ~carries_over(source, target, part)
        confidence = confidence * (1 - part_mask(target, size, part) * lost[:, None, None, None])
    return image, confidence


def carries_over(source: Tensor, target: Tensor, part: str) -> Tensor:
    """Whether eyes or mouth are open, or shut, in both faces alike.

    Args:
        source: [N, 468, 2 or 3] landmarks of the source, in any unit.
        target: the same of the target.
        part: "eyes" or "inner_mouth".

    Returns:
        [N] bool.

    Raises:
        ValueError: an unknown part.
    """
    before, after = opening(source, part), opening(target, part)
    less, more = torch.minimum(before, after), torch.maximum(before, after)
    return (less >= _SHUT) | (more - less <= _DIFFERENT)


def opening(landmarks: Tensor, part: str) -> Tensor:
    """How far eyes or mouth are open: the area over the square of the width.

    Args:
        landmarks: [N, 468, 2 or 3], in any unit.
        part: "eyes" or "inner_mouth"; both eyes count alike.

    Returns:
        [N] float32: 0 is shut, a wide open eye has about 0.35.

    Raises:
        ValueError: an unknown part.
    """
    if part not in _OPENINGS:
        raise ValueError(f"Openings of a face are {', '.join(_OPENINGS)}; got '{part}'.")
    contours = torch.tensor([CONTOURS[name] for name in PARTS[part]], device=landmarks.device)
    points = landmarks[:, contours, :2]
    x, y = points.unbind(-1)
    area = (x * y.roll(-1, 2) - y * x.roll(-1, 2)).sum(2).abs() / 2
    # The contours begin at a corner: the point furthest from it is the other corner.
    squared_width = (points - points[:, :, :1]).square().sum(-1).amax(2)
    return (area / squared_width.clamp(min=1e-12)).mean(1)


def _carry(
    layers: Tensor, source: Tensor, seen: Tensor, target: Tensor, size: int
) -> tuple[Tensor, Tensor]:
    """Warp the picture, and the trust in it: its last layer times how well it was seen."""
    triangles = landmark_set(source.shape[1]).triangles.to(source.device)
    goal, depth = target[..., :2], target[..., 2]
    carried, weight = warp_mesh(layers, source[..., :2], goal, triangles, size, depth, seen)
    return carried[:, :3], carried[:, 3:] * weight


def _check(texture: Tensor, skin: Tensor, **landmarks: Tensor) -> None:
    if texture.ndim != 4 or texture.shape[1] != 3 or texture.shape[2] != texture.shape[3]:
        raise ValueError(
            f"reenact_mesh wants square textures [N, 3, H, H], got {list(texture.shape)}."
        )
    if skin.shape != (len(texture), 1, *texture.shape[2:]):
        raise ValueError(
            f"reenact_mesh wants skin [N, 1, H, H] for textures {list(texture.shape)}, "
            f"got {list(skin.shape)}."
        )
    for name, points in landmarks.items():
        if points.ndim == 3:
            landmark_set(points.shape[1])  # before the depth: few sets have it, and fewer triangles
        if points.ndim != 3 or points.shape[0] != len(texture) or points.shape[2] != 3:
            raise ValueError(
                f"reenact_mesh wants {name} landmarks [{len(texture)}, L, 3] with depth, "
                f"got {list(points.shape)}."
            )
