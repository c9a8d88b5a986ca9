"""AEI-Net against its published layer list run as it stands, and two decodes of one encoding."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..models.aei import AEINet
from ..models.ghost.network import GHOSTNetwork
from .timing import THREADS, finished, median_ms, use_threads

BATCHES = (1, 8)
ROUNDS, WARM_UP = 3, 1
SLOPE = 0.1

Runs = dict[str, Callable[[], object]]


def main() -> None:
    """Print times, ratios and differences; on a CUDA device those of its own ways besides."""
    use_threads()
    torch.manual_seed(0)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = GHOSTNetwork().eval().requires_grad_(False).to(device)
    name = torch.cuda.get_device_name() if device.type == "cuda" else f"{THREADS} CPU threads"
    for batch in BATCHES:
        target = torch.rand(batch, 3, network.size, network.size, device=device) * 2 - 1
        embedding = torch.randn(batch, network.length, device=device)
        print(f"AEI-Net (GHOST, 2 steps), batch {batch}, float32, {name}")
        _compare(forward_runs(network, target, embedding))
        (ours, _), (theirs, _) = network(target, embedding), literal(network, target, embedding)
        print(f"    they differ by {(ours - theirs).abs().max():.1e} at most")
        _compare(decode_runs(network, target, embedding))
        if device.type == "cuda":
            _compare(cuda_runs(network, target, embedding))


def _compare(runs: Runs) -> None:
    times = median_ms(*map(finished, runs.values()), rounds=ROUNDS, warm_up=WARM_UP)
    for name, time in zip(runs, times, strict=True):
        print(f"  {name:26} {time:9.1f} ms   ratio {times[0] / time:.2f}x")


def forward_runs(network: AEINet, target: Tensor, embedding: Tensor) -> Runs:
    """One identity for each face."""
    return {
        "layer list": lambda: literal(network, target, embedding),
        "faceloom": lambda: network(target, embedding),
    }


def decode_runs(network: AEINet, target: Tensor, embedding: Tensor) -> Runs:
    """Two identities for each face, as the heuristic error needs them."""
    both = embedding.repeat_interleave(2, 0)
    return {
        "two passes": lambda: (network(target, embedding), network(target, embedding)),
        "two decodes of one encoding": lambda: network.generate(network.attributes(target), both),
        "an encoding alone": lambda: network.attributes(target),
    }


def cuda_runs(network: AEINet, target: Tensor, embedding: Tensor) -> Runs:
    """Half precision, channels last, and compiled: what a GPU may gain."""
    last = copy.deepcopy(network).to(memory_format=torch.channels_last)
    target_last = target.contiguous(memory_format=torch.channels_last)
    compiled = torch.compile(network)
    runs: Runs = {
        "as it is": lambda: network(target, embedding),
        "channels last": lambda: last(target_last, embedding),
        "compiled": lambda: compiled(target, embedding),
    }
    return runs | {f"{name}, half": _half(run) for name, run in runs.items()}


def _half(run: Callable[[], object]) -> Callable[[], object]:
    def go() -> None:
        with torch.autocast("cuda"):
            run()

    return go


def literal(network: AEINet, target: Tensor, embedding: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Run GHOST with a U-Net layer by layer, as its authors list the layers.

    Args:
        network: a `GHOSTNetwork`, which holds the weights.
        target: [N, 3, S, S] in -1..1.
        embedding: [N, D].

    Returns:
        [N, 3, S, S] in -1..1, and the attribute maps.
    """
    maps = literal_maps(network.get_submodule("encoder"), target)
    h = network.get_submodule("generator.up1")(embedding.reshape(len(embedding), -1, 1, 1))
    for number, attribute in enumerate(maps, 1):
        if number > 1:
            h = F.interpolate(h, scale_factor=2, mode="bilinear", align_corners=True)
        parts = dict(network.get_submodule(f"generator.AADBlk{number}").named_modules())
        x, step = h, 0
        while f"add_blocks.{3 * step}" in parts:
            x = literal_layer(parts[f"add_blocks.{3 * step}"], x, attribute, embedding)
            x = parts[f"add_blocks.{3 * step + 2}"](F.relu_(x))
            step += 1
        if "last_add_block" in parts:
            h = literal_layer(parts["last_add_block.0"], h, attribute, embedding)
            h = parts["last_add_block.2"](F.relu_(h))
        h = x + h
    return torch.tanh(h), maps


def literal_maps(encoder: nn.Module, target: Tensor) -> list[Tensor]:
    """Run the encoder of `literal`."""
    parts = dict(encoder.named_children())
    levels = len(parts) // 2 + 1
    features = [target]
    for level in range(1, levels + 1):
        features.append(F.leaky_relu_(parts[f"conv{level}"](features[-1]), SLOPE))
    maps = [features.pop()]
    for level in range(1, levels):
        x = encoder.get_submodule(f"deconv{level}.deconv")(maps[-1])
        x = F.leaky_relu_(encoder.get_submodule(f"deconv{level}.bn")(x), SLOPE)
        maps.append(torch.cat((x, features.pop()), 1))
    maps.append(F.interpolate(maps[-1], scale_factor=2, mode="bilinear", align_corners=True))
    return maps


def literal_layer(layer: nn.Module, h: Tensor, attribute: Tensor, embedding: Tensor) -> Tensor:
    """Run an AAD layer of `literal`, as the paper writes it."""
    parts = dict(layer.named_children())
    h = F.instance_norm(h)
    gamma, beta = parts["conv1"](attribute), parts["conv2"](attribute)
    blended = gamma * h + beta
    gamma, beta = (
        parts[name](embedding).reshape(*h.shape[:2], 1, 1).expand_as(h) for name in ("fc1", "fc2")
    )
    replaced = gamma * h + beta
    mask = torch.sigmoid(parts["conv_h"](h))
    return cast(Tensor, (torch.ones_like(mask) - mask) * blended + mask * replaced)


if __name__ == "__main__":
    main()
