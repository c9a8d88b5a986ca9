"""FSGAN's way from one head pose to another in small steps, along a rigid motion."""

from __future__ import annotations

from torch import Tensor

from .rotation import euler_to_matrix, fit_rigid, matrix_to_euler


def interpolate_pose(source: Tensor, target: Tensor, fraction: float) -> Tensor:
    """Carry `source` a fraction of the way along its rigid motion to `target`.

    FSGAN's stepwise reenactment: the angles and the shift are scaled, the shape stays the source's.

    Args:
        source: [N, P, 3] landmarks.
        target: [N, P, 3] landmarks.
        fraction: 0 gives `source`, 1 the whole rigid motion.

    Returns:
        [N, P, 3]. Points all on one line or in one place go the shortest way; see `fit_rigid`.

    Raises:
        ValueError: the shapes are not both [N, P, 3].
    """
    rotation, shift = fit_rigid(source, target)
    partial = euler_to_matrix(fraction * matrix_to_euler(rotation))
    return source @ partial.mT + fraction * shift[:, None]
