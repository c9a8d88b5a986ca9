"""Reading the sizes of FSGAN's generators from their weights, and building them.

Published files are `{"state_dict": ..., "arch": ...}`, where `arch` is a constructor call as text.
The weights tell all that it says, so it is not read, and never evaluated.
"""

from __future__ import annotations

from torch import nn

from ..weights import StateDict, fill, matches
from .network import Enhancer, MultiScaleResUNet, ResUNet

SIZE = 256
"""Side in pixels of the pictures that the whole network was trained on."""

_HEADS = ("out_conv", "out_conv1", "out_conv2")
_ENHANCER = "enhancer1."
_ENHANCER_IN = f"{_ENHANCER}in_conv.1.weight"


def inputs_of(state: StateDict) -> int | None:
    """Say how many channels a generator's pictures have; None if it is no generator of FSGAN."""
    base = _base(state)
    way_in = f"{base}in_conv.1.weight"
    pattern = {
        way_in: (None, None, 7, 7),
        f"{base}in_conv.2.running_mean": (None,),
        f"{base}inner.down_block.model.1.weight": (None, None, 3, 3),
    }
    if not matches(state, pattern) or not heads_of(state):
        return None
    return state[way_in].shape[1]


def heads_of(state: StateDict) -> dict[str, int]:
    """Channels of each output, by the name of its convolution."""
    keys = {head: f"{_base(state)}{head}.1.weight" for head in _HEADS}
    return {head: state[key].shape[0] for head, key in keys.items() if key in state}


def sizes_of(state: StateDict) -> tuple[int, ...]:
    """Give the sides in pixels of the pictures that a generator sees at once, the whole one first.

    A base alone was trained on half the size.
    """
    return (SIZE, SIZE // 2) if _base(state) else (SIZE // 2,)


def build(state: StateDict) -> nn.Module:
    """Build the generator that weights belong to, of either generation.

    Weights of which no key begins with `base` are those of a base, which then is the network.

    Raises:
        CheckpointError: tensors are missing or unexpected, or shapes differ.
    """
    base, heads, inputs = _base(state), heads_of(state), inputs_of(state) or 0
    widths = [state[f"{base}in_conv.1.weight"].shape[0]]
    level = f"{base}inner."
    flats = [_count(state, f"{level}flat_block.model.")]
    while (key := f"{level}down_block.model.1.weight") in state:
        widths.append(state[key].shape[0])
        level += "submodule."
        flats.append(_count(state, f"{level}flat_block.model."))
    if not base:
        return fill(lambda: ResUNet(inputs, widths, flats, heads), state)
    width = state[_ENHANCER_IN].shape[0] if _ENHANCER_IN in state else widths[0] // 2
    blocks = _count(state, f"{_ENHANCER}flat_block.model.")
    first = any(key.startswith(f"{_ENHANCER}down_block.") for key in state)
    return fill(
        lambda: MultiScaleResUNet(
            ResUNet(inputs, widths, flats, heads),
            Enhancer(inputs, width, widths[0], blocks, heads, first),
        ),
        state,
    )


def _base(state: StateDict) -> str:
    return "base." if any(key.startswith("base") for key in state) else ""


def _count(state: StateDict, prefix: str) -> int:
    """How many modules of a sequence hold weights."""
    keys = (key.removeprefix(prefix) for key in state if key.startswith(prefix))
    return len({key.split(".")[0] for key in keys})
