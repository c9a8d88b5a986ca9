"""GHOST's AEI-Net under the key names of ai-forever's checkpoints (`network/AEI_Net.py` there)."""

from __future__ import annotations

from ..aad import BlockNames
from ..aei import AEINet, AEISizes, Layout
from ..attribute_encoder import UNetNames

LAYOUT = Layout(
    encoder="encoder",
    start="generator.up1",
    block="generator.AADBlk{}",
    names=BlockNames(
        # The reference keeps layer, ReLU and convolution of all steps in one sequence.
        step=lambda number: (f"add_blocks.{3 * number}", f"add_blocks.{3 * number + 2}"),
        shortcut=lambda steps: ("last_add_block.0", "last_add_block.2"),
    ),
    unet=UNetNames(),
)

SIZES = AEISizes()
"""The sizes of G_unet_2blocks.pth."""


class GHOSTNetwork(AEINet):
    """Instance norm, one mask for all channels, 1x1 convolutions; any encoder and steps."""

    def __init__(self, sizes: AEISizes = SIZES) -> None:
        super().__init__(LAYOUT, sizes)
