"""FSGAN's generators against their published layer list, and three views at once or in turn."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..models.fsgan.network import Enhancer, MultiScaleResUNet, ResUNet
from .timing import THREADS, median_ms, use_threads

SIZE = 256
ROUNDS, WARM_UP = 5, 1
NETWORKS = {"Gr": 101, "Gc": 4, "Gb": 7}
"""Channels of the pictures of the second generation's networks."""


def main() -> None:
    """Print the times of both, their ratio and how far the pictures differ."""
    use_threads()
    torch.manual_seed(0)
    print(f"FSGAN's generators, {SIZE}x{SIZE}, float32, {THREADS} threads")
    for name, inputs in NETWORKS.items():
        network = published(inputs)
        x = torch.rand(1, inputs, SIZE, SIZE) * 2 - 1
        with torch.no_grad():
            compare(name, network, x)
            if name == "Gr":
                compare_views(network, x.repeat(3, 1, 1, 1))


def published(inputs: int) -> MultiScaleResUNet:
    """A network of the published size, with random weights and statistics."""
    heads = {"out_conv": 3}
    base = ResUNet(inputs, (256, 512, 1024), (2, 2, 2), heads)
    network = MultiScaleResUNet(base, Enhancer(inputs, 128, 256, 2, heads, first=False))
    for norm in (module for module in network.modules() if isinstance(module, nn.BatchNorm2d)):
        norm.running_mean = torch.randn(norm.num_features) / 10
        norm.running_var = torch.rand(norm.num_features) + 0.5
    return network.eval()


def compare(name: str, network: MultiScaleResUNet, x: Tensor) -> None:
    """Time the network and the layer list on one picture."""
    weights = network.state_dict()
    difference = (network(x) - literal(weights, x)).abs().max()
    ours, theirs = median_ms(
        lambda: network(x), lambda: literal(weights, x), rounds=ROUNDS, warm_up=WARM_UP
    )
    print(f"  {name} faceloom {ours:8.0f} ms   layer list {theirs:8.0f} ms", end="")
    print(f"   ratio {theirs / ours:.2f}x   difference {difference:.1e}")


def compare_views(network: MultiScaleResUNet, x: Tensor) -> None:
    """Time three pictures as one batch, and one after the other."""
    once, turns = median_ms(
        lambda: network(x),
        lambda: [network(view) for view in x[:, None]],
        rounds=ROUNDS,
        warm_up=WARM_UP,
    )
    print(f"  Gr of three views: one batch {once:.0f} ms, in turn {turns:.0f} ms", end="")
    print(f"   ratio {turns / once:.2f}x")


def literal(weights: dict[str, Tensor], x: Tensor) -> Tensor:
    """The layers as YuvalNirkin/fsgan lists them, one after the other, by their key names."""
    half = F.avg_pool2d(x, 3, 2, padding=1, count_include_pad=False)
    y = _conv_block(weights, "base.in_conv.", half, number=1)
    y = _skip(weights, "base.inner.", y)
    z = _conv_block(weights, "enhancer1.in_conv.", x, number=1)
    z = _flat(weights, "enhancer1.", z + _up(weights, "enhancer1.", y))
    return _conv(weights["enhancer1.out_conv.1.weight"], z, stride=1).tanh()


def _skip(weights: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    if f"{name}down_block.model.1.weight" in weights:
        y = _conv_block(weights, f"{name}down_block.model.", x, number=1, stride=2)
        y = _conv_block(weights, f"{name}down_block.model.", y, number=5)
        x = x + _up(weights, name, _skip(weights, f"{name}submodule.", y))
    return _flat(weights, name, x)


def _up(weights: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    return _conv_block(weights, f"{name}up_block.model.", x, number=1)


def _flat(weights: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    for block in (0, 1):
        inner = f"{name}flat_block.model.{block}.model."
        y = _conv_block(weights, inner, x, number=1)
        x = (x + _conv_block(weights, inner, y, number=5, active=False)).relu()
    return x


def _conv_block(
    weights: dict[str, Tensor],
    name: str,
    x: Tensor,
    number: int,
    stride: int = 1,
    active: bool = True,
) -> Tensor:
    x = _conv(weights[f"{name}{number}.weight"], x, stride)
    norm = f"{name}{number + 1}."
    mean, variance = weights[f"{norm}running_mean"], weights[f"{norm}running_var"]
    x = F.batch_norm(x, mean, variance, weights[f"{norm}weight"], weights[f"{norm}bias"])
    return F.relu_(x) if active else x


def _conv(weight: Tensor, x: Tensor, stride: int) -> Tensor:
    border = weight.shape[-1] // 2
    return F.conv2d(F.pad(x, (border,) * 4, "reflect"), weight, stride=stride)


if __name__ == "__main__":
    main()
