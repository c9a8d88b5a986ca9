"""AEI-Net: FaceShifter's and GHOST's generator, under the names of whichever checkpoint.

An encoder reads maps of many sizes from the target; the generator grows a face out of the identity
and blends the maps in, a map at each size (Li et al., arXiv:1912.13457, section 3.1).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .aad import AADBlock, AADOptions, BlockNames, BlockSizes, place, upsample
from .attribute_encoder import AttributeResNet, AttributeUNet, ResNetSizes, UNetNames, UNetSizes
from .weights import CheckpointError, StateDict, fill

SMALL = 5
"""How many blocks work on maps of at most 32 px."""


@dataclass(frozen=True)
class Layout:
    """How a publisher names the parts; {} is a number that begins at `first`."""

    encoder: str
    start: str
    block: str
    names: BlockNames
    unet: UNetNames
    first: int = 1
    unit: bool = False
    """Whether pictures come out in 0..1, by a sigmoid, instead of -1..1, by tanh."""


@dataclass(frozen=True)
class AEISizes:
    """Every size of an AEI-Net; the defaults are GHOST's U-Net with two steps in a block."""

    encoder: UNetSizes | ResNetSizes = field(default_factory=UNetSizes)
    widths: Sequence[int] = (1024, 1024, 1024, 1024, 512, 256, 128, 64)
    """Channels that enter each block; the first ones come from the identity."""
    identity: int = 512
    """D, numbers of an embedding."""
    steps: int = 2
    """AAD layers that follow each other in a block."""
    options: AADOptions = field(default_factory=AADOptions)


class Parts(NamedTuple):
    """What an AEI-Net computes with."""

    encoder: AttributeUNet | AttributeResNet
    start: nn.ConvTranspose2d
    blocks: list[AADBlock]


