"""Head rotations: Euler angles and rigid motions of 3-D landmarks.

Axes: x to the image's right, y down, z away from the viewer (nearer is less). Angles are (yaw,
pitch, roll) in radians and R = Rz(roll) Ry(-yaw) Rx(pitch), FSGAN's convention. Seen by the viewer,
positive yaw turns the nose to the image's right, positive pitch lowers it, and positive roll tilts
the head clockwise.
"""

from __future__ import annotations

import torch
from torch import Tensor


def euler_to_matrix(angles: Tensor) -> Tensor:
    """Turn (yaw, pitch, roll) into rotation matrices: [..., 3] radians -> [..., 3, 3]."""
    (cy, cp, cr), (sy, sp, sr) = angles.cos().unbind(-1), angles.sin().unbind(-1)
    rows = (
        (cr * cy, -cr * sy * sp - sr * cp, sr * sp - cr * sy * cp),
        (sr * cy, cr * cp - sr * sy * sp, -sr * sy * cp - cr * sp),
        (sy, cy * sp, cy * cp),
    )
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def matrix_to_euler(matrix: Tensor) -> Tensor:
    """Read (yaw, pitch, roll) from rotation matrices: [..., 3, 3] -> [..., 3] radians.

    Yaw lies in [-pi/2, pi/2]. At its ends only a combination of pitch and roll is determined;
    pitch is then 0.
    """
    cos_yaw = torch.hypot(matrix[..., 2, 1], matrix[..., 2, 2])
    yaw = torch.atan2(matrix[..., 2, 0], cos_yaw)
    pitch = torch.atan2(matrix[..., 2, 1], matrix[..., 2, 2])
    roll = torch.atan2(matrix[..., 1, 0], matrix[..., 0, 0])
    locked = cos_yaw < 10 * torch.finfo(matrix.dtype).eps
    pitch = torch.where(locked, torch.zeros_like(pitch), pitch)
    roll = torch.where(locked, torch.atan2(-matrix[..., 0, 1], matrix[..., 1, 1]), roll)
    return torch.stack([yaw, pitch, roll], -1)


def fit_rigid(source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Find the rotation and shift, without scale, that bring `source` closest to `target`.

    Kabsch (1976): both sets are centred, and the rotation is read from the singular vectors of
    their covariance, with reflection forbidden.

    Args:
        source: [N, P, 3] points.
        target: [N, P, 3] points.

    Returns:
        Rotation [N, 3, 3] and shift [N, 3]: target is about rotation @ source + shift. Where the
        points leave it open (all on one line, or in one place), the smallest rotation that fits.

    Raises:
        ValueError: the shapes are not both [N, P, 3].
    """
    if source.ndim != 3 or source.shape[2] != 3 or source.shape != target.shape:
        raise ValueError(
            "fit_rigid wants source and target points of one shape [N, P, 3], "
            f"got {list(source.shape)} and {list(target.shape)}."
        )
    source_mean, target_mean = source.mean(1), target.mean(1)
    before, after = source - source_mean[:, None], target - target_mean[:, None]
    tie_break = _noise(source, before, target, after)[:, None, None] * torch.eye(3).to(source)
    # On the CPU: MPS has no singular values, and 3 x 3 matrices are no work for a GPU.
    u, _, vt = torch.linalg.svd((before.mT @ after + tie_break).cpu())
    sign = torch.ones_like(u[:, 0])
    sign[:, 2] = torch.sign(torch.linalg.det(vt.mT @ u.mT))
    rotation = ((vt.mT * sign[:, None]) @ u.mT).to(source.device)
    return rotation, target_mean - (rotation * source_mean[:, None]).sum(-1)


def _noise(source: Tensor, before: Tensor, target: Tensor, after: Tensor) -> Tensor:
    """How large rounding can make entries of the covariance of points, centred as given: [N].

    So much of the identity outweighs the directions that noise alone would choose, and turns
    nothing that the points determine.
    """
    length = [
        torch.linalg.vector_norm(points, dim=(1, 2)) for points in (source, before, target, after)
    ]
    eps = 8 * torch.finfo(source.dtype).eps
    source_error, target_error = eps * length[0], eps * length[2]
    noise: Tensor = source_error * (length[3] + target_error) + target_error * length[1]
    return noise
