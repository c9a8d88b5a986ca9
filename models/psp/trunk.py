"""pSp's trunk: maps of a face in three sizes from the body of IR-SE50.

Modules carry the key names of eladrich/pixel2style2pixel's checkpoints.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from ..ir_se50.network import IRSE50Body
from ..letterbox import area_resize
from ..weights import CheckpointError, StateDict

INPUT = 256
"""Side of the pictures that the trunk was trained on."""
STAGES = 3
"""How many of the body's stages the trunk reads, the last ones."""
WIDTHS = (64,) * 3 + (128,) * 4 + (256,) * 14 + (512,) * 3
"""Channels of IR-SE50's blocks."""

Maps = tuple[Tensor, Tensor, Tensor]
"""Of N pictures, from fine to coarse: a quarter, an eighth and a sixteenth of their side."""


class PspTrunk(IRSE50Body):
    """The body, tapped where its last three stages end, and the laterals of its pyramid.

    A network that keeps these weights beside its own, not below them, derives from it.

    Args:
        stem: as for the body.
        widths: as for the body.
        top_down: whether coarser maps are added to the finer ones, as in pSp; RAFSwap does not.
    """

    def __init__(
        self, stem: int = 64, widths: Sequence[int] = WIDTHS, top_down: bool = True
    ) -> None:
        super().__init__(stem, widths)
        self.top_down = top_down
        # A stage ends before the next one halves the size: after blocks 6, 20 and 23 as published.
        ends = [place - 1 for place, stride in enumerate(self.strides) if stride == 2 and place]
        self.ends = (*ends[-2:], len(widths) - 1)
        fine, middle, self.width = (widths[end] for end in self.ends)
        self.latlayer1 = nn.Conv2d(middle, self.width, 1)
        self.latlayer2 = nn.Conv2d(fine, self.width, 1)

    def forward(self, images: Tensor) -> Maps:
        """Pictures [N, 3, 256, 256] RGB -1..1 -> maps [N, width, 64, 64], then of 32 and 16 px."""
        return self.pyramid(*self.taps(images))

    def taps(self, images: Tensor) -> Maps:
        """Pictures [N, 3, 256, 256] RGB -1..1 -> what the stages end with, of their own widths."""
        x, kept = self.input_layer(images), []
        for place, block in enumerate(self.body):
            x = block(x)
            if place in self.ends:
                kept.append(x)
        fine, middle, coarse = kept
        return fine, middle, coarse

    def pyramid(self, fine: Tensor, middle: Tensor, coarse: Tensor) -> Maps:
        """Bring what `taps` gives to one width (Lin et al., arXiv:1612.03144)."""
        middle = self._added(coarse, self.latlayer1(middle))
        return self._added(middle, self.latlayer2(fine)), middle, coarse

    def _added(self, coarser: Tensor, lateral: Tensor) -> Tensor:
        if not self.top_down:
            return lateral
        # The weights were trained with corners aligned, unlike what is sampled elsewhere here.
        size = lateral.shape[2:]
        return lateral + F.interpolate(coarser, size, mode="bilinear", align_corners=True)


def fitted(images: Tensor, side: int = INPUT) -> Tensor:
    """Bring [N, C, S, S] to another side: reduced by exact means, enlarged bilinearly."""
    if images.shape[-1] < side:
        return F.interpolate(images, (side, side), mode="bilinear")
    return area_resize(area_resize(images, side, -2), side, -1)


def sizes_of(state: StateDict, prefix: str = "") -> tuple[int, list[int]]:
    """Read `stem` and `widths` of the trunk whose keys begin with `prefix`.

    Where a block's weights are missing it is left out, so that filling the network names it.

    Raises:
        CheckpointError: there are not three stages to tap.
    """
    body = f"{prefix}body."
    blocks = {int(key[len(body) :].split(".")[0]) for key in state if key.startswith(body)}
    kernels = (state.get(f"{body}{block}.res_layer.1.weight") for block in sorted(blocks))
    widths = [kernel.shape[0] for kernel in kernels if kernel is not None]
    if len(set(widths)) < STAGES:
        raise CheckpointError(
            f"pSp's trunk wants blocks of three widths or more below {body}, found {widths}."
        )
    return state[f"{prefix}input_layer.0.weight"].shape[0], widths
