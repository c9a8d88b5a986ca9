"""MFIM as a swapper that looks at its source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ..roles import Portraits, Role
from ..style_codes import StyleCodes
from .network import Latents, MFIMNetwork

_FEATURES = range(2, 14)
"""Maps of 8 to 256 px among those of a decoder."""


@dataclass(frozen=True, eq=False)
class MFIM:
    """A `StyleSwapper` after Na's MFIM (arXiv:2308.01536)."""

    network: MFIMNetwork
    """Works on RGB -1..1; its codes are the S codes of its StyleGAN2."""
    name: ClassVar[str] = "mfim"
    role: ClassVar[Role] = "swapper"
    licence: ClassVar[str] = "none published; that of your own training, and of the StyleGAN2 in it"
    templates: ClassVar[tuple[str, ...]] = ("ffhq_quad",)
    regions: ClassVar[tuple[str, ...]] = ()

    @property
    def size(self) -> int:
        """See `StyleSwapper.size`."""
        return self.network.decoder.size

    @property
    def identity(self) -> range:
        """See `StyleSwapper.identity`."""
        return self.network.identity

    @property
    def local(self) -> int:
        """First code of the local source in ID mixing, as `boundary_table` wants it."""
        identity = self.identity
        return min(max(self.network.options.local, identity.start), identity.stop)

    @property
    def mean(self) -> tuple[Tensor, ...]:
        """See `StyleSwapper.mean`."""
        with torch.no_grad():
            return self.network.mean()

    @torch.no_grad()
    def encode(self, target: Portraits, *sources: Portraits) -> tuple[StyleCodes, ...]:
        """Read the codes of swapped faces; see `StyleSwapper.encode`."""
        seen = self._latents(target)
        own = self.network.codes(seen, range(self.identity.start))
        maps, found = self.network.maps(seen), []
        for source in sources:
            latents = seen if source.image is target.image else self._latents(source)
            found.append(StyleCodes(own + self.network.codes(latents, self.identity), maps))
        return tuple(found)

    @torch.no_grad()
    def generate(
        self, codes: StyleCodes, features: bool = False
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Turn codes into faces, without noise; see `StyleSwapper.generate`."""
        keep = _FEATURES if features else ()
        picture, kept = self.network.decoder.synthesize(codes.codes, codes.maps, keep)
        return ((picture.float() + 1) / 2).clamp(0, 1), kept

    def _latents(self, portraits: Portraits) -> Latents:
        return self.network.encoder.latents(2 * portraits.image.float() - 1)
