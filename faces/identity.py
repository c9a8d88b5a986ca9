"""`Identity`: who a face is, for generators, as on an FL_IDENTITY wire."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .crops import Crops
from .validation import check_shape


@dataclass(frozen=True)
class Identity:
    """K identity embeddings of one encoder, with the crops they were read from."""

    embedding: Tensor
    """[K, D] float32, as the encoder gives it (not normalised)."""
    encoder: str
    """Name of the encoder; embeddings of different encoders do not compare."""
    reference: Crops | None = None
    """The K crops, for generators that read pixels instead of a vector."""

    def __post_init__(self) -> None:
        """Refuse fields that do not fit together."""
        check_shape("Identity", "embedding", self.embedding, ("K", "D"))
        if self.reference is not None and len(self.reference) != len(self):
            raise ValueError(
                f"Identity.reference must hold {len(self)} crops, one for each embedding, "
                f"got {len(self.reference)}."
            )

    def __len__(self) -> int:
        return self.embedding.shape[0]

    def to(self, device: torch.device | str) -> Identity:
        """Move every tensor to `device`."""
        reference = None if self.reference is None else self.reference.to(device)
        return replace(self, embedding=self.embedding.to(device), reference=reference)
