"""RAFSwap as a swapper that looks at its source, and as a predictor of face masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from ..psp.trunk import INPUT, Maps, fitted
from ..roles import Portraits, Role
from ..style_codes import StyleCodes
from .network import RAFSwapNetwork

MASK_SIDE = INPUT // 4
"""Side of the region masks, in pixels: that of the finest map they are laid over."""


@dataclass(frozen=True, eq=False)
class RAFSwap:
    """A `StyleSwapper` and a `MaskPredictor` (Xu et al., arXiv:2203.04564)."""

    network: RAFSwapNetwork
    """Reads pictures of 256 px, RGB -1..1; its codes are the W+ codes of its StyleGAN2."""
    name: ClassVar[str] = "rafswap"
    role: ClassVar[Role] = "swapper"
    licence: ClassVar[str] = "none stated; holds NVIDIA's StyleGAN2 of FFHQ (non-commercial)"
    templates: ClassVar[tuple[str, ...]] = ("ffhq_quad",)
    # Of CelebAMask-HQ's classes {11, 12}, {2}, {6, 7} and {4, 5}, in this order.
    regions: ClassVar[tuple[str, ...]] = ("lips", "nose", "brows", "eyes")

    @property
    def size(self) -> int:
        """See `StyleSwapper.size`."""
        return self.network.decoder.size

    @property
    def identity(self) -> range:
        """All of them: target and source meet before the codes; see `StyleSwapper.identity`."""
        return range(len(self.network.latent_avg))

    @property
    def mean(self) -> tuple[Tensor, ...]:
        """See `StyleSwapper.mean`."""
        return self.network.latent_avg[:, None].unbind()

    @torch.no_grad()
    def encode(self, target: Portraits, *sources: Portraits) -> tuple[StyleCodes, ...]:
        """Read the codes of swapped faces; see `StyleSwapper.encode`."""
        masks = self._masks(target, "target")
        others = [self._masks(source, "source", len(masks)) for source in sources]
        encoder, taps = self.network.encoder, self._taps(target)
        maps, found = encoder.pyramid(*taps), []
        for source, regions in zip(sources, others, strict=True):
            seen = taps if source.image is target.image else self._taps(source)
            codes = encoder.codes(maps, masks, encoder.read_source(seen, regions))
            found.append(StyleCodes((codes + self.network.latent_avg).unbind(1)))
        return tuple(found)

    @torch.no_grad()
    def generate(
        self, codes: StyleCodes, features: bool = False
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Turn codes into faces, with the stored noise; see `StyleSwapper.generate`."""
        decoder = self.network.decoder
        latent = self._latent(codes.codes)
        keep = self.network.mask_maps if features else ()
        maps = codes.maps or decoder.noise_maps()
        picture, kept = decoder.synthesize(decoder.modulate(latent), maps, keep)
        return ((picture.float() + 1) / 2).clamp(0, 1), kept

    @torch.no_grad()
    def predict_mask(self, features: tuple[Tensor, ...]) -> Tensor:
        """Predict soft masks from maps of 8 to 256 px; see `MaskPredictor.predict_mask`."""
        wanted = self.network.mask.widths
        given = [each.shape[1] for each in features]
        if given != wanted:
            raise ValueError(
                f"RAFSwap's mask predictor wants {len(wanted)} maps of {_listed(wanted)} channels, "
                f"got {len(given)} of {_listed(given)}. Connect the features of a Swap Face whose "
                "generator is this RAFSwap."
            )
        mask: Tensor = self.network.mask(features)
        return mask.float()

    def _taps(self, portraits: Portraits) -> Maps:
        return self.network.encoder.taps(2 * fitted(portraits.image.float()) - 1)

    def _masks(self, portraits: Portraits, who: str, count: int | None = None) -> Tensor:
        """Region masks [N, R, 64, 64] of 0 and 1."""
        image, regions = portraits
        names = f"{', '.join(self.regions[:-1])} and {self.regions[-1]}"
        if regions is None:
            raise ValueError(
                f"RAFSwap wants masks of the {who}'s {names}, got none. Connect a face parser, so "
                "that they can be found."
            )
        wanted = (len(image), len(self.regions))
        if regions.ndim != 4 or regions.shape[:2] != wanted:
            raise ValueError(
                f"RAFSwap wants masks [{wanted[0]}, {wanted[1]}, h, w] of the {who}'s {names}, "
                f"got {list(regions.shape)}."
            )
        if count not in (None, len(image)):
            raise ValueError(
                f"RAFSwap wants a source picture for each of {count} targets, got {len(image)}."
            )
        small = F.interpolate(regions.float(), (MASK_SIDE, MASK_SIDE), mode="nearest")
        return (small > 0.5).float()

    def _latent(self, codes: Sequence[Tensor]) -> Tensor:
        """Codes as one tensor [N, layers, style]."""
        count, length = self.network.latent_avg.shape
        given = [each.shape[1] for each in codes]
        if given != [length] * count:
            raise ValueError(
                f"RAFSwap wants {count} codes of {length} numbers, got {len(given)} of "
                f"{_listed(given)}. Codes of other generators do not fit it."
            )
        return torch.stack(list(codes), 1)


def _listed(numbers: Sequence[int]) -> str:
    return "/".join(str(number) for number in sorted(set(numbers), reverse=True)) or "no"
