"""FaceShifter's AEI-Net under the key names of taotaonice's checkpoints (`network/AEI_Net.py`)."""

from __future__ import annotations

from ..aad import BlockNames
from ..aei import AEINet, AEISizes, Layout
from ..attribute_encoder import UNetNames


def _step(number: int) -> tuple[str, str]:
    return f"AAD{number + 1}", f"conv{number + 1}"


LAYOUT = Layout(
    encoder="encoder",
    start="generator.up1",
    block="generator.AADBlk{}",
    names=BlockNames(step=_step, shortcut=_step),
    unet=UNetNames(),
)

SIZES = AEISizes()
"""The published sizes."""


class FaceShifterNetwork(AEINet):
    """The network that GHOST descends from; only its blocks name their parts otherwise."""

    def __init__(self, sizes: AEISizes = SIZES) -> None:
        super().__init__(LAYOUT, sizes)
