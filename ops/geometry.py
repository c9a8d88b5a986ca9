"""Similarity transforms between frames and aligned crops.

Matrices are [N, 2, 3] and map frame pixels to crop pixels. Points are (x, y) in pixels, with pixel
centres at integer + 0.5, so a picture spans [0, W] x [0, H]. Sums are written out instead of using
matrix products: on a GPU those may run in TF32, whose ten bits are too few for pixel coordinates.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .templates import POSE_TEMPLATES, template_points

_CLEARLY_BETTER = 0.7  # share of the present pose template's error at which another takes over


def fit_similarity(source: Tensor, target: Tensor) -> Tensor:
    """Find the rotation, scale and shift that bring `source` closest to `target`.

    The least-squares solution of Umeyama (1991, "Least-squares estimation of transformation
    parameters between two point patterns", eq. 40-42) with reflection forbidden. In the plane it
    is a division of complex numbers and needs no SVD. Differentiable.

    Args:
        source: [N, P, 2] points.
        target: [N, P, 2] points, or [P, 2] for all N.

    Returns:
        [N, 2, 3]. Where all points of `source` coincide there is no rotation or scale to find, and
        the matrix only shifts their centre to the target's. Where all points of `target` coincide,
        the scale is 0 and the matrix has no inverse.

    Raises:
        ValueError: the shapes do not fit.
    """
    _check_points("fit_similarity", source, target)
    source_mean, target_mean = source.mean(-2), target.mean(-2)
    xs, ys = (source - source_mean[:, None]).unbind(-1)
    xt, yt = (target - target_mean[..., None, :]).unbind(-1)
    spread = xs.square().sum(-1) + ys.square().sum(-1)
    # Equal points differ from their mean by rounding alone, which must not count as a direction.
    rounding = (8 * torch.finfo(source.dtype).eps) ** 2 * source.square().sum((-2, -1))
    flat = torch.le(spread, rounding)
    divisor = torch.where(flat, torch.ones_like(spread), spread)
    cos = torch.where(flat, torch.ones_like(spread), (xs * xt + ys * yt).sum(-1) / divisor)
    sin = torch.where(flat, torch.zeros_like(spread), (xs * yt - ys * xt).sum(-1) / divisor)
    return _similarity(cos, sin, source_mean, target_mean.expand_as(source_mean))


def similarity_error(matrix: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """Add up how far `matrix` leaves the points of `source` from `target`.

    Args:
        matrix: [N, 2, 3].
        source: [N, P, 2].
        target: [N, P, 2], or [P, 2] for all N.

    Returns:
        [N] sum over the points of the distance, in pixels of `target`.
    """
    return _length(transform_points(matrix, source) - target).sum(-1)


def fit_pose_template(
    points: Tensor, size: int, run: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Align each face to the one of GHOST's five pose templates that fits it best.

    The templates place and scale a face differently, so a change of template is a jump. Where it is
    known which faces follow each other in time, a face keeps the template of the one before it
    until another's error is under 0.7 of its own. Mean faces that turn from 75 degrees left to 75
    right in 300 frames, with keypoints off by 1 or 2 px at an eye distance of 65, then change 4.0
    or 4.1 times on average instead of 12 or 23, where four is the least; errors grow by 2 %.

    Args:
        points: [N, 5, 2] face points in frame pixels, in the order of `Faces.keypoints`.
        size: side of the crop in pixels.
        run: [N] int, the same number for the faces that are one person in view, in order of time
            (others may lie between them); none: every face stands alone.

    Returns:
        The matrix [N, 2, 3], and [N] int64 the template's place in `POSE_TEMPLATES`, 0..4.
    """
    templates = torch.stack([template_points(name, size, points.device) for name in POSE_TEMPLATES])
    count, poses = points.shape[0], len(POSE_TEMPLATES)
    source = points.repeat_interleave(poses, dim=0)
    target = templates.to(points.dtype).repeat(count, 1, 1)
    matrix = fit_similarity(source, target)
    error = similarity_error(matrix, source, target).reshape(count, poses)
    index = error.argmin(1) if run is None else _hold_template(error, run)
    rows = torch.arange(count, device=points.device)
    return matrix.reshape(count, poses, 2, 3)[rows, index], index


def _hold_template(error: Tensor, run: Tensor) -> Tensor:
    """Choose templates [N] by their errors [N, T], slow to leave the one of the run's last face."""
    held: dict[int, int] = {}
    chosen = []
    for number, errors, best in zip(
        run.tolist(), error.tolist(), error.argmin(1).tolist(), strict=True
    ):
        last = held.get(number, best)
        held[number] = best if errors[best] < _CLEARLY_BETTER * errors[last] else last
        chosen.append(held[number])
    return torch.tensor(chosen, dtype=torch.int64, device=error.device)


def ffhq_quad(keypoints: Tensor, size: int) -> Tensor:
    """Crop as the FFHQ dataset was cropped.

    The recipe (Karras et al. 2018, "Progressive growing of GANs", appendix C): with e the vector
    between the eyes and m the vector from the eyes' midpoint to the mouth's, the crop's x axis
    points along e - rot90(m), half its side is max(2 |e|, 1.8 |m|), and its centre lies m / 10
    below the eyes' midpoint. FFHQ's mirrored and blurred padding is not part of it.

    Args:
        keypoints: [N, 5, 2] face points in frame pixels, in the order of `Faces.keypoints`.
        size: side of the crop in pixels.

    Returns:
        [N, 2, 3]. A face whose points all coincide gets an upright crop of 2 px about them.
    """
    left_eye, right_eye, _, left_mouth, right_mouth = keypoints.unbind(1)
    eyes, mouth = (left_eye + right_eye) / 2, (left_mouth + right_mouth) / 2
    across, down = right_eye - left_eye, mouth - eyes
    axis = across + torch.stack([down[:, 1], -down[:, 0]], 1)
    half = torch.maximum(2.0 * _length(across), 1.8 * _length(down)).clamp(min=1)
    length = _length(axis)
    level = length == 0
    scale = size / (2 * half * torch.where(level, torch.ones_like(length), length))
    cos = torch.where(level, size / (2 * half), axis[:, 0] * scale)
    sin = torch.where(level, torch.zeros_like(length), -axis[:, 1] * scale)
    return _similarity(cos, sin, eyes + 0.1 * down, torch.full_like(eyes, size / 2))


def square_box(box: Tensor, size: int, margin: float = 1.0) -> Tensor:
    """Crop the upright square about a box's centre.

    Args:
        box: [N, 4] x0, y0, x1, y1 in frame pixels.
        size: side of the crop in pixels.
        margin: side of the square as a multiple of the box's longer side.

    Returns:
        [N, 2, 3]. The square is at least 1 px wide, so that an empty box has a matrix too.
    """
    corner, opposite = box[:, :2], box[:, 2:]
    centre = (corner + opposite) / 2
    scale = size / ((opposite - corner).amax(1) * margin).clamp(min=1)
    return _similarity(scale, torch.zeros_like(scale), centre, torch.full_like(centre, size / 2))


def invert_affine(matrix: Tensor) -> Tensor:
    """Turn frame-to-crop matrices [N, 2, 3] into crop-to-frame ones, or back.

    A matrix without an inverse gives infinities or NaN; `crop` and `paste` know what to do there.
    """
    (a, b, x), (c, d, y) = (row.unbind(-1) for row in matrix.unbind(-2))
    determinant = a * d - b * c
    rows = (d, -b, b * y - d * x), (-c, a, c * x - a * y)
    return torch.stack([torch.stack(row, -1) for row in rows], -2) / determinant[..., None, None]


def compose_affine(outer: Tensor, inner: Tensor) -> Tensor:
    """Chain two batches of affine matrices [N, 2, 3]: the result applies `inner` first."""
    linear = (outer[..., :2, :2, None] * inner[..., None, :2, :]).sum(-2)
    return torch.cat([linear[..., :2], linear[..., 2:] + outer[..., 2:]], -1)


def transform_points(matrix: Tensor, points: Tensor) -> Tensor:
    """Map points by affine matrices.

    Args:
        matrix: [N, 2, 3].
        points: [N, P, 2] (x, y), or [N, P, 3] with a depth, which is scaled as the matrix scales.

    Returns:
        The shape of `points`.
    """
    plane = (matrix[:, None, :, :2] * points[..., None, :2]).sum(-1) + matrix[:, None, :, 2]
    if points.shape[-1] == 2:
        return plane
    return torch.cat([plane, points[..., 2:] * matrix_scale(matrix)[:, None, None]], -1)


def matrix_scale(matrix: Tensor) -> Tensor:
    """Say how many crop pixels one frame pixel becomes: [N, 2, 3] -> [N]."""
    (a, b, _), (c, d, _) = (row.unbind(-1) for row in matrix.unbind(-2))
    return (a * d - b * c).abs().sqrt()


def _similarity(cos: Tensor, sin: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """Rotate and scale by [N] (cos, sin), then shift so that point `source` lands on `target`."""
    linear = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)
    shift = target - (linear * source[:, None]).sum(-1)
    return torch.cat([linear, shift[..., None]], -1)


def _length(vector: Tensor) -> Tensor:
    length: Tensor = torch.linalg.vector_norm(vector, dim=-1)
    return length


def _check_points(name: str, source: Tensor, target: Tensor) -> None:
    if source.ndim != 3 or source.shape[2] != 2 or source.shape[1] == 0:
        raise ValueError(f"{name} wants source points [N, P, 2], got {list(source.shape)}.")
    if target.shape not in (source.shape, source.shape[1:]):
        raise ValueError(
            f"{name} wants target points {list(source.shape)} or {list(source.shape[1:])}, "
            f"got {list(target.shape)}."
        )
