"""LIP-SPADE: GHOST's face super-resolution generator.

An encoder that pools by learned importance, and a decoder that the picture modulates at every
size. SPADE: Park et al., arXiv:1903.07291; pooling: Gao et al., "LIP", arXiv:1908.04156; together:
Yang et al., "HiFaceGAN", arXiv:2005.05005. Layers and key names are those of `LIPSPADEGenerator`
in ai-forever/ghost's `models/networks/generator.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_SLOPE = 0.2


class SpectralConv2d(nn.Module):
    """A convolution whose kernel is divided by its largest singular value.

    Miyato et al., arXiv:1802.05957. The singular vectors come with the weights and stay: while
    training, `torch.nn.utils.spectral_norm` moves them on at every call.
    """

    weight_u: Tensor
    weight_v: Tensor

    def __init__(self, inputs: int, outputs: int, kernel: int, bias: bool = True) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        weight = nn.init.kaiming_uniform_(torch.empty(outputs, inputs, kernel, kernel))
        self.weight_orig = nn.Parameter(weight)
        u = F.normalize(torch.randn(outputs), dim=0)
        self.register_buffer("weight_u", u)
        self.register_buffer("weight_v", F.normalize(u @ weight.flatten(1), dim=0))

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, outputs, H, W]."""
        # Dividing at every call costs 2 % of a forward pass; kept, the quotient would be a second
        # copy of all weights.
        weight = self.weight_orig
        sigma = self.weight_u @ (weight.flatten(1) @ self.weight_v)
        return F.conv2d(x, weight / sigma, self.bias, padding=weight.shape[-1] // 2)


class ImportancePool(nn.Module):
    """Halves the size; how much each pixel counts is learned."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.logit = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.InstanceNorm2d(width, affine=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[N, width, H, W] -> [N, width, H / 2, W / 2]."""
        # Published as exp(12 sigmoid): the shift cancels, and e^12 would overflow half precision.
        importance = (12 * self.logit(x).sigmoid() - 6).exp()
        return F.avg_pool2d(x * importance, 3, 2, 1) / F.avg_pool2d(importance, 3, 2, 1)


class SPADE(nn.Module):
    """Normalises features, and gives each pixel a scale and a shift read from the picture."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.param_free_norm = nn.BatchNorm2d(width, affine=False)
        self.mlp_shared = nn.Sequential(nn.Conv2d(3, hidden, 3, padding=1), nn.ReLU(inplace=True))
        self.mlp_gamma = nn.Conv2d(hidden, width, 3, padding=1, bias=False)
        self.mlp_beta = nn.Conv2d(hidden, width, 3, padding=1, bias=False)

    def forward(self, x: Tensor, guide: Tensor, batch_statistics: bool) -> Tensor:
        """Features [N, width, H, W] and the picture [N, 3, H, W] -> features."""
        norm = self.param_free_norm
        running = (None, None) if batch_statistics else (norm.running_mean, norm.running_var)
        normal = F.batch_norm(x, *running, training=batch_statistics, eps=norm.eps)
        seen = self.mlp_shared(guide)
        return torch.addcmul(self.mlp_beta(seen), normal, self.mlp_gamma(seen))


class SPADEBlock(nn.Module):
    """Two modulated convolutions beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, hidden: int) -> None:
        super().__init__()
        middle = min(inputs, outputs)
        self.conv_0 = SpectralConv2d(inputs, middle, 3)
        self.conv_1 = SpectralConv2d(middle, outputs, 3)
        self.norm_0 = SPADE(inputs, min(inputs, hidden))
        self.norm_1 = SPADE(middle, min(middle, hidden))
        self.changes = inputs != outputs
        if self.changes:
            self.conv_s = SpectralConv2d(inputs, outputs, 1, bias=False)
            self.norm_s = SPADE(inputs, min(inputs, hidden))

    def forward(self, x: Tensor, image: Tensor, batch_statistics: bool) -> Tensor:
        """[N, inputs, H, W] and the picture, of any size -> [N, outputs, H, W]."""
        guide = F.interpolate(image, x.shape[2:], mode="nearest")
        dx: Tensor = self.conv_0(_active(self.norm_0(x, guide, batch_statistics)))
        dx = self.conv_1(_active(self.norm_1(dx, guide, batch_statistics)))
        if self.changes:
            x = self.conv_s(self.norm_s(x, guide, batch_statistics))
        return x + dx


def _active(x: Tensor) -> Tensor:
    return F.leaky_relu(x, _SLOPE, inplace=True)


def encoder(widths: Sequence[int]) -> nn.Sequential:
    """Features of pictures; each width but the first comes with half the size."""
    layers: list[nn.Module] = [nn.Conv2d(3, widths[0], 3, padding=1, bias=False)]
    for inputs, outputs in pairwise(widths):
        layers += [nn.InstanceNorm2d(inputs), nn.ReLU(inplace=True), ImportancePool(inputs)]
        layers.append(nn.Conv2d(inputs, outputs, 3, padding=1))
    return nn.Sequential(*layers, nn.InstanceNorm2d(widths[-1]))


class LIPSPADENetwork(nn.Module):
    """The whole network, under the published key names.

    Args:
        downs: channels of the encoder, the first ones at full size, then at half of it each time.
        ups: channels of the decoder's last stages, each of which doubles the size.
        hidden: most channels between the picture and a modulation.
    """

    def __init__(self, downs: Sequence[int], ups: Sequence[int], hidden: int) -> None:
        super().__init__()
        width = downs[-1]
        self.lip_encoder = nn.ModuleDict({"model": encoder(downs)})
        self.head_0 = SPADEBlock(width, width, hidden)
        self.G_middle_0 = SPADEBlock(width, width, hidden)
        self.G_middle_1 = SPADEBlock(width, width, hidden)
        self.ups = nn.ModuleList(SPADEBlock(*pair, hidden) for pair in pairwise((width, *ups)))
        # Left over from training, which began without encoder and at a small size: `fc` and all
        # of `to_rgbs` but the last one serve no more.
        self.fc = nn.Conv2d(3, width, 3, padding=1)
        self.to_rgbs = nn.ModuleList(nn.Conv2d(each, 3, 3, padding=1) for each in ups)

    def forward(self, images: Tensor, batch_statistics: bool = False) -> Tensor:
        """Sharpen pictures.

        Args:
            images: [N, 3, H, W] RGB 0..1; H and W are multiples of what the encoder reduces by.
            batch_statistics: normalise the decoder's features by what this batch holds, instead
                of by the statistics of training.

        Returns:
            [N, 3, H, W] RGB -1..1, of which only 0..1 is meant.
        """
        x = self.head_0(self.lip_encoder["model"](images), images, batch_statistics)
        x = self.G_middle_0(_doubled(x), images, batch_statistics)
        x = self.G_middle_1(x, images, batch_statistics)
        for block in self.ups:
            x = block(_doubled(x), images, batch_statistics)
        return torch.tanh(self.to_rgbs[-1](_active(x)))


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="nearest")
