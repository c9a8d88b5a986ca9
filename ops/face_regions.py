"""Masks of a face and of its parts, from dense landmarks."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from .filters import close, dilate, erode, gaussian_blur
from .landmark_sets import CONTOURS, landmark_set
from .masks import hull_mask, polygon_mask
from .mesh import vertex_weights_to_mask

SHAPES = ("below brow line", "face", "hull")
"""The shapes that `face_mask` draws."""

PARTS: dict[str, tuple[str, ...]] = {
    "eyes": ("left_eye", "right_eye"),
    "brows": ("left_brow", "right_brow"),
    "nose": ("nose",),
    "lips": ("lips",),
    "inner_mouth": ("inner_mouth",),
}
"""The parts that a mask can leave out, with their contours."""

# Row of the mesh above the brows; the oval closes the forehead.
_FOREHEAD = (151, 108, 69, 104, 68, 71, 139, 337, 299, 333, 298, 301, 368)
# Its weight. Below 0, so that the fade ends close above the brows and not half-way up.
_ABOVE_BROWS = -1.5
# The mesh's upper row of the brows lies a little above their hair; fringes often reach it.
_BROWS, _ON_BROWS = (70, 63, 105, 66, 107, 9, 336, 296, 334, 293, 300), 0.35
# The mask rises between these shares of the way from the outline to the mesh's next row: hair and
# background begin a little inside the outline that landmarks give.
_FADE_BEGINS, _FADE_ENDS = 0.15, 0.45
# Cosine between surface and view from which skin is too slanted to use, and fully usable.
_GRAZING, _FRONTAL = 0.2, 0.5
# Relative to the crop's side: half the width of a crack that a turned nose leaves, that of a thorn
# at the temple, and the softness of a part, about the width of a lash line.
_CRACK, _THORN, _PART_SOFTNESS = 0.03, 0.02, 0.008


def face_mask(landmarks: Tensor, size: int, shape: str, kept: Iterable[str] = ()) -> Tensor:
    """Draw the mask of each face.

    "below brow line" reaches from the brows to the chin; "face" has the forehead too. Both end
    softly a little inside the face's outline, where hair and background begin, and, where depth
    is known, at skin that is turned away. "hull" is the convex hull of all landmarks, with a hard
    edge, and works for any set of landmarks.

    Args:
        landmarks: [N, L, 2] or [N, L, 3] float32, (x, y) in pixels of the crop, and depth.
        size: side S of the mask in pixels.
        shape: one of `SHAPES`.
        kept: names in `PARTS` to leave out of the mask, softly.

    Returns:
        [N, 1, S, S] float32, 0..1.

    Raises:
        ValueError: an unknown shape or part, landmarks of another shape, or without triangles.
    """
    if shape not in SHAPES:
        raise ValueError(f"Face masks come as {', '.join(SHAPES)}; got '{shape}'.")
    kept = [_check_part(part) for part in kept]
    _check_landmarks(landmarks)
    if not len(landmarks):
        return landmarks.new_zeros(0, 1, size, size)
    if shape == "hull":
        mask = hull_mask(landmarks[..., :2], size)
    else:
        mask = _inner_face(landmarks, size, forehead=shape == "face")
    for part in kept:
        mask = mask * (1 - part_mask(landmarks, size, part))
    return mask


def part_mask(landmarks: Tensor, size: int, part: str) -> Tensor:
    """Draw one part of each face, with a soft edge.

    Args:
        landmarks: [N, 468, 2] or [N, 468, 3] float32, (x, y) in pixels of the crop.
        size: side S of the mask in pixels.
        part: a name in `PARTS`.

    Returns:
        [N, 1, S, S] float32, 0..1.

    Raises:
        ValueError: an unknown part, landmarks of another shape, or another number of them.
    """
    _check_part(part)
    _check_landmarks(landmarks)
    landmark_set(landmarks.shape[1])
    contours = [landmarks[:, list(CONTOURS[name]), :2] for name in PARTS[part]]
    filled = torch.stack([polygon_mask(contour, size) for contour in contours])
    return gaussian_blur(filled.amax(0), _PART_SOFTNESS * size)


def features_mask(landmarks: Tensor, size: int) -> Tensor:
    """Draw eyes, brows and lips together; arguments, result and errors as `part_mask`."""
    parts = [part_mask(landmarks, size, part) for part in ("eyes", "brows", "lips")]
    return torch.stack(parts).amax(0)


def vertex_visibility(landmarks: Tensor) -> Tensor:
    """How well each vertex of a face faces the camera.

    A vertex's normal is the mean of those of its triangles, by their areas. What merely lies
    behind another part of the face counts as visible: drawing by depth takes care of it.

    Args:
        landmarks: [N, 468, 3] float32, (x, y) and depth in one unit, nearer is less.

    Returns:
        [N, 468] float32: 1 where the surface faces the camera, 0 where it is edge-on or turned
        away.

    Raises:
        ValueError: landmarks of another shape, without depth, or another number of them.
    """
    _check_landmarks(landmarks)
    if landmarks.shape[2] != 3:
        raise ValueError(f"Visibility wants landmarks [N, L, 3], got {list(landmarks.shape)}.")
    triangles = landmark_set(landmarks.shape[1]).triangles.to(landmarks.device)
    a, b, c = landmarks[:, triangles].unbind(2)
    normals = torch.linalg.cross(b - a, c - a)
    vertex = torch.zeros_like(landmarks)
    for corner in range(3):
        vertex = vertex.index_add(1, triangles[:, corner], normals)
    cosine: Tensor = vertex[..., 2] / vertex.norm(dim=-1).clamp(min=1e-6)
    return ((cosine - _GRAZING) / (_FRONTAL - _GRAZING)).clamp(0, 1)


def _inner_face(landmarks: Tensor, size: int, forehead: bool) -> Tensor:
    """Weights of 0 on the outline and 1 one row of the mesh further in, steepened between."""
    triangles = landmark_set(landmarks.shape[1]).triangles.to(landmarks.device)
    weights = landmarks.new_ones(landmarks.shape[:2])
    weights[:, list(CONTOURS["oval"])] = 0
    if not forehead:
        weights[:, list(_FOREHEAD)] = _ABOVE_BROWS
        weights[:, list(_BROWS)] = _ON_BROWS
    depth = None
    if landmarks.shape[2] == 3:
        depth = landmarks[..., 2]
        weights = weights * vertex_visibility(landmarks)
    share, coverage = vertex_weights_to_mask(weights, landmarks[..., :2], triangles, size, depth)
    mask = ((share - _FADE_BEGINS) / (_FADE_ENDS - _FADE_BEGINS)).clamp(0, 1)
    # The side of a nose that is seen edge-on is a crack inside the face, not its outline; and
    # between brows and oval the weights leave a thorn.
    whole = close(mask, _CRACK * size)
    return dilate(erode(whole, _THORN * size), _THORN * size) * coverage


def _check_part(part: str) -> str:
    if part not in PARTS:
        raise ValueError(f"Face parts are {', '.join(PARTS)}; got '{part}'.")
    return part


def _check_landmarks(landmarks: Tensor) -> None:
    if landmarks.ndim != 3 or landmarks.shape[2] not in (2, 3):
        raise ValueError(
            f"landmarks must have shape [N, L, 2] or [N, L, 3], got {list(landmarks.shape)}."
        )
