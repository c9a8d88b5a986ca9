"""BiSeNet as a parser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ...faces import Crops
from ...ops.parsing import CLASSES, reorder
from ..realign import put_back, realign
from ..roles import Role
from .network import INPUT

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's


@dataclass(frozen=True, eq=False)
class BiSeNet:
    """A `Parser` trained on CelebAMask-HQ."""

    network: nn.Module
    """Maps normalised RGB [N, 3, 512, 512] to logits [N, 19, 512, 512] in its own order."""
    name: ClassVar[str] = "bisenet"
    role: ClassVar[Role] = "parser"
    licence: ClassVar[str] = "MIT, trained on CelebAMask-HQ (non-commercial research)"
    template: ClassVar[str] = "ffhq_512"

    @torch.no_grad()
    def parse(self, crops: Crops) -> Tensor:
        """Parse aligned crops; see `Parser.parse`."""
        if not len(crops):
            return crops.image.new_zeros(0, len(CLASSES), crops.size, crops.size)
        images, matrix = realign(crops, self.template, INPUT)
        mean, deviation = (images.new_tensor(x)[:, None, None] for x in (_MEAN, _DEVIATION))
        logits: Tensor = self.network((images - mean) / deviation)
        return put_back(reorder(logits.softmax(1), "bisenet"), matrix, crops.size)
