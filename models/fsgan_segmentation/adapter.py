"""FSGAN's Gs as a parser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ...faces import Crops
from ...ops.parsing import CLASSES
from ..realign import put_back, realign_to_box
from ..roles import Role

CLASSES_SEEN = ("background", "skin", "hair")
"""What the network tells apart, among `CLASSES`: the whole face counts as skin."""


@dataclass(frozen=True, eq=False)
class FSGANSegmentation:
    """A `Parser`: FSGAN's. Its face is all of it, with eyes, mouth and ears."""

    network: nn.Module
    """Maps RGB -1..1 [N, 3, 256, 256] to logits [N, 3, 256, 256]."""
    margin: float = 1.2
    """Side of its pictures over that of the face's box; 2 for the first generation's weights, which
    nothing in them tells."""
    name: ClassVar[str] = "fsgan_segmentation"
    role: ClassVar[Role] = "parser"
    licence: ClassVar[str] = "CC0-1.0; trained on CelebAMask-HQ or LFW and Figaro, for research"
    size: ClassVar[int] = 256

    @torch.no_grad()
    def parse(self, crops: Crops) -> Tensor:
        """Parse aligned crops; see `Parser.parse`."""
        parsed = crops.image.new_zeros(len(crops), len(CLASSES), crops.size, crops.size)
        if len(crops):
            images, matrix = realign_to_box(crops, self.margin, self.size)
            seen = self.network(2 * images - 1).softmax(1)
            places = [CLASSES.index(name) for name in CLASSES_SEEN]
            parsed[:, places] = put_back(seen, matrix, crops.size).to(parsed.dtype)
        return parsed
