"""StyleGAN2: recognising its weights and building its model."""

from __future__ import annotations

import torch
from torch import Tensor

from ..architecture import Architecture
from ..weights import CheckpointError, StateDict, fill, matches
from .adapter import StyleGAN2
from .network import StyleGAN2Network
from .sizes import generator_sizes

MEAN = "latent_avg"
"""The key of the mean W code, which files hold beside the generator's weights."""

_PATTERN = {
    "style.1.weight": (None, None),
    "input.input": (1, None, 4, 4),
    "conv1.conv.weight": (1, None, None, 3, 3),
    "conv1.conv.modulation.weight": (None, None),
    "to_rgb1.conv.weight": (1, 3, None, 1, 1),
}
_SAMPLES = 4096


def detect(state: StateDict) -> bool:
    """Tell whether weights are a StyleGAN2 generator's, of any size and width."""
    return matches(state, _PATTERN)


def load(state: StateDict) -> StyleGAN2:
    """Build the generator that the weights have; without its mean code, that is measured."""
    size, widths, mapping = generator_sizes(state)
    if len(widths) < 2:
        raise CheckpointError("the tensors do not fit the network; missing: to_rgbs.0.conv.weight.")
    style = state["style.1.weight"].shape[1]
    weights = {key: value for key, value in state.items() if key != MEAN}
    network = fill(lambda: StyleGAN2Network(size, widths, style, mapping), weights)
    if MEAN not in state:
        return StyleGAN2(network, measure_mean(network))
    mean = state[MEAN].detach().float().reshape(-1).clone()
    if len(mean) != style:
        found = list(state[MEAN].shape)
        raise CheckpointError(f"{MEAN} is {found}, wanted the mean code, [{style}].")
    return StyleGAN2(network, mean)


def measure_mean(network: StyleGAN2Network) -> Tensor:
    """Average W codes over random numbers, always the same ones: [style]."""
    generator = torch.Generator().manual_seed(0)
    return network.map(torch.randn(_SAMPLES, network.length, generator=generator)).mean(0)


ARCHITECTURE = Architecture(
    name=StyleGAN2.name,
    role=StyleGAN2.role,
    usual_files=("stylegan2-ffhq-config-f.pt", "550000.pt"),
    detect=detect,
    load=load,
)
"""StyleGAN2's generator, in the format of rosinality/stylegan2-pytorch."""
