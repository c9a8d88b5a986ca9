"""MFIM: a facial attribute encoder before a StyleGAN2 that is driven by S codes and style maps.

Na: "MFIM: Megapixel Facial Identity Manipulation", ECCV 2022, arXiv:2308.01536. Nothing of it was
published but the paper; README.md beside this file says what is its and what is our completion.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from ..psp import MapToCode, MapToMap, PspTrunk, fitted
from ..psp.trunk import WIDTHS
from ..stylegan2.layers import StyledConv
from ..stylegan2.network import StyleGAN2Network
from .options import MFIMOptions

Latents = tuple[Tensor, Tensor, Tensor]
"""What codes and style maps are read off: F16, F32 and F64, [N, C, 16, 16] and so on at 256 px."""
_SLOPE = 0.2


class LatentToCode(MapToCode):
    """A pSp block, which reads a W code off a latent map, and a linear layer to an S code.

    The linear layer stands where StyleGAN2 has the modulation.

    Args:
        spatial: side of the latent map in pixels.
        inputs: channels of the latent map.
        width: channels of the convolutions, and length of the W code.
        code: C, length of the S code.
        residual: whether the S code is a difference, which begins as zero.
    """

    def __init__(self, spatial: int, inputs: int, width: int, code: int, residual: bool) -> None:
        super().__init__(spatial, width, width, inputs)
        self.modulation = nn.Linear(width, code)
        nn.init.constant_(self.modulation.bias, 0.0 if residual else 1.0)
        if residual:
            nn.init.zeros_(self.modulation.weight)

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, spatial, spatial] -> [N, C]."""
        return cast(Tensor, self.modulation(super().forward(x)))


class FacialAttributeEncoder(PspTrunk):
    """Reads latent maps off pictures, and S codes and style maps off those.

    Args:
        stem: as the trunk's.
        body: the trunk's `widths`.
        codes: C of each S code.
        sites: channels of the decoder at each site of style maps.
        options: the choices.
    """

    def __init__(
        self,
        stem: int,
        body: Sequence[int],
        codes: Sequence[int],
        sites: dict[int, int],
        options: MFIMOptions,
    ) -> None:
        super().__init__(stem, body)
        self.side = options.encoder_size
        starts = options.code_latents
        self.origins = [sum(code >= start for start in starts) for code in range(len(codes))]
        """Which of the latent maps each code is read off."""
        self.codes = nn.ModuleList(
            LatentToCode(
                self._sides()[origin], self.width, options.code_width, code, options.residual
            )
            for origin, code in zip(self.origins, codes, strict=True)
        )
        self.resized, self.maps = nn.ModuleDict(), nn.ModuleDict()
        for site, channels in sites.items():
            inputs = self.width
            if site not in self._sides():
                self.resized[str(site)] = _two_convolutions(inputs, channels)
                inputs = channels
            outputs = channels if options.map_channels == "full" else 1
            both = (MapToMap(inputs, outputs) for _ in range(1 if site == 4 else 2))
            self.maps[str(site)] = nn.ModuleList(both)

    def latents(self, images: Tensor) -> Latents:
        """Pictures [N, 3, S, S] RGB -1..1 of any size -> latent maps, the coarsest first."""
        fine, middle, coarse = self(fitted(images, self.side))
        return coarse, middle, fine

    def read_codes(self, latents: Latents, which: Iterable[int]) -> tuple[Tensor, ...]:
        """Read some of the S codes, each [N, C]; no others are computed."""
        return tuple(self.codes[code](latents[self.origins[code]]) for code in which)

    def read_maps(self, latents: Latents) -> Iterator[tuple[int, Tensor]]:
        """Give each style map [N, 1 or C, h, w] with the number of its noise input."""
        for name, both in self.maps.items():
            site = int(name)
            latent = self._latent_for(site, latents)
            for number, to_map in enumerate(cast(nn.ModuleList, both)):
                yield noise_inputs(site)[number], to_map(latent)

    def _sides(self) -> list[int]:
        return [self.side >> halvings for halvings in (4, 3, 2)]

    def _latent_for(self, site: int, latents: Latents) -> Tensor:
        sides = self._sides()
        if site in sides:
            return latents[sides.index(site)]
        nearest = latents[0 if site < sides[0] else -1]
        return cast(Tensor, self.resized[str(site)](fitted(nearest, site)))


