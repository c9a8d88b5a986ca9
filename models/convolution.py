"""Convolutions that torch's own code is slow at on a CPU, as matrix products."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

SMALL = 8
"""Side of the largest map whose windows are cheaper to copy than a kernel is to reorder."""


def convolve(convolution: nn.Conv2d, x: Tensor) -> Tensor:
    """Apply a convolution, on a CPU by one matrix product if the kernel is 1x1 or the map small.

    Torch copies maps and kernels into an order of its own and back. For a 1x1 kernel that takes
    longer than the product itself, and so it does for the large kernels of small maps.

    Args:
        convolution: zero-padded if larger than 1x1, neither dilated nor grouped.
        x: [N, inputs, H, W].

    Returns:
        [N, outputs, h, w], what `convolution(x)` gives.
    """
    kernel, stride, pads = convolution.kernel_size, convolution.stride, convolution.padding
    pointwise = kernel == stride == (1, 1)
    if x.device.type != "cpu" or not (pointwise or max(x.shape[2:]) <= SMALL):
        y: Tensor = convolution(x)
        return y
    pad = int(pads[0]), int(pads[1])  # a string would be another mode of padding
    windows = x.flatten(2) if pointwise else F.unfold(x, kernel, padding=pad, stride=stride)
    product = convolution.weight.flatten(1) @ windows
    if convolution.bias is not None:
        product += convolution.bias[:, None]
    height, width = (
        (x.shape[2 + axis] + 2 * pad[axis] - kernel[axis]) // stride[axis] + 1 for axis in (0, 1)
    )
    return product.reshape(len(x), convolution.out_channels, height, width)
