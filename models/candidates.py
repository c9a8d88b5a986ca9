"""From a detector's candidates to faces."""

from __future__ import annotations

import torch
from torch import Tensor

from ..faces import Faces
from .suppression import best_boxes


def faces_among(
    frames: Tensor,
    scores: Tensor,
    boxes: Tensor,
    points: Tensor,
    threshold: float,
    overlap: float,
) -> Faces:
    """Choose the faces among the candidates of frames.

    Args:
        frames: [B, 3, H, W], for their number and size.
        scores: [B, A].
        boxes: [B, A, 4] x0, y0, x1, y1 in frame pixels.
        points: [B, A, 5, 2] in frame pixels, in the order of `Faces.keypoints`.
        threshold: lowest score that counts.
        overlap: intersection over union above which two candidates are one face.

    Returns:
        The faces by frame, the highest score first.
    """
    frame, row = best_boxes(boxes, scores, threshold, overlap)
    count, _, height, width = frames.shape
    return Faces(
        frame=frame,
        box=boxes[frame, row],
        score=scores[frame, row],
        keypoints=points[frame, row],
        track=torch.full_like(frame, -1),
        image_size=(height, width),
        frames=count,
    )


def cell_corners(height: int, width: int, stride: int, device: torch.device) -> Tensor:
    """Upper left corners (x, y) of a canvas' cells, row by row: [height width / stride^2, 2] px.

    A last row or column that the canvas cuts counts.
    """
    rows = torch.arange(-(-height // stride), device=device)
    columns = torch.arange(-(-width // stride), device=device)
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([x, y], -1).reshape(-1, 2) * float(stride)
