"""FairFace as a guesser of attributes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ...faces import Faces
from ..alignment import aligned_crops
from ..roles import Role

INPUT = 224
AGES = (1.5, 6.5, 15.0, 25.0, 35.0, 45.0, 55.0, 65.0, 75.0)
"""Middles of the nine bins 0-2, 3-9, 10-19, 20-29 ... 60-69 and 70 or more, taken as a decade."""

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, RGB


@dataclass(frozen=True, eq=False)
class FairFace:
    """An `Attributes` that names one of two genders and one of nine ages.

    The graph gives no probabilities: "male" is 0 or 1.
    """

    network: nn.Module
    """Maps crops [N, 3, 224, 224] RGB, ImageNet's mean and deviation, to gender and age [N]."""
    name: ClassVar[str] = "fairface"
    role: ClassVar[Role] = "attributes"
    licence: ClassVar[str] = "CC-BY-4.0"
    template: ClassVar[str] = "arcface_112_v2"

    @torch.no_grad()
    def guess(self, frames: Tensor, faces: Faces) -> tuple[Tensor, Tensor]:
        """Guess the gender and the age of faces; see `Attributes.guess`."""
        crops = aligned_crops("FairFace", frames, faces, self.template, INPUT)
        if not len(faces):
            return faces.score.new_zeros(0), faces.score.new_zeros(0)
        mean, deviation = (crops.new_tensor(v).reshape(3, 1, 1) for v in (_MEAN, _DEVIATION))
        female, age = self.network((crops - mean) / deviation)
        return 1 - female.float(), crops.new_tensor(AGES)[age.long()]
