"""StyleGAN2's synthesis against the grouped-convolution form, and the memory that it takes."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from ..models.stylegan2.network import StyleGAN2Network
from .timing import finished, median_ms, use_threads

SIZE = 1024
WIDTHS = (512, 512, 512, 512, 512, 256, 128, 64, 32)
BATCHES = (1, 3)
ROUNDS, WARM_UP = 3, 1
MEBIBYTE = 2**20


def main() -> None:
    """Print times, their ratio, the difference, and the peak of memory over what is needed."""
    use_threads()
    torch.manual_seed(0)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = StyleGAN2Network(SIZE, WIDTHS).eval().requires_grad_(False).to(device)
    if device.type == "cuda":
        print(f"StyleGAN2's synthesis, {SIZE}x{SIZE}, {torch.cuda.get_device_name()}")
        for batch in (*BATCHES, 8):
            compare(network, batch)
            with torch.autocast("cuda"):
                compare(network, batch)
    else:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            print(f"StyleGAN2's synthesis, {SIZE}x{SIZE}, float32, {threads} CPU threads")
            for batch in BATCHES:
                compare(network, batch)
    memory(network)


def compare(network: StyleGAN2Network, batch: int) -> None:
    """Time both forms on the same codes."""
    device = network.input.input.device
    latent = torch.randn(batch, network.layers, network.length, device=device)
    codes, maps = network.modulate(latent), network.noise_maps()
    wanted, found = literal(network, codes, maps), network.synthesize(codes, maps)[0]
    difference = float((found - wanted).abs().max() / wanted.std())
    ours, theirs = median_ms(
        finished(lambda: network.synthesize(codes, maps)),
        finished(lambda: literal(network, codes, maps)),
        rounds=ROUNDS,
        warm_up=WARM_UP,
    )
    precision = "half  " if torch.is_autocast_enabled(device.type) else "float32"
    print(
        f"  batch {batch} {precision} faceloom {ours:7.0f} ms   grouped {theirs:7.0f} ms   "
        f"ratio {theirs / ours:.2f}x   difference {difference:.0e} of the deviation"
    )


def memory(network: StyleGAN2Network) -> None:
    """Print the peak of both forms on one picture, over the least that its activations need."""
    latent = torch.randn(1, network.layers, network.length, device=network.input.input.device)
    codes, maps = network.modulate(latent), network.noise_maps()
    runs = {
        "faceloom": lambda: network.synthesize(codes, maps),
        "grouped": lambda: literal(network, codes, maps),
    }
    least = least_bytes(network)
    for name, run in runs.items():
        peak = peak_bytes(run)
        print(
            f"  peak of the tensors of one picture, {name:8} {peak / MEBIBYTE:6.0f} MiB   "
            f"{peak / least:.2f}x of the {least / MEBIBYTE:.0f} MiB that its activations need"
        )


def least_bytes(network: StyleGAN2Network) -> int:
    """What one picture needs at least in float32, weights and noise aside.

    A step must hold what it reads and what it writes. The largest one is the last blur, which
    reads the output of a transposed convolution, [C, 1025, 1025], and writes [C, 1024, 1024],
    while the picture so far, [3, 512, 512], waits.
    """
    size, channels = (
        network.size,
        network.get_parameter(f"convs.{network.layers - 4}.activate.bias"),
    )
    numbers = len(channels) * ((size + 1) ** 2 + size**2) + 3 * (size // 2) ** 2
    return 4 * numbers


def peak_bytes(run: Callable[[], object]) -> int:
    """The most that tensors made in `run` take together; torch's own scratch is not seen."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        return int(torch.cuda.max_memory_allocated() - before)
    watch = Watch()
    with watch:
        run()
    return watch.peak


class Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the storages that operations make, until they are freed."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.sizes: dict[int, int] = {}
        self.peak = 0

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run an operation, and note new storages among its results."""
        known = {tensor.untyped_storage()._cdata for tensor in args if isinstance(tensor, Tensor)}
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(tensor, Tensor):
                storage = tensor.untyped_storage()
                if storage._cdata not in known | self.sizes.keys():
                    self.sizes[storage._cdata] = storage.nbytes()
                    weakref.finalize(storage, self.sizes.pop, storage._cdata)
        self.peak = max(self.peak, sum(self.sizes.values()))
        return result


def literal(network: StyleGAN2Network, codes: Sequence[Tensor], maps: Sequence[Tensor]) -> Tensor:
    """Run StyleGAN2 as its torch port does without a compiler: kernels for each sample, grouped.

    Args:
        network: holds the weights.
        codes: S codes of N pictures.
        maps: noise for each convolution.

    Returns:
        [N, 3, size, size] RGB -1..1.
    """
    weights: dict[str, Tensor] = network.state_dict()
    code, noise = iter(codes), iter(maps)
    x = weights["input.input"].repeat(len(codes[0]), 1, 1, 1)
    x = literal_layer(weights, "conv1.", x, next(code), next(noise))
    picture = literal_conv(weights, "to_rgb1.conv.", x, next(code), demodulate=False)
    picture = picture + weights["to_rgb1.bias"]
    for level in range(network.layers // 2 - 1):
        for number in (2 * level, 2 * level + 1):
            x = literal_layer(weights, f"convs.{number}.", x, next(code), next(noise))
        rgb = f"to_rgbs.{level}."
        y = literal_conv(weights, f"{rgb}conv.", x, next(code), demodulate=False)
        kernel = weights[f"{rgb}upsample.kernel"]
        picture = y + weights[f"{rgb}bias"] + upfirdn(picture, kernel, up=2, pads=(2, 1))
    return picture


def literal_layer(
    weights: dict[str, Tensor], name: str, x: Tensor, code: Tensor, noise: Tensor
) -> Tensor:
    """Run a styled convolution of `literal`."""
    x = literal_conv(weights, f"{name}conv.", x, code) + noise
    bias = weights[f"{name}activate.bias"][:, None, None]
    return F.leaky_relu(x + bias, 0.2) * math.sqrt(2)


def literal_conv(
    weights: dict[str, Tensor], name: str, x: Tensor, code: Tensor, demodulate: bool = True
) -> Tensor:
    """Run a modulated convolution of `literal`."""
    weight, count = weights[f"{name}weight"], len(code)
    _, outputs, inputs, side, _ = weight.shape
    kernels = weight / math.sqrt(inputs * side**2) * code[:, None, :, None, None]
    if demodulate:
        power = kernels.square().sum((2, 3, 4))
        kernels = kernels * torch.rsqrt(power + 1e-8)[..., None, None, None]
    x = x.reshape(1, count * inputs, *x.shape[2:])
    if f"{name}blur.kernel" not in weights:
        kernels = kernels.reshape(count * outputs, inputs, side, side)
        y = F.conv2d(x, kernels, padding=side // 2, groups=count)
        return y.reshape(count, outputs, *y.shape[2:])
    kernels = kernels.transpose(1, 2).reshape(count * inputs, outputs, side, side)
    y = F.conv_transpose2d(x, kernels, stride=2, groups=count)
    y = y.reshape(count, outputs, *y.shape[2:])
    return upfirdn(y, weights[f"{name}blur.kernel"], up=1, pads=(1, 1))


def upfirdn(x: Tensor, kernel: Tensor, up: int, pads: tuple[int, int]) -> Tensor:
    """Insert zeros, pad, and filter each channel by itself."""
    count, channels, height, width = x.shape
    if up > 1:
        spread = x.new_zeros(count, channels, height, up, width, up)
        spread[:, :, :, 0, :, 0] = x
        x = spread
    x = x.reshape(count * channels, 1, height * up, width * up)
    y = F.conv2d(F.pad(x, (*pads, *pads)), kernel.flip(0, 1)[None, None])
    return y.reshape(count, channels, *y.shape[2:])


if __name__ == "__main__":
    main()
