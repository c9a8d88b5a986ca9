"""RAFSwap: recognising its weights and building its model."""

from __future__ import annotations

from ..architecture import Architecture
from ..psp.trunk import sizes_of
from ..stylegan2.sizes import generator_sizes
from ..weights import CheckpointError, StateDict, fill, matches
from .adapter import RAFSwap
from .encoder import EncoderSizes
from .network import RAFSwapNetwork

_BLOCK = "encoder.trans."
_HIDDEN = f"{_BLOCK}0.mlp.fc1.weight"
_SMALLEST = 32
"""Side of the pictures that a generator must make for the mask predictor to have any maps."""
_PATTERN = {
    "encoder.input_layer.0.weight": (None, 3, 3, 3),
    "encoder.body.0.res_layer.1.weight": (None, None, 3, 3),
    "encoder.styles.0.linear.weight": (None, None),
    "encoder.token.0.fc.0.weight": (None, None),
    _HIDDEN: (None, None),
    "decoder.input.input": (1, None, 4, 4),
    "mask.to_mask.0.0.weight": (None, None, 3, 3),
    "mask.convs.0.0.weight": (None, None, 3, 3),
}


def detect(state: StateDict) -> bool:
    """Tell whether weights are RAFSwap's, of any widths."""
    return matches(state, _PATTERN)


def load(state: StateDict) -> RAFSwap:
    """Build RAFSwap with the widths, the depths and the options that the weights have.

    Raises:
        CheckpointError: tensors lack or differ, or the mean face's codes are missing.
    """
    if "latent_avg" not in state:
        raise CheckpointError(
            "RAFSwap's weights come without 'latent_avg', the mean face that its codes start from; "
            "use the published file whole ('state_dict', 'opts' and 'latent_avg'), or keep "
            "latent_avg [18, 512] beside the other tensors when you convert it."
        )
    size, channels, mapping = generator_sizes(state, "decoder.")
    if size < _SMALLEST:
        raise CheckpointError(
            f"RAFSwap's generator must make pictures of {_SMALLEST} px or more, this one is of "
            f"{size} px."
        )
    sizes = EncoderSizes(
        *sizes_of(state, "encoder."),
        layers=2 * len(channels),
        hidden=state[_HIDDEN].shape[0],
        depth=sum(key.startswith(_BLOCK) and key.endswith(".norm1.bias") for key in state),
        style=state["encoder.styles.0.linear.weight"].shape[0],
        sfa_mlp="encoder.glb.0.weight" in state,
    )
    mask = (state["mask.convs.0.0.weight"].shape[0], state["mask.to_mask.0.0.weight"].shape[0])
    return RAFSwap(fill(lambda: RAFSwapNetwork(sizes, size, channels, mapping, mask), state))


ARCHITECTURE = Architecture(
    name=RAFSwap.name,
    role=RAFSwap.role,
    usual_files=("iteration_200.pt",),
    detect=detect,
    load=load,
)
