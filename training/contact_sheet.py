"""A contact sheet of swaps: what numbers do not tell, people see."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ..faces import Faces
from ..ops.draw import draw_labels
from ..ops.geometry import fit_similarity
from ..ops.templates import template_points
from ..ops.warp import crop

CELL = 192
"""Side of a face on the sheet, in pixels."""
_STRIP, _DOT = 16, 2  # height of the line of numbers, and pixels a dot of its letters
_IN_A_ROW = 10


def view(frame: Tensor, faces: Faces) -> Tensor:
    """Cut out a face with its hair: frame [1, 3, H, W], one face -> [3, CELL, CELL]."""
    matrix = fit_similarity(faces.keypoints, template_points("ffhq_512", CELL, faces.device))
    return crop(frame, matrix, faces.frame, CELL, padding="border")[0].clamp(0, 1).cpu()


def column(views: list[Tensor], numbers: str) -> Tensor:
    """Put views [3, CELL, CELL] below each other, and a line of numbers below them.

    Args:
        views: source, target and result, for instance.
        numbers: digits, ".", "-", "#" and spaces.

    Returns:
        [3, H, CELL].
    """
    stack = F.pad(torch.cat(views, 1), (0, 0, 0, _STRIP))[None]
    place = torch.tensor([[_DOT, stack.shape[2] - _STRIP + _DOT / 2]])
    return draw_labels(stack, place, torch.zeros(1, dtype=torch.int64), [numbers], scale=_DOT)[0]


def contact_sheet(columns: list[Tensor]) -> Tensor:
    """Lay columns [3, H, CELL] side by side, ten a row, black where the last row ends early.

    Returns:
        [3, rows * H, min(10, columns) * CELL].

    Raises:
        ValueError: there are no columns.
    """
    if not columns:
        raise ValueError("A contact sheet wants at least one column.")
    across = min(_IN_A_ROW, len(columns))
    blank = torch.zeros_like(columns[0])
    filled = columns + [blank] * (math.ceil(len(columns) / across) * across - len(columns))
    rows = [torch.cat(filled[i : i + across], 2) for i in range(0, len(filled), across)]
    return torch.cat(rows, 1)