class AEINet(nn.Module):
    """Gives target faces other identities."""

    def __init__(self, layout: Layout, sizes: AEISizes) -> None:
        super().__init__()
        encoder = (
            AttributeUNet(sizes.encoder, layout.unet)
            if isinstance(sizes.encoder, UNetSizes)
            else AttributeResNet(sizes.encoder)
        )
        widths = pairwise((*sizes.widths, 3))
        blocks = [
            AADBlock(
                BlockSizes(width, attribute, output, sizes.steps),
                sizes.identity,
                sizes.options,
                layout.names,
            )
            for (width, output), attribute in zip(widths, encoder.channels, strict=True)
        ]
        start = nn.ConvTranspose2d(sizes.identity, sizes.widths[0], 2)
        self.parts = Parts(encoder, start, blocks)
        self.activation = torch.sigmoid if layout.unit else torch.tanh
        place(self, layout.encoder, encoder)
        place(self, layout.start, start)
        for number, block in enumerate(blocks, layout.first):
            place(self, layout.block.format(number), block)

    @property
    def size(self) -> int:
        """Side of the pictures, in pixels."""
        return 1 << len(self.parts.blocks)

    @property
    def length(self) -> int:
        """D, numbers of an embedding."""
        return self.parts.start.in_channels

    def attributes(self, target: Tensor) -> list[Tensor]:
        """Read attribute maps.

        Args:
            target: [N, 3, S, S] in the network's range.

        Returns:
            A map [N, A, h, h] for each block, the smallest first.
        """
        return self.parts.encoder(target)  # type: ignore[no-any-return]

    def generate(self, attributes: Sequence[Tensor], embedding: Tensor) -> Tensor:
        """Generate faces.

        Args:
            attributes: the maps of N targets.
            embedding: [N K, D]; row n K + k is the k-th identity for target n.

        Returns:
            [N K, 3, S, S] in the network's range.
        """
        h = self.parts.start(embedding[:, :, None, None])
        # Tensors of many large faces cost a CPU more to get memory for than to fill.
        whole = SMALL if h.device.type == "cpu" else len(attributes)
        h = self._grow(h, attributes[:whole], embedding, 0)
        if whole < len(attributes):
            parts = (each.chunk(len(attributes[0])) for each in (h, embedding, *attributes[whole:]))
            faces = zip(*parts, strict=True)
            h = torch.cat([self._grow(h, maps, identity, whole) for h, identity, *maps in faces])
        return self.activation(h)

    def _grow(
        self, h: Tensor, attributes: Sequence[Tensor], embedding: Tensor, first: int
    ) -> Tensor:
        """Go through the blocks from `first` on, for as many as there are attributes."""
        blocks = self.parts.blocks[first : first + len(attributes)]
        for number, (block, attribute) in enumerate(zip(blocks, attributes, strict=True), first):
            h = block(upsample(h) if number else h, attribute, embedding)
        return h

    def forward(self, target: Tensor, embedding: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Give targets [N, 3, S, S] identities [N, D]: pictures [N, 3, S, S], and their maps."""
        attributes = self.attributes(target)
        return self.generate(attributes, embedding), attributes


def load_network(state: StateDict, layout: Layout) -> AEINet:
    """Build the AEI-Net that weights of a layout belong to.

    Raises:
        CheckpointError: keys are missing or unexpected, or shapes differ.
    """
    sizes = read_sizes(state, layout)
    return fill(lambda: AEINet(layout, sizes), state)


def read_sizes(state: StateDict, layout: Layout) -> AEISizes:
    """Read every size of an AEI-Net from the shapes of its weights.

    Raises:
        CheckpointError: a key that tells a size is missing.
    """
    resnet = f"{layout.encoder}.conv0.weight" in state
    encoder = _resnet_sizes(state, layout) if resnet else _unet_sizes(state, layout)
    levels = len(encoder.widths) + 2 if isinstance(encoder, ResNetSizes) else len(encoder.downs) + 1
    gamma = f"{layout.names.step(0)[0]}.{layout.names.layer.identity_gamma}.weight"
    blocks = [layout.block.format(number) for number in range(layout.first, layout.first + levels)]
    widths = [_shape(state, f"{block}.{gamma}")[0] for block in blocks]
    return AEISizes(
        encoder,
        widths,
        identity=_shape(state, f"{layout.start}.weight")[0],
        steps=_steps(state, layout, widths[0] != widths[1]),
        options=_options(state, layout),
    )


def _unet_sizes(state: StateDict, layout: Layout) -> UNetSizes:
    names, encoder = layout.unet, layout.encoder
    count = max(2, _count(state, f"{encoder}.{names.down}"))
    numbers = range(names.first, names.first + count)
    downs = [f"{encoder}.{names.down.format(number)}.0" for number in numbers]
    narrowing = [_shape(state, f"{down}.weight")[0] for down in downs]
    ups = [f"{encoder}.{names.up.format(number)}.{names.up_conv}.weight" for number in numbers[:-1]]
    widening = [_shape(state, key)[1] for key in ups]
    second = f"{layout.block.format(layout.first + 1)}.{layout.names.step(0)[0]}"
    attribute = _shape(state, f"{second}.{layout.names.layer.attribute_gamma}.weight")[1]
    return UNetSizes(
        narrowing,
        widening,
        add=attribute == widening[0],
        bias=f"{downs[0]}.bias" in state,
    )


def _resnet_sizes(state: StateDict, layout: Layout) -> ResNetSizes:
    stems = [_shape(state, f"{layout.encoder}.conv{number}.weight")[0] for number in (0, 1)]
    count = _count(state, f"{layout.encoder}.layer{{}}")
    stages = [f"{layout.encoder}.layer{number}" for number in range(1, count + 1)]
    return ResNetSizes(
        (stems[0], stems[1]),
        [_shape(state, f"{stage}.0.conv1.weight")[0] for stage in stages],
        [_count(state, f"{stage}.{{}}") for stage in stages],
    )


def _options(state: StateDict, layout: Layout) -> AADOptions:
    first, names = layout.block.format(layout.first), layout.names
    layer, convolution = names.step(0)
    mask = _shape(state, f"{first}.{layer}.{names.layer.mask}.weight")
    return AADOptions(
        kernel=_shape(state, f"{first}.{layer}.{names.layer.attribute_gamma}.weight")[-1],
        mask_kernel=mask[-1],
        mask_per_channel=mask[0] > 1,
        batch_norm=f"{first}.{layer}.{names.layer.norm}.weight" in state,
        bias=f"{first}.{convolution}.bias" in state,
    )


def _steps(state: StateDict, layout: Layout, shortcut: bool) -> int:
    """Count the steps of the first block, without a shortcut that is named like a step."""
    first, names, steps = layout.block.format(layout.first), layout.names, 1
    while f"{first}.{names.step(steps)[1]}.weight" in state:
        steps += 1
    return steps - 1 if shortcut and names.shortcut(steps - 1) == names.step(steps - 1) else steps


def _count(state: StateDict, path: str) -> int:
    """Count the numbers that stand for {} in a path."""
    pattern = re.compile(re.escape(path).replace(r"\{\}", r"(\d+)") + r"\.")
    return len({found[1] for key in state if (found := pattern.match(key))})


def _shape(state: StateDict, key: str) -> torch.Size:
    if key not in state:
        raise CheckpointError(f"the tensors do not fit the network; missing: {key}.")
    shape = state[key].shape
    if len(shape) < 2:
        raise CheckpointError(f"the tensors do not fit the network; {key} is {list(shape)}.")
    return shape