class MFIMNetwork(nn.Module):
    """The whole network: `encoder`, `decoder`, W's mean and the options.

    Untrained, with the default options, it turns every face into the decoder's mean face.

    Args:
        decoder: a StyleGAN2.
        options: the choices.
        stem: channels of the encoder's first convolution.
        body: channels of its blocks.

    Raises:
        ValueError: `options` and `decoder` do not fit.
    """

    latent_avg: Tensor

    def __init__(
        self,
        decoder: StyleGAN2Network,
        options: MFIMOptions | None = None,
        stem: int = 64,
        body: Sequence[int] = WIDTHS,
    ) -> None:
        super().__init__()
        self.options = options = options or MFIMOptions()
        channels = [conv.activate.bias.shape[0] for conv in _convolutions(decoder)]
        wrong = [site for site in options.map_sites if site > decoder.size]
        if wrong:
            raise ValueError(f"map_sites names {wrong[0]} px of a decoder of {decoder.size} px.")
        sites = {site: channels[noise_inputs(site)[0]] for site in options.map_sites}
        latent_avg = decoder.input.input.detach().new_zeros(decoder.length)
        with torch.no_grad():
            every = decoder.modulate(latent_avg.expand(1, decoder.layers, -1))
        if not 0 <= options.boundary <= len(every):
            raise ValueError(f"boundary {options.boundary} is beyond the {len(every)} codes.")
        codes = [code.shape[1] for code in every]
        self.encoder = FacialAttributeEncoder(stem, body, codes, sites, options)
        self.decoder = decoder
        self.register_buffer("latent_avg", latent_avg)
        self.recorded = options.record()

    @property
    def identity(self) -> range:
        """Which of the codes come from the source."""
        return range(self.options.boundary, len(self.encoder.codes))

    def mean(self) -> tuple[Tensor, ...]:
        """Give the codes of the mean face, each [1, C]."""
        return self.decoder.modulate(self.latent_avg.expand(1, self.decoder.layers, -1))

    def codes(self, latents: Latents, which: Iterable[int]) -> tuple[Tensor, ...]:
        """Some of the codes of N faces, each [N, C], from `encoder.latents`."""
        which = list(which)
        found = self.encoder.read_codes(latents, which)
        if not self.options.residual:
            return found
        mean = self.mean()
        return tuple(mean[code] + delta for code, delta in zip(which, found, strict=True))

    def maps(self, latents: Latents) -> tuple[Tensor | None, ...]:
        """Style maps of N faces for each of the decoder's noise inputs; None for most."""
        convolutions = _convolutions(self.decoder)
        maps: list[Tensor | None] = [None] * len(convolutions)
        for place, style_map in self.encoder.read_maps(latents):
            gain = convolutions[place].noise.weight
            maps[place] = style_map * gain if self.options.map_gain == "noise" else style_map
        return tuple(maps)

    def forward(self, target: Tensor, source: Tensor) -> Tensor:
        """Pictures [N, 3, S, S] RGB -1..1 of any size -> swapped ones of the decoder's size."""
        seen = self.encoder.latents(target)
        codes = self.codes(seen, range(self.options.boundary))
        codes += self.codes(self.encoder.latents(source), self.identity)
        picture, _ = self.decoder.synthesize(codes, self.maps(seen))
        return picture

    def trained(self) -> Iterator[nn.Parameter]:
        """What training changes: the encoder, strengths that maps use, or all of the decoder."""
        yield from self.encoder.parameters()
        if self.options.train_generator:
            yield from self.decoder.parameters()
        elif self.options.map_gain == "noise":
            convolutions = _convolutions(self.decoder)
            for site in self.options.map_sites:
                yield from (convolutions[place].noise.weight for place in noise_inputs(site))


def noise_inputs(site: int) -> tuple[int, ...]:
    """Numbers of the noise inputs at a side of `site` px: one at 4 px, then two each."""
    last = 2 * site.bit_length() - 6
    return (last - 1, last) if last else (0,)


def _convolutions(decoder: StyleGAN2Network) -> list[StyledConv]:
    return cast(list[StyledConv], [decoder.conv1, *decoder.convs])


def _two_convolutions(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1),
        nn.LeakyReLU(_SLOPE),
        nn.Conv2d(outputs, outputs, 3, padding=1),
        nn.LeakyReLU(_SLOPE),
    )
