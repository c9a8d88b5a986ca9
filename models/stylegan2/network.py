"""StyleGAN2's mapping and synthesis networks, driven from z, W, W+ or S codes.

Karras et al., arXiv:1912.04958; S-space after Wu et al.: "StyleSpace analysis", arXiv:2011.12799.
Key names are those of rosinality/stylegan2-pytorch.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from .layers import EqualLinear, ModulatedConv, PixelNorm, StyledConv, ToRGB, fast_layout

_MAPPING_RATE = 0.01


class Constant(nn.Module):
    """What every picture begins with."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.input = nn.Parameter(torch.randn(1, channels, 4, 4))


class StyleGAN2Network(nn.Module):
    """The whole generator, under the published key names.

    Codes go z -> W -> W+ -> S -> picture. There are three S codes a resolution (its two
    convolutions, then RGB), two at 4 px; 26 with 9,088 channels in all at 1024 px.

    Args:
        size: side of the pictures, 8 or a higher power of two.
        widths: channels at 4, 8, ... `size` px.
        style: length of z and of W codes.
        mapping: layers from z to W.
    """

    def __init__(
        self, size: int, widths: Sequence[int], style: int = 512, mapping: int = 8
    ) -> None:
        super().__init__()
        levels = len(widths)
        if levels < 2 or size != 4 * 2 ** (levels - 1):
            raise ValueError(f"{levels} widths do not make pictures of {size} px.")
        self.size, self.length, self.layers = size, style, 2 * levels
        maps = (EqualLinear(style, style, 0, _MAPPING_RATE, True) for _ in range(mapping))
        self.style = nn.Sequential(PixelNorm(), *maps)
        self.input = Constant(widths[0])
        self.conv1 = StyledConv(widths[0], widths[0], style)
        self.to_rgb1 = ToRGB(widths[0], style, up=False)
        self.convs, self.to_rgbs = nn.ModuleList(), nn.ModuleList()
        for inputs, outputs in pairwise(widths):
            self.convs.append(StyledConv(inputs, outputs, style, up=True))
            self.convs.append(StyledConv(outputs, outputs, style))
            self.to_rgbs.append(ToRGB(outputs, style))
        self.noises = nn.Module()
        for site in range(2 * levels - 1):
            side = 4 << (site + 1) // 2
            self.noises.register_buffer(f"noise_{site}", torch.randn(1, 1, side, side))

    def map(self, z: Tensor) -> Tensor:
        """Turn random numbers z [N, style] into W codes [N, style]."""
        w: Tensor = self.style(z)
        return w

    def modulate(self, latent: Tensor) -> tuple[Tensor, ...]:
        """Turn W+ codes [N, layers, style] into S codes, each [N, C] of its layer's width.

        Raises:
            ValueError: `latent` has another shape.
        """
        if latent.ndim != 3 or latent.shape[1:] != (self.layers, self.length):
            raise ValueError(
                f"StyleGAN2 of {self.size} px takes W+ codes [N, {self.layers}, {self.length}], "
                f"got {list(latent.shape)}; take codes made for this resolution."
            )
        # RGB shares its W+ code with the next resolution's first convolution.
        places = (place - (place + 1) // 3 for place in range(len(self._modulated())))
        return tuple(
            layer.modulation(latent[:, place])
            for layer, place in zip(self._modulated(), places, strict=True)
        )

    def noise_maps(self) -> tuple[Tensor, ...]:
        """The stored noise of each convolution times its strength, each [1, 1, h, w]."""
        return tuple(
            self.noises.get_buffer(f"noise_{site}") * conv.noise.weight
            for site, conv in enumerate(self._convs())
        )

    def synthesize(
        self,
        codes: Sequence[Tensor],
        maps: Sequence[Tensor | None] = (),
        keep: Container[int] = (),
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Turn S codes into pictures.

        Args:
            codes: of N pictures, as `modulate` gives them.
            maps: for each convolution what is added where StyleGAN2 adds noise, [N or 1, 1 or C,
                h, w], already scaled, or None; `noise_maps` gives those of the file. Without any
                nothing is added.
            keep: which feature maps to give besides: 0 is the constant, 1 the output of the
                convolution at 4 px, then there are two a resolution. They need much memory.

        Returns:
            [N, 3, size, size] RGB -1..1, which may go a little beyond; and the kept maps
            [N, C, h, w] in their order.

        Raises:
            ValueError: codes or maps of the wrong count or width.
        """
        self._check(codes, maps)
        count, added = len(codes[0]), maps or (None,) * (self.layers - 1)
        if count < 2 or self.input.input.device.type != "cpu":
            return self._at_once(codes, added, keep)
        # A CPU is no slower with one picture at a time, and needs memory for only one.
        singles = (
            self._at_once([code[n : n + 1] for code in codes], _maps_of(added, n), keep)
            for n in range(count)
        )
        pictures, kept = zip(*singles, strict=True)
        return torch.cat(pictures), tuple(map(torch.cat, zip(*kept, strict=True)))

    def _at_once(
        self, codes: Sequence[Tensor], added: Sequence[Tensor | None], keep: Container[int]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        # Every third code is RGB's.
        coded = [code for place, code in enumerate(codes) if place % 3 != 1]
        layout = fast_layout(self.input.input.device)
        x = self.input.input.repeat(len(codes[0]), 1, 1, 1).contiguous(memory_format=layout)
        kept, picture = [x] if 0 in keep else [], None
        for site, conv in enumerate(self._convs()):
            x = conv.convolve(x, coded[site])
            x = conv.finish(x, added[site])
            if site + 1 in keep:
                kept.append(x)
            if site % 2 == 0:
                level = site // 2
                picture = self._rgbs()[level](x, codes[3 * level + 1], picture)
        return cast(Tensor, picture), tuple(kept)

    def _convs(self) -> list[StyledConv]:
        return [self.conv1, *cast(Iterable[StyledConv], self.convs)]

    def _rgbs(self) -> list[ToRGB]:
        return [self.to_rgb1, *cast(Iterable[ToRGB], self.to_rgbs)]

    def _modulated(self) -> list[ModulatedConv]:
        """Every modulated convolution, in the order of S-space."""
        convs, rgbs = self._convs(), self._rgbs()
        layers = [convs[0].conv, rgbs[0].conv]
        for level in range(1, len(rgbs)):
            layers += [convs[2 * level - 1].conv, convs[2 * level].conv, rgbs[level].conv]
        return layers

    def _check(self, codes: Sequence[Tensor], maps: Sequence[Tensor | None]) -> None:
        modulated, count = self._modulated(), len(codes[0]) if codes else 0
        wanted = [layer.weight.shape[2] for layer in modulated]
        found = [code.shape[-1] if code.ndim == 2 else -1 for code in codes]
        if found != wanted or any(len(code) != count for code in codes):
            raise ValueError(
                f"StyleGAN2 of {self.size} px takes {len(wanted)} S codes [N, C] of widths "
                f"{wanted}, got {len(codes)} of {[list(code.shape) for code in codes]}; "
                "take codes that were made for this resolution."
            )
        if maps and len(maps) != self.layers - 1:
            raise ValueError(
                f"StyleGAN2 of {self.size} px adds a map or None in {self.layers - 1} layers, "
                f"got {len(maps)}."
            )
        for site, (conv, added) in enumerate(zip(self._convs(), maps, strict=False)):
            channels, side = conv.conv.weight.shape[1], 4 << (site + 1) // 2
            shape = (count, channels, side, side)
            if added is not None and not _broadcasts(added, shape):
                raise ValueError(
                    f"Map {site} of StyleGAN2 must be [N or 1, 1 or {channels}, {side}, {side}] "
                    f"for {count} faces, got {list(added.shape)}."
                )


def _broadcasts(added: Tensor, shape: tuple[int, int, int, int]) -> bool:
    if added.ndim != 4 or added.shape[2:] != shape[2:]:
        return False
    return added.shape[0] in (1, shape[0]) and added.shape[1] in (1, shape[1])


def _maps_of(added: Sequence[Tensor | None], n: int) -> list[Tensor | None]:
    """Give the maps of picture n, its own or those of all."""
    return [each if each is None or len(each) == 1 else each[n : n + 1] for each in added]
