"""FaceShifter's AEI-Net under the key names of maum-ai's checkpoints (`model/AEINet.py` there)."""

from __future__ import annotations

from ..aad import LAYER_NAMES, AADOptions, BlockNames
from ..aei import AEINet, AEISizes, Layout
from ..attribute_encoder import UNetNames, UNetSizes


def _step(number: int) -> tuple[str, str]:
    return f"add{number + 1}", f"conv{number + 1}"


LAYOUT = Layout(
    encoder="E",
    start="G.convt",
    block="G.model.layer_{}",
    names=BlockNames(
        step=_step,
        shortcut=_step,
        layer=LAYER_NAMES._replace(
            norm="BNorm", identity_gamma="fc_1", identity_beta="fc_2", mask="conv_f"
        ),
    ),
    unet=UNetNames(
        first=0, down="Encoder.layer_{}", up="Decoder.layer_{}", up_conv="0", up_norm="1"
    ),
    first=0,
    unit=True,
)

OPTIONS = AADOptions(kernel=3, mask_kernel=3, mask_per_channel=True, batch_norm=True, bias=True)
"""What its AAD layers are like."""
SIZES = AEISizes(UNetSizes(bias=True), identity=256, options=OPTIONS)
"""The published sizes."""


class MaumFaceShifterNetwork(AEINet):
    """Batch norm, a mask for each channel, 3x3 convolutions with bias, sigmoid output."""

    def __init__(self, sizes: AEISizes = SIZES) -> None:
        super().__init__(LAYOUT, sizes)
