"""StyleGAN2: recognising its weights and building its model."""

from __future__ import annotations

import torch
from torch import Tensor

from ..architecture import Architecture
from ..weights import CheckpointError, StateDict, fill, matches
from .adapter import StyleGAN2
from .network import StyleGAN2Network

MEAN = "latent_avg"
"""The key of the mean W code, which files hold beside the generator's weights."""

_FIRST = "conv1.conv.weight"
_PATTERN = {
    "style.1.weight": (None, None),
    "input.input": (1, None, 4, 4),
    _FIRST: (1, None, None, 3, 3),
    "conv1.conv.modulation.weight": (None, None),
    "to_rgb1.conv.weight": (1, 3, None, 1, 1),
}
_SAMPLES = 4096


def detect(state: StateDict) -> bool:
    """Tell whether weights are a StyleGAN2 generator's, of any size and width."""
    return matches(state, _PATTERN)


def load(state: StateDict) -> StyleGAN2:
    """Build the generator that the weights have; without its mean code, that is measured."""
    network = load_network({key: value for key, value in state.items() if key != MEAN})
    if MEAN not in state:
        return StyleGAN2(network, measure_mean(network))
    mean = state[MEAN].detach().float().reshape(-1).clone()
    if len(mean) != network.length:
        found = list(state[MEAN].shape)
        raise CheckpointError(f"{MEAN} is {found}, wanted the mean code, [{network.length}].")
    return StyleGAN2(network, mean)


def load_network(state: StateDict) -> StyleGAN2Network:
    """Build the network alone, strictly, every size read from shapes.

    Args:
        state: the generator's own keys; a swapper's file has them under a prefix.

    Raises:
        CheckpointError: keys are missing or unexpected, or shapes differ.
    """
    widths = [state[_FIRST].shape[1]]
    while (key := f"to_rgbs.{len(widths) - 1}.conv.weight") in state:
        widths.append(state[key].shape[2])
    mapping = sum(key.startswith("style.") and key.endswith(".weight") for key in state)
    style, size = state["style.1.weight"].shape[1], 4 << len(widths) - 1
    if len(widths) < 2:
        raise CheckpointError("the tensors do not fit the network; missing: to_rgbs.0.conv.weight.")
    return fill(lambda: StyleGAN2Network(size, widths, style, mapping), state)


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
