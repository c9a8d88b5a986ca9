"""InsightFace's genderage as a guesser of attributes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ...faces import Faces
from ...ops.geometry import square_box
from ...ops.warp import crop
from ..frames import check_frames
from ..roles import Role

INPUT = 96
OUTPUTS = 3
MARGIN = 1.5
"""Side of the crop as a multiple of the box's longer side."""


@dataclass(frozen=True, eq=False)
class GenderAge:
    """An `Attributes`, with a probability of the gender and an age to fractions of a year."""

    network: nn.Module
    """Maps crops [N, 3, 96, 96] RGB 0..255 to a list of one tensor [N, 3]: female and male
    (logits) and the age in centuries."""
    name: ClassVar[str] = "genderage"
    role: ClassVar[Role] = "attributes"
    licence: ClassVar[str] = "non-commercial research only (InsightFace)"

    @torch.no_grad()
    def guess(self, frames: Tensor, faces: Faces) -> tuple[Tensor, Tensor]:
        """Guess the gender and the age of faces; see `Attributes.guess`."""
        check_frames("GenderAge", frames, faces)
        if not len(faces):
            return faces.score.new_zeros(0), faces.score.new_zeros(0)
        crops = crop(frames, crop_matrix(faces.box), faces.frame, INPUT, padding="zeros")
        (values,) = self.network(255 * crops.float().clamp(0, 1))
        return values[:, :2].softmax(1)[:, 1], 100 * values[:, 2]


def crop_matrix(box: Tensor) -> Tensor:
    """Frame-to-crop matrices [N, 2, 3] of the upright square about boxes [N, 4]."""
    matrix = square_box(box, INPUT, MARGIN)
    # The published code counts pixel centres at integers and puts the box's centre at 48, which is
    # half a pixel further where centres lie at integer + 0.5.
    matrix[:, :, 2] += 0.5
    return matrix
