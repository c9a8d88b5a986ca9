"""`Crops`: aligned faces with all that is needed to paste them back, as on an FL_CROPS wire."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .faces import Faces
from .validation import Index, batch_index, check_shape


@dataclass(frozen=True)
class Crops:
    """N square aligned crops, the transform that made them, and the faces they came from."""

    image: Tensor
    """[N, 3, S, S] float32 RGB, 0..1."""
    matrix: Tensor
    """[N, 2, 3] float32: maps frame pixels to crop pixels, pixel centres at integer + 0.5."""
    faces: Faces
    """The N faces, in coordinates of their frames."""
    template: str
    """Name of the alignment template."""
    mask: Tensor | None = None
    """[N, 1, S, S] float32, 0..1: where the crop counts in a paste; none means everywhere."""

    def __post_init__(self) -> None:
        """Refuse fields that do not fit together."""
        count, size = len(self.faces), self.size
        check_shape("Crops", "image", self.image, (count, 3, size, size))
        check_shape("Crops", "matrix", self.matrix, (count, 2, 3))
        if self.mask is not None:
            check_shape("Crops", "mask", self.mask, (count, 1, size, size))

    def __len__(self) -> int:
        return len(self.faces)

    def __getitem__(self, index: Index) -> Crops:
        """Keep the crops that an integer, slice, list of integers, mask or index tensor names."""
        rows = batch_index(index, self.device)
        return replace(
            self,
            image=self.image[rows],
            matrix=self.matrix[rows],
            faces=self.faces[rows],
            mask=None if self.mask is None else self.mask[rows],
        )

    @property
    def size(self) -> int:
        """Side S of a crop in pixels."""
        return self.image.shape[-1]

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.image.device

    def to(self, device: torch.device | str) -> Crops:
        """Move every tensor to `device`."""
        return replace(
            self,
            image=self.image.to(device),
            matrix=self.matrix.to(device),
            faces=self.faces.to(device),
            mask=None if self.mask is None else self.mask.to(device),
        )
