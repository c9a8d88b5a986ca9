"""RAFSwap's Face Mask Predictor (FMP): where the generated picture replaces the target."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..stylegan2.layers import conv_layer


class FaceMaskPredictor(nn.Module):
    """Brings a generator's maps to the size of the finest, and joins them.

    Args:
        widths: channels of the maps, two a resolution, each twice as large as the one before.
        reduced: channels that each map is brought to.
        joint: channels after all are joined.
    """

    def __init__(self, widths: Sequence[int], reduced: int, joint: int) -> None:
        super().__init__()
        self.widths = list(widths)
        finest = (len(widths) - 1) // 2
        layers: list[nn.Module] = []
        for place, width in enumerate(widths):
            layers += [
                conv_layer(width, reduced, 3),
                nn.Upsample(scale_factor=2 ** (finest - place // 2)),
            ]
        self.convs = nn.ModuleList(layers)
        self.to_mask = nn.Sequential(
            conv_layer(reduced * len(widths), joint, 3),
            conv_layer(joint, 1, 3, active=False),
            nn.Sigmoid(),
        )

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Maps [N, C, h, w] -> masks [N, 1, H, W] of 0..1, of the finest map's size."""
        pairs = zip(self.convs[::2], self.convs[1::2], features, strict=True)
        mask: Tensor = self.to_mask(
            torch.cat([enlarge(reduce(x)) for reduce, enlarge, x in pairs], 1)
        )
        return mask
