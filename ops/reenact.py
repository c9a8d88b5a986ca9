"""Mesh reenactment: a face's texture, carried triangle by triangle into another face's pose."""

from __future__ import annotations

import torch
from torch import Tensor

from .face_regions import part_mask
from .landmark_sets import CONTOURS, landmark_set
from .mesh import vertex_weights_to_mask, warp_mesh

# Cosine between surface and view from which texture is too slanted to use, and fully usable.
_GRAZING, _FRONTAL = 0.05, 0.35
_OPENINGS = {"eyes": ("left_eye", "right_eye"), "inner_mouth": ("inner_mouth",)}


def reenact_mesh(
    texture: Tensor, source: Tensor, target: Tensor, size: int
) -> tuple[Tensor, Tensor]:
    """Show the source's face in the target's pose and expression.

    What the source turned away from the camera is taken from the other half of its face. Eyes and
    mouth that are shut in one picture and open in the other cannot be carried over; there, and
    where both halves are hidden, the confidence is 0, so that the target shows through.

    Args:
        texture: [N, 3, H, W] source crops, RGB 0..1.
        source: [N, 468, 3] float32 landmarks in pixels of the texture, and depth.
        target: [N, 468, 3] float32 landmarks in pixels of the output, and depth.
        size: side S of the output in pixels.

    Returns:
        The reenacted faces [N, 3, S, S], and the confidence [N, 1, S, S] in 0..1, which is 0
        outside the face.

    Raises:
        ValueError: shapes do not fit, or landmarks without depth or triangles.
    """
    mesh = landmark_set(source.shape[1])
    triangles, mirror = mesh.triangles.to(source.device), mesh.mirror.to(source.device)
    goal, depth = target[..., :2], target[..., 2]
    seen = vertex_visibility(source, triangles)
    own, other = source[..., :2], source[:, mirror, :2]
    direct, covered = warp_mesh(texture, own, goal, triangles, size, depth)
    across, _ = warp_mesh(texture, other, goal, triangles, size, depth)
    trust = vertex_weights_to_mask(seen, goal, triangles, size, depth)
    trust_across = vertex_weights_to_mask(seen[:, mirror], goal, triangles, size, depth)
    rest = (1 - trust) * trust_across
    total = trust + rest
    image = torch.where(total > 0, (trust * direct + rest * across) / total.clamp(min=1e-6), direct)
    confidence = covered * total
    for part, contours in _OPENINGS.items():
        for contour in contours:
            lost = ~carries_over(source, target, contour)
            hidden = part_mask(target, size, part) * lost[:, None, None, None]
            confidence = confidence * (1 - hidden)
    return image, confidence


def vertex_visibility(landmarks: Tensor, triangles: Tensor) -> Tensor:
    """How well each vertex of a face faces the camera.

    Args:
        landmarks: [N, P, 3] float32, (x, y) and depth in one unit, nearer is less.
        triangles: [T, 3] int64, clockwise as seen in a frontal face.

    Returns:
        [N, P] float32: 1 where the surface faces the camera, 0 where it is edge-on or turned away.
    """
    corners = landmarks[:, triangles]
    normals = torch.linalg.cross(
        corners[:, :, 1] - corners[:, :, 0], corners[:, :, 2] - corners[:, :, 0]
    )
    vertex = torch.zeros_like(landmarks)
    for corner in range(3):
        vertex = vertex.index_add(1, triangles[:, corner], normals)
    cosine = vertex[..., 2] / vertex.norm(dim=-1).clamp(min=1e-6)
    return ((cosine - _GRAZING) / (_FRONTAL - _GRAZING)).clamp(0, 1)


def carries_over(source: Tensor, target: Tensor, contour: str) -> Tensor:
    """Whether an eye or the inner mouth is open, or shut, in both faces alike.

    Args:
        source: [N, 468, 2 or 3] landmarks of the source, in any unit.
        target: the same of the target.
        contour: a name in `CONTOURS`.

    Returns:
        [N] bool.
    """
    before, after = opening(source, contour), opening(target, contour)
    return (after < before + 0.06) & (after > 0.35 * before)


def opening(landmarks: Tensor, contour: str) -> Tensor:
    """Area of a contour over the square of its width: 0 is shut, a round eye has about 0.3.

    Args:
        landmarks: [N, 468, 2 or 3], in any unit.
        contour: a name in `CONTOURS`.

    Returns:
        [N] float32.
    """
    points = landmarks[:, list(CONTOURS[contour]), :2]
    follower = points.roll(-1, dims=1)
    area = (points[..., 0] * follower[..., 1] - points[..., 1] * follower[..., 0]).sum(1) / 2
    width = (points - points[:, :1]).square().sum(-1).amax(1)
    return area.abs() / width.clamp(min=1e-6)
