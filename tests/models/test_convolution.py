from __future__ import annotations

import pytest
import torch
from torch import nn

from faceloom.models.convolution import SMALL, convolve


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("size", [(4, 3), (SMALL, 5), (SMALL + 1, 4)])
@pytest.mark.parametrize("kernel", [(1, 1, 0), (3, 1, 1), (4, 2, 1), (3, 2, 0)])
def test_products_are_convolutions(kernel, size, bias):
    side, stride, padding = kernel
    torch.manual_seed(0)
    convolution = nn.Conv2d(3, 5, side, stride, padding, bias=bias)
    x = torch.randn(2, 3, *size, requires_grad=True)
    found, wanted = convolve(convolution, x), convolution(x)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
    (gradient,) = torch.autograd.grad(found.square().sum(), x)
    torch.testing.assert_close(
        gradient, torch.autograd.grad(wanted.square().sum(), x)[0], atol=1e-4, rtol=1e-4
    )


def test_no_pictures():
    convolution = nn.Conv2d(3, 5, 3, padding=1)
    assert convolve(convolution, torch.zeros(0, 3, 4, 4)).shape == (0, 5, 4, 4)
