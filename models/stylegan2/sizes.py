"""Reading a generator's sizes from its weights, also where a swapper's file holds them."""

from __future__ import annotations

from ..weights import StateDict


def generator_sizes(state: StateDict, prefix: str = "") -> tuple[int, list[int], int]:
    """Read `size`, `widths` and `mapping` of a `StyleGAN2Network`.

    Args:
        state: weights that hold `input.input` below the prefix.
        prefix: what the generator's keys begin with.

    Returns:
        The arguments. Where a width is missing it is taken for the first one, so that filling the
        network names the tensor.
    """
    rgbs, mapping = f"{prefix}to_rgbs.", f"{prefix}style."
    levels = len({key[len(rgbs) :].split(".")[0] for key in state if key.startswith(rgbs)})
    layers = sum(key.startswith(mapping) and key.endswith(".weight") for key in state)
    first = state[f"{prefix}input.input"].shape[1]
    keys = [f"{prefix}convs.{2 * level + 1}.activate.bias" for level in range(levels)]
    widths = [state[key].shape[0] if key in state else first for key in keys]
    return 4 << levels, [first, *widths], layers
