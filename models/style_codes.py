"""Style codes: what a StyleGAN2 makes a face of, and mixing, truncating and weighing them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class StyleCodes:
    """The codes of N faces, from coarse to fine."""

    codes: tuple[Tensor, ...]
    """Each [N, C]: W+ codes, one a layer, or S codes, of the layer's own width."""
    maps: tuple[Tensor | None, ...] = ()
    """Each [N, 1 or C, h, w], added where StyleGAN2 adds noise; none leaves a layer without."""


def mix(parts: Sequence[StyleCodes], table: Sequence[int]) -> StyleCodes:
    """Take each code from one of several lists, and the maps from the first.

    Args:
        parts: codes of the same N faces, swapped with several sources.
        table: for each code, which of `parts` it comes from.

    Raises:
        ValueError: `table` has another length than there are codes, or names no part.
    """
    count = len(parts[0].codes)
    if len(table) != count:
        raise ValueError(
            f"The table must name a source for each of {count} codes, got {len(table)}."
        )
    for row in table:
        if not 0 <= row < len(parts):
            raise ValueError(f"The table names source {row} of {len(parts)}.")
    chosen = tuple(parts[row].codes[place] for place, row in enumerate(table))
    return StyleCodes(chosen, parts[0].maps)


def truncate(codes: StyleCodes, mean: Sequence[Tensor], amount: float) -> StyleCodes:
    """Pull codes towards the mean face.

    Args:
        codes: of N faces.
        mean: codes of the mean face, each [1, C].
        amount: 1 keeps the codes, 0 gives the mean (Karras et al., arXiv:1812.04948, appendix B).
    """
    pulled = tuple(
        each if amount == 1 else middle + amount * (each - middle)
        for each, middle in zip(codes.codes, mean, strict=True)
    )
    return StyleCodes(pulled, codes.maps)


def weigh(own: StyleCodes, swapped: StyleCodes, strength: Sequence[float]) -> StyleCodes:
    """Go a part of the way from the target's own codes to the swapped ones.

    Args:
        own: codes of the target swapped onto itself.
        swapped: codes of the same N faces.
        strength: for each code 0, the target's own, to 1, the swapped one.

    Raises:
        ValueError: there are more or fewer numbers than codes.
    """
    if len(strength) != len(swapped.codes):
        raise ValueError(
            f"Wanted one strength, or one for each of {len(swapped.codes)} codes, "
            f"got {len(strength)}."
        )
    between = tuple(
        a + part * (b - a) if part != 1 else b
        for a, b, part in zip(own.codes, swapped.codes, strength, strict=True)
    )
    return StyleCodes(between, swapped.maps)
