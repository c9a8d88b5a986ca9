"""MFIM: recognising its weights and building its model."""

from __future__ import annotations

from ..architecture import Architecture
from ..psp import sizes_of
from ..stylegan2.network import StyleGAN2Network
from ..stylegan2.sizes import generator_sizes
from ..weights import CheckpointError, StateDict, fill, matches
from .adapter import MFIM
from .network import MFIMNetwork
from .options import options_of

_PATTERN = {
    "encoder.input_layer.0.weight": (None, 3, 3, 3),
    "encoder.codes.0.convs.0.weight": (None, None, 3, 3),
    "encoder.codes.0.modulation.weight": (None, None),
    "decoder.input.input": (1, None, 4, 4),
    "latent_avg": (None,),
}


def detect(state: StateDict) -> bool:
    """Tell whether weights are an MFIM's, of any options and sizes."""
    return matches(state, _PATTERN)


def load(state: StateDict) -> MFIM:
    """Build MFIM with the options and sizes that the weights have.

    Raises:
        CheckpointError: tensors lack or differ, or the options do not fit each other.
    """
    options, body = options_of(state), sizes_of(state, "encoder.")
    size, widths, mapping = generator_sizes(state, "decoder.")
    length = state["latent_avg"].shape[0]

    def build() -> MFIMNetwork:
        try:
            return MFIMNetwork(StyleGAN2Network(size, widths, length, mapping), options, *body)
        except ValueError as error:
            raise CheckpointError(f"the parts of this MFIM do not fit: {error}") from error

    return MFIM(fill(build, state))


ARCHITECTURE = Architecture(
    name=MFIM.name,
    role=MFIM.role,
    usual_files=(),
    detect=detect,
    load=load,
)
