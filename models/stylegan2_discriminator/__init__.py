"""StyleGAN2's discriminator: recognising its weights and building its model."""

from __future__ import annotations

from ..architecture import Architecture
from ..weights import StateDict, fill, matches
from .adapter import StyleGAN2Discriminator
from .network import StyleGAN2DiscriminatorNetwork

_FIRST = "convs.0.0.weight"
_PATTERN = {
    _FIRST: (None, 3, 1, 1),
    "convs.1.conv2.1.weight": (None, None, 3, 3),
    "final_conv.0.weight": (None, None, 3, 3),
    "final_linear.1.weight": (1, None),
}


def detect(state: StateDict) -> bool:
    """Tell whether weights are a StyleGAN2 discriminator's, of any size and width."""
    return matches(state, _PATTERN)


def load(state: StateDict) -> StyleGAN2Discriminator:
    """Build the discriminator of the size and widths that the weights have."""
    widths = [state[_FIRST].shape[0]]
    while (key := f"convs.{len(widths)}.conv2.1.weight") in state:
        widths.append(state[key].shape[0])
    return StyleGAN2Discriminator(fill(lambda: StyleGAN2DiscriminatorNetwork(widths), state))


ARCHITECTURE = Architecture(
    name=StyleGAN2Discriminator.name,
    role=StyleGAN2Discriminator.role,
    usual_files=(),
    detect=detect,
    load=load,
)
"""StyleGAN2's discriminator, in the format of rosinality/stylegan2-pytorch."""
