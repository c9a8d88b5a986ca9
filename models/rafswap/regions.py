"""RAFSwap's view of a face's regions: tokens of the source's, spread over the target's.

Xu et al., "Region-Aware Face Swapping", arXiv:2203.04564, as xc-csc101/RAFSwap released it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Tokenizer(nn.Module):
    """Makes one token of each region.

    Args:
        channels: C of the features.
        width: D, length of a token.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.fc = nn.Sequential(nn.Linear(channels, width))

    def forward(self, features: Tensor, regions: Tensor) -> Tensor:
        """Features [N, C, h, w] and masks [N, R, H, W] of 0 and 1 -> tokens [N, R, D].

        A region's features are averaged; an empty one counts as zeros, so its token is the bias.
        """
        masks = _resized(regions, features)
        # Divided before they are added up, so that half precision has room for the sums.
        shares = masks / masks.sum((2, 3), keepdim=True).clamp(min=1)
        tokens: Tensor = self.fc(torch.einsum("nchw,nrhw->nrc", features, shares))
        return tokens


class Projector(nn.Module):
    """Gives each pixel of a region what the tokens of one size hold for it ("RS").

    Args:
        width: C of the features, and of the tokens.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear1 = nn.Linear(width, width, bias=False)
        self.linear2 = nn.Linear(width, width, bias=False)
        self.linear3 = nn.Linear(width, width)
        for linear in (self.linear1, self.linear2, self.linear3):
            nn.init.xavier_normal_(linear.weight)

    def forward(self, features: Tensor, tokens: Tensor, regions: Tensor) -> Tensor:
        """Features [N, C, h, w], tokens [N, R, C], masks [N, R, H, W] -> [N, C, h, w].

        Outside all regions the features come back as they are. The release tiles them so that
        pictures of a batch mix; here every face is its own, which for one is the same.
        """
        masks = _resized(regions, features)
        # The mean over all masks, of which one at most is 1: the weights know the factor of 1/R.
        seen = (features * masks.mean(1, keepdim=True)).flatten(2).transpose(1, 2)
        query, key, value = self.linear1(seen), self.linear2(tokens), self.linear3(tokens)
        spread = F.scaled_dot_product_attention(query, key, value)
        spread = spread.transpose(1, 2).reshape(features.shape)
        return features + spread * masks.amax(1, keepdim=True)


def _resized(regions: Tensor, features: Tensor) -> Tensor:
    """Masks of the features' size, each pixel the nearest one's, as the release resizes them."""
    return F.interpolate(regions, features.shape[2:], mode="nearest")
