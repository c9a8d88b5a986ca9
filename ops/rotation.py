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
        Rotation [N, 3, 3] and shift [N, 3]: target is about rotation @ source + shift. Points on
        one line leave the rotation about it open, and some rotation comes back.

    Raises:
        ValueError: the shapes are not both [N, P, 3].
    """
    if source.ndim != 3 or source.shape[2] != 3 or source.shape != target.shape:
        raise ValueError(
            "fit_rigid wants source and target points of one shape [N, P, 3], "
            f"got {list(source.shape)} and {list(target.shape)}."
        )
    source_mean, target_mean = source.mean(1), target.mean(1)
    covariance = (source - source_mean[:, None]).mT @ (target - target_mean[:, None])
    u, _, vt = torch.linalg.svd(covariance)
    sign = torch.ones_like(source_mean)
    sign[:, 2] = torch.sign(torch.linalg.det(vt.mT @ u.mT))
    rotation = (vt.mT * sign[:, None]) @ u.mT
    return rotation, target_mean - (rotation * source_mean[:, None]).sum(-1)


def interpolate_pose(source: Tensor, target: Tensor, fraction: float) -> Tensor:
    """Carry `source` a fraction of the way along its rigid motion to `target`.

    FSGAN's stepwise reenactment: the angles and the shift are scaled, the shape stays the source's.

    Args:
        source: [N, P, 3] landmarks.
        target: [N, P, 3] landmarks.
        fraction: 0 gives `source`, 1 the whole rigid motion.

    Returns:
        [N, P, 3].
    """
    rotation, shift = fit_rigid(source, target)
    partial = euler_to_matrix(fraction * matrix_to_euler(rotation))
    return source @ partial.mT + fraction * shift[:, None]
