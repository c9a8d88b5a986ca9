"""Swapping with AEI-Net, whoever trained it: what it sees of crops, and its answer in 0..1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..faces import Crops, Identity
from .roles import Role


class Generator(Protocol):
    """What a swapper asks of its network, an `AEINet` or an ONNX graph."""

    @property
    def size(self) -> int:
        """Side S of the pictures, in pixels."""

    @property
    def length(self) -> int:
        """D, numbers of an embedding."""

    def attributes(self, target: Tensor) -> list[Tensor]:
        """Read what identities do not change; see `AEINet.attributes`."""

    def generate(self, attributes: Sequence[Tensor], embedding: Tensor) -> Tensor:
        """Generate faces; see `AEINet.generate`."""


@dataclass(frozen=True, eq=False)
class AEISwapper:
    """A `Swapper`; subclasses say as data how they were trained."""

    network: nn.Module
    """A `Generator` of pictures [N, 3, S, S] in -1..1 or, where `signed` is false, 0..1."""
    name: ClassVar[str]
    role: ClassVar[Role] = "swapper"
    licence: ClassVar[str]
    templates: ClassVar[tuple[str, ...]]
    space: ClassVar[str]
    encoder: ClassVar[str]
    signed: ClassVar[bool] = True
    """Whether the network's pictures are in -1..1."""
    bgr: ClassVar[bool] = False
    """Whether the network's pictures have blue first."""
    unit_length: ClassVar[bool] = False
    """Whether embeddings are brought to length 1."""

    @property
    def size(self) -> int:
        """See `Swapper.size`."""
        return self._generator.size

    @property
    def length(self) -> int:
        """See `Swapper.length`."""
        return self._generator.length

    @torch.no_grad()
    def swap(self, crops: Crops, *identities: Identity) -> tuple[Tensor, ...]:
        """Swap faces; see `Swapper.swap`."""
        count = len(crops)
        if not count or not identities:
            return tuple(crops.image.float() for _ in identities)
        embedding = torch.stack([each.embedding.float() for each in identities], 1).flatten(0, 1)
        if self.unit_length:
            embedding = F.normalize(embedding)
        attributes = self._generator.attributes(self._seen(crops.image.float()))
        pictures = self._shown(self._generator.generate(attributes, embedding).float())
        return pictures.reshape(count, len(identities), *pictures.shape[1:]).unbind(1)

    @property
    def _generator(self) -> Generator:
        return self.network  # type: ignore[return-value]

    def _seen(self, images: Tensor) -> Tensor:
        """RGB 0..1 -> the network's range and colour order."""
        images = 2 * images - 1 if self.signed else images
        return images.flip(1) if self.bgr else images

    def _shown(self, pictures: Tensor) -> Tensor:
        """The network's range and colour order -> RGB 0..1."""
        pictures = pictures.flip(1) if self.bgr else pictures
        return (pictures + 1) / 2 if self.signed else pictures
