"""Multi-scale patch discriminator: recognising its weights and building its model."""

from __future__ import annotations

from ..architecture import Architecture
from ..weights import StateDict, fill, matches
from .adapter import PatchDiscriminator
from .network import PatchDiscriminatorNetwork

_PATTERN = {
    "layer0.0.weight": (None, 3, 4, 4),
    "layer0.0.bias": (None,),
    "layer0.2.weight": (None, None, 4, 4),
    "layer0.5.weight": (None, None, 4, 4),
}

_FSGAN_SCALES = 2


def detect(state: StateDict) -> bool:
    """Tell whether weights are a patch discriminator's, of any scales, depth and width."""
    return matches(state, _PATTERN) and all(key.startswith("layer") for key in state)


def load(state: StateDict) -> PatchDiscriminator:
    """Build a discriminator of the scales, depth, width and normalisation of the weights."""
    scales = len({key.split(".")[0] for key in state})
    # Between convolutions, after the first one, lie a normalisation and an activation.
    numbered = (f"layer0.{number}.weight" for number in (0, *range(2, len(state) + 3, 3)))
    widths = [state[key].shape[0] for key in numbered if key in state][:-1]
    batch_norm = "layer0.3.running_mean" in state
    # A sigmoid leaves no trace, but FSGAN alone has one, and it alone has two scales.
    sigmoid = batch_norm and scales == _FSGAN_SCALES
    return PatchDiscriminator(
        fill(lambda: PatchDiscriminatorNetwork(scales, widths, batch_norm, sigmoid), state)
    )


ARCHITECTURE = Architecture(
    name=PatchDiscriminator.name,
    role=PatchDiscriminator.role,
    usual_files=("D_unet_2blocks.pth", "D_unet_1block.pth", "D_unet_3blocks.pth"),
    detect=detect,
    load=load,
)
"""The multi-scale patch discriminator of GHOST, FaceShifter and FSGAN."""
