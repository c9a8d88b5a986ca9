"""Non-maximum suppression, batched over frames, on the device."""

from __future__ import annotations

import torch
from torch import Tensor

_MOST = 2000  # candidates in a frame: the overlaps of all pairs must fit into memory


def best_boxes(
    boxes: Tensor, scores: Tensor, threshold: float, overlap: float
) -> tuple[Tensor, Tensor]:
    """Choose one box a face: greedily by score, dropping those that overlap a chosen one.

    Args:
        boxes: [B, A, 4] x0, y0, x1, y1 of all candidates of each frame.
        scores: [B, A].
        threshold: lowest score that counts.
        overlap: intersection over union above which two boxes are one face.

    Returns:
        Frame and candidate of each chosen box, [N] int64 each, by frame, the highest score first.
    """
    order = scores.argsort(dim=1, descending=True, stable=True)
    most = int((scores >= threshold).sum(1).max())
    order = order[:, : min(most, _MOST)]
    candidates = boxes.gather(1, order[..., None].expand(-1, -1, 4))
    valid = scores.gather(1, order) >= threshold
    kept = valid & _unsuppressed(pairwise_iou(candidates) > overlap, valid)
    frame, rank = kept.nonzero(as_tuple=True)
    return frame, order[frame, rank]


def pairwise_iou(boxes: Tensor) -> Tensor:
    """Intersection over union of all pairs: [B, K, 4] -> [B, K, K]; 0 for empty boxes."""
    corner, opposite = boxes[..., :2], boxes[..., 2:]
    area = (opposite - corner).clamp(min=0).prod(-1)
    low = torch.maximum(corner[:, :, None], corner[:, None])
    high = torch.minimum(opposite[:, :, None], opposite[:, None])
    shared = (high - low).clamp(min=0).prod(-1)
    return shared / (area[:, :, None] + area[:, None] - shared).clamp(min=1e-9)


def _unsuppressed(overlapping: Tensor, valid: Tensor) -> Tensor:
    """Keep [B, K] whose better-scored rivals are all suppressed themselves.

    Starting from all, each round settles at least one more candidate from the best one down, so
    the loop ends; it ends after as many rounds as the longest chain of overlaps, mostly two.
    """
    rivals = overlapping.triu(1) & valid[:, :, None]
    kept = torch.ones_like(valid)
    while True:
        after = ~(rivals & kept[:, :, None]).any(1)
        if torch.equal(after, kept):
            return kept
        kept = after
