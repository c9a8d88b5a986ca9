"""Adaptive attentional denormalisation (AAD): how FaceShifter and GHOST join face and identity.

Li et al., "FaceShifter", arXiv:1912.13457, section 3.1 and figure 3. The two public FaceShifters
and GHOST compute the same; they differ in options (`AADOptions`) and in names (`BlockNames`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from .convolution import convolve


@dataclass(frozen=True)
class AADOptions:
    """What implementations of AAD differ in; the defaults are GHOST's and taotaonice's."""

    kernel: int = 1
    """Side of the convolutions that read the attributes."""
    mask_kernel: int = 1
    """Side of the convolution that reads the mask."""
    mask_per_channel: bool = False
    """Whether each channel has a mask of its own."""
    batch_norm: bool = False
    """Whether running statistics and an affine map normalise, instead of the picture's own."""
    bias: bool = False
    """Whether the convolutions between the layers add a bias."""


class LayerNames(NamedTuple):
    """Names of an AAD layer's parts in a checkpoint, in the order of `Parts`."""

    norm: str
    attribute_gamma: str
    attribute_beta: str
    identity_gamma: str
    identity_beta: str
    mask: str


LAYER_NAMES = LayerNames("norm", "conv1", "conv2", "fc1", "fc2", "conv_h")
"""As GHOST and taotaonice have them."""


class Parts(NamedTuple):
    """What an AAD layer computes with."""

    norm: nn.Module
    attribute_gamma: nn.Conv2d
    attribute_beta: nn.Conv2d
    identity_gamma: nn.Linear
    identity_beta: nn.Linear
    mask: nn.Conv2d


def blend(
    h: Tensor, attribute: tuple[Tensor, Tensor], identity: tuple[Tensor, Tensor], mask: Tensor
) -> Tensor:
    """(1 - mask) (γ_att h + β_att) + mask (γ_id h + β_id): the paper's equations 2 to 4.

    Blending γ and β before h comes in takes 4 passes over memory instead of 8.

    Args:
        h: [N K, C, H, W] normalised features; row n K + k is face n with its identity k.
        attribute: γ_att and β_att, [N, C, H, W] each; overwritten where K = 1.
        identity: γ_id and β_id, [N K, C, 1, 1] each.
        mask: [N K, 1 or C, H, W], 0..1.

    Returns:
        [N K, C, H, W].
    """
    gamma, beta = (_lerp(start, end, mask) for start, end in zip(attribute, identity, strict=True))
    return beta.addcmul_(gamma, h)


def _lerp(start: Tensor, end: Tensor, weight: Tensor) -> Tensor:
    count = len(start)
    if len(end) == count:
        return start.lerp_(end, weight)
    groups = (each.reshape(count, -1, *each.shape[1:]) for each in (end, weight))
    return start[:, None].lerp(*groups).flatten(0, 1)


class AADLayer(nn.Module):
    """Denormalises features by a face's attributes or by an identity, as a mask tells."""

    def __init__(
        self, width: int, attribute: int, identity: int, options: AADOptions, names: LayerNames
    ) -> None:
        super().__init__()
        pad, mask_pad = options.kernel // 2, options.mask_kernel // 2
        masks = width if options.mask_per_channel else 1
        self.parts = Parts(
            norm=nn.BatchNorm2d(width) if options.batch_norm else nn.Identity(),
            attribute_gamma=nn.Conv2d(attribute, width, options.kernel, padding=pad),
            attribute_beta=nn.Conv2d(attribute, width, options.kernel, padding=pad),
            identity_gamma=nn.Linear(identity, width),
            identity_beta=nn.Linear(identity, width),
            mask=nn.Conv2d(width, masks, options.mask_kernel, padding=mask_pad),
        )
        for name, part in zip(names, self.parts, strict=True):
            self.add_module(name, part)

    def forward(self, h: Tensor, attribute: Tensor, identity: Tensor) -> Tensor:
        """Denormalise and rectify.

        Args:
            h: [N K, width, H, W], normalised already unless the layer has batch normalisation.
            attribute: [N, A, H, W], the faces' attributes.
            identity: [N K, D]; row n K + k goes with face n.

        Returns:
            [N K, width, H, W], not negative.
        """
        parts = self.parts
        h = parts.norm(h)
        return blend(
            h,
            (
                convolve(parts.attribute_gamma, attribute),
                convolve(parts.attribute_beta, attribute),
            ),
            (
                parts.identity_gamma(identity)[..., None, None],
                parts.identity_beta(identity)[..., None, None],
            ),
            convolve(parts.mask, h).sigmoid(),
        ).relu_()


@dataclass(frozen=True)
class BlockNames:
    """Names of an AAD block's parts in a checkpoint."""

    step: Callable[[int], tuple[str, str]]
    """Paths of layer and convolution of a step, counted from 0."""
    shortcut: Callable[[int], tuple[str, str]]
    """Paths of layer and convolution of the shortcut, from the number of steps."""
    layer: LayerNames = LAYER_NAMES


class BlockSizes(NamedTuple):
    """Channels of an AAD block, and how many AAD layers follow each other in it."""

    width: int
    attribute: int
    output: int
    steps: int


class AADBlock(nn.Module):
    """AAD layers, each before a 3x3 convolution, beside a shortcut."""

    def __init__(
        self, sizes: BlockSizes, identity: int, options: AADOptions, names: BlockNames
    ) -> None:
        super().__init__()
        width, attribute, output, steps = sizes

        def step(paths: tuple[str, str], output: int) -> tuple[AADLayer, nn.Conv2d]:
            layer = AADLayer(width, attribute, identity, options, names.layer)
            convolution = nn.Conv2d(width, output, 3, padding=1, bias=options.bias)
            place(self, paths[0], layer)
            place(self, paths[1], convolution)
            return layer, convolution

        outputs = [width] * (steps - 1) + [output]
        self.steps = [step(names.step(number), each) for number, each in enumerate(outputs)]
        self.shortcut = step(names.shortcut(steps), output) if width != output else None
        self.own_statistics = not options.batch_norm

    def forward(self, h: Tensor, attribute: Tensor, identity: Tensor) -> Tensor:
        """[N K, width, H, W] -> [N K, output, H, W]; attribute and identity as in `AADLayer`."""
        # Main path and shortcut read the same features: without weights, one norm does for both.
        normal = self._normalised(h)
        x = h
        for number, (layer, convolution) in enumerate(self.steps):
            x = self._normalised(x) if number else normal
            x = convolve(convolution, layer(x, attribute, identity))
        if self.shortcut is not None:
            layer, convolution = self.shortcut
            h = convolve(convolution, layer(normal, attribute, identity))
        return x + h

    def _normalised(self, h: Tensor) -> Tensor:
        return F.instance_norm(h) if self.own_statistics else h


def upsample(x: Tensor) -> Tensor:
    """Double the size as all of these networks do, by corners: [N, C, H, W] -> [N, C, 2 H, 2 W]."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)


def place(module: nn.Module, path: str, part: nn.Module) -> None:
    """Make `part` a submodule of `module` under a dotted path."""
    *parents, name = path.split(".")
    for each in parents:
        if each not in dict(module.named_children()):
            module.add_module(each, nn.Module())
        module = module.get_submodule(each)
    module.add_module(name, part)
