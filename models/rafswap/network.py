"""RAFSwap: encoder, StyleGAN2 and mask predictor, and the mean face that codes start from.

Modules carry the key names of xc-csc101/RAFSwap's checkpoint.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..stylegan2.network import StyleGAN2Network
from .encoder import EncoderSizes, RAFSwapEncoder
from .mask import FaceMaskPredictor


class RAFSwapNetwork(nn.Module):
    """All that the checkpoint holds.

    Args:
        encoder: sizes of the encoder.
        size: side of the generator's pictures.
        widths: the generator's channels at 4, 8, ... `size` px.
        mapping: layers of its mapping network, which swapping does not use.
        mask: channels of a map, and of all maps joined, in the mask predictor.
    """

    latent_avg: Tensor
    """[layers, style], the mean face's codes; published beside the state dict."""

    def __init__(
        self,
        encoder: EncoderSizes,
        size: int,
        widths: Sequence[int],
        mapping: int = 8,
        mask: tuple[int, int] = (32, 128),
    ) -> None:
        super().__init__()
        self.encoder = RAFSwapEncoder(encoder)
        self.decoder = StyleGAN2Network(size, widths, encoder.style, mapping)
        # The maps that it reads: neither the two of 4 px nor the four of the largest two sizes.
        self.mask_maps = range(2, 2 * len(widths) - 4)
        self.mask = FaceMaskPredictor([widths[each // 2] for each in self.mask_maps], *mask)
        self.register_buffer("latent_avg", torch.zeros(encoder.layers, encoder.style))
