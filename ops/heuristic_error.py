"""FaceShifter's heuristic error: what a swap of a face onto itself fails to rebuild."""

from __future__ import annotations

from torch import Tensor

from .filters import gaussian_blur


def rebuilt_mask(
    target: Tensor, reconstructed: Tensor, threshold: float, soften: float = 0.01
) -> Tensor:
    """Find where a self-swap rebuilt the target, and so nothing hides the face there.

    A generator learns faces, and leaves out hands, hair and glasses before them: there the
    picture and its reconstruction differ (Li et al., "FaceShifter", arXiv:1912.13457, section
    3.3, the heuristic error). The paper feeds the difference to HEAR-Net; as a mask is ours.

    Args:
        target: [N, 3, S, S] RGB 0..1.
        reconstructed: [N, 3, S, S] RGB 0..1, the target with its own identity.
        threshold: mean difference of the channels, above 0, up to which a pixel counts as rebuilt.
        soften: how far to spread the difference, as a fraction of the side.

    Returns:
        [N, 1, S, S] in 0..1: 1 where the difference stays below `threshold`, 0 from twice that.

    Raises:
        ValueError: the shapes differ, or `threshold` is not above 0.
    """
    if target.shape != reconstructed.shape:
        raise ValueError(
            f"target and reconstructed must have the same shape, got {list(target.shape)} and "
            f"{list(reconstructed.shape)}."
        )
    if threshold <= 0:
        raise ValueError(f"threshold must be above 0, got {threshold}.")
    difference = (target - reconstructed).abs().mean(1, keepdim=True)
    spread = gaussian_blur(difference, soften * target.shape[-1])
    return (2 - spread / threshold).clamp(0, 1)
