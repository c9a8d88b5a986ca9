"""The transformer in which RAFSwap's tokens look at each other."""

from __future__ import annotations

from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

HEADS = 8


class Attention(nn.Module):
    """Self-attention of `HEADS` heads."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """[N, T, width] -> the same shape."""
        heads = self.qkv(tokens).unflatten(2, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(*heads.unbind())
        return cast(Tensor, self.proj(seen.transpose(1, 2).flatten(2)))


class MLP(nn.Module):
    """Two layers with GELU between them, in its tanh form."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """[N, T, width] -> the same shape."""
        return cast(Tensor, self.fc2(F.gelu(self.fc1(tokens), approximate="tanh")))


class TransformerBlock(nn.Module):
    """A pre-norm block of a vision transformer (Dosovitskiy et al., arXiv:2010.11929)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn = Attention(width)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = MLP(width, hidden)

    def forward(self, tokens: Tensor) -> Tensor:
        """[N, T, width] -> the same shape; there are no positions."""
        tokens = tokens + self.attn(self.norm1(tokens))
        return cast(Tensor, tokens + self.mlp(self.norm2(tokens)))
