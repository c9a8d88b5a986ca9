"""RAFSwap's encoder: the codes of a target's face with a source's identity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..psp.blocks import MapToCode
from ..psp.trunk import INPUT, WIDTHS, Maps, PspTrunk
from ..stylegan2.layers import EqualLinear
from .regions import Projector, Tokenizer
from .transformer import TransformerBlock

COARSE, MIDDLE = 3, 4
"""How many of the codes are read from the coarse map and from the middle one; the rest is fine."""


@dataclass(frozen=True)
class EncoderSizes:
    """What an encoder is built of; the defaults are the release's."""

    stem: int = 64
    """Channels of the trunk's first convolution."""
    widths: Sequence[int] = WIDTHS
    """Channels of the trunk's blocks."""
    layers: int = 18
    """How many codes it gives."""
    hidden: int = 2048
    """Width inside the transformer's MLPs."""
    depth: int = 1
    """Blocks of the transformer."""
    style: int = 512
    """Length of a code."""
    sfa_mlp: bool = False
    """Whether the source's global feature goes through two layers, as in the paper (SFA).

    The release has them in a comment, under the names that are used here."""


@dataclass(frozen=True, eq=False)
class Source:
    """What N sources give to the faces that they are put into."""

    tokens: Tensor
    """[N, 3 R, width] of R regions in three sizes, from fine to coarse."""
    whole: Tensor
    """[N, width, 1, 1], the global feature."""


class RAFSwapEncoder(PspTrunk):
    """The whole encoder, under the published key names; all maps are of the trunk's width."""

    def __init__(self, sizes: EncoderSizes) -> None:
        super().__init__(sizes.stem, sizes.widths, top_down=False)
        width = self.width
        sides = [INPUT // 16] * COARSE + [INPUT // 8] * MIDDLE
        sides += [INPUT // 4] * (sizes.layers - len(sides))
        self.styles = nn.ModuleList(MapToCode(side, width, sizes.style) for side in sides)
        self.token = nn.ModuleList(Tokenizer(sizes.widths[end], width) for end in self.ends)
        self.proj = nn.ModuleList(Projector(width) for _ in self.ends)
        self.trans = nn.Sequential(
            *(TransformerBlock(width, sizes.hidden) for _ in range(sizes.depth))
        )
        self.glb: nn.Module | None = None
        if sizes.sfa_mlp:
            self.glb = nn.Sequential(EqualLinear(width, width), EqualLinear(width, width))

    def read_source(self, taps: Maps, regions: Tensor) -> Source:
        """Read identities from what `taps` gives of the sources, and their masks."""
        tokens = [token(each, regions) for token, each in zip(self.token, taps, strict=True)]
        whole = taps[-1].mean((2, 3))
        if self.glb is not None:
            whole = self.glb(whole)
        return Source(self.trans(torch.cat(tokens, 1)), whole[..., None, None])

    def codes(self, maps: Maps, regions: Tensor, source: Source) -> Tensor:
        """Put identities into the targets' pyramid: codes, to which the mean face is to be added.

        Args:
            maps: the targets' pyramid.
            regions: [N, R, h, w], masks of the targets.
            source: of N faces.

        Returns:
            [N, layers, style].
        """
        tokens = source.tokens.chunk(len(self.proj), 1)
        rows = zip(self.proj, maps, tokens, strict=True)
        fine, middle, coarse = (proj(x, each, regions) + source.whole for proj, x, each in rows)
        seen = [coarse] * COARSE + [middle] * MIDDLE
        seen += [fine] * (len(self.styles) - len(seen))
        return torch.stack([style(x) for style, x in zip(self.styles, seen, strict=True)], 1)
