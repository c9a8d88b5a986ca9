"""`Identity`: who a face is, for generators, as on an FL_IDENTITY wire."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .crops import Crops
from .validation import Index, batch_index, check_floating, check_shape


@dataclass(frozen=True, eq=False)
class Identity:
    """K identity embeddings of one encoder, with the crops they were read from."""

    embedding: Tensor
    """[K, D] float32, as the encoder gives it (not normalised)."""
    encoder: str
    """Name of the encoder's space; embeddings of different spaces do not compare."""
    reference: Crops | None = None
    """The K crops, for generators that read pixels instead of a vector."""
    sha256: str = ""
    """SHA-256 of the encoder's weights in hexadecimal digits, where it is known."""

    def __post_init__(self) -> None:
        """Refuse fields that do not fit together.

        Raises:
            TypeError: `embedding` is not a tensor of floating-point numbers, `reference` no Crops.
            ValueError: a field has the wrong shape or count; the text names the field.
        """
        check_shape("Identity", "embedding", self.embedding, ("K", "D"))
        check_floating("Identity", "embedding", self.embedding)
        if self.reference is None:
            return
        if not isinstance(self.reference, Crops):
            kind = type(self.reference).__name__
            raise TypeError(f"Identity.reference must be Crops or None, got {kind}.")
        if len(self.reference) != len(self):
            raise ValueError(
                f"Identity.reference must hold {len(self)} crops, one for each embedding, "
                f"got {len(self.reference)}."
            )

    def __len__(self) -> int:
        return self.embedding.shape[0]

    def __getitem__(self, index: Index) -> Identity:
        """Keep what an integer, slice, list of integers, mask or index tensor names."""
        rows = batch_index(index, len(self), self.device)
        reference = None if self.reference is None else self.reference[rows]
        return replace(self, embedding=self.embedding[rows], reference=reference)

    @property
    def device(self) -> torch.device:
        """Where the embedding is."""
        return self.embedding.device

    def to(self, device: torch.device | str) -> Identity:
        """Move every tensor to `device`."""
        reference = None if self.reference is None else self.reference.to(device)
        return replace(self, embedding=self.embedding.to(device), reference=reference)

    def require_space(self, wanted: str, node: str, file: str) -> None:
        """Refuse to go on with embeddings of another space than a generator was trained for.

        Args:
            wanted: name of the space.
            node: who asks, for the error.
            file: weights whose encoder gives that space, for the error.

        Raises:
            ValueError: `encoder` is another one; the text names both and says what to do.
        """
        if self.encoder != wanted:
            raise ValueError(
                f"{node}: this generator wants identities of the encoder '{wanted}', got one of "
                f"'{self.encoder}'. Choose {file} in Load Face Encoder and encode the pictures "
                "with it again; vectors of different encoders do not compare. If these are that "
                "encoder's weights in a file that FaceLoom does not know, switch on trust_encoder."
            )

    @classmethod
    def cat(cls, parts: Iterable[Identity]) -> Identity:
        """Join identities of one encoder, part after part.

        They may come from pictures of different sizes, so the reference crops become frames of
        their own (`Crops.as_frames`).

        Raises:
            ValueError: no part was given, or parts disagree on encoder, embedding length, crop
                size or template, or only some have reference crops. Empty parts agree with any.
        """
        parts = list(parts)
        if not parts:
            raise ValueError("Identity.cat needs at least one Identity.")
        filled = [part for part in parts if len(part)] or parts[:1]
        kinds = {(part.encoder, part.embedding.shape[1]) for part in filled}
        if len(kinds) > 1:
            found = " and ".join(f"'{encoder}' [{length}]" for encoder, length in sorted(kinds))
            raise ValueError(f"Identity.cat joins embeddings of one encoder, got {found}.")
        references = [part.reference for part in filled if part.reference is not None]
        if references and len(references) < len(filled):
            raise ValueError(
                f"Identity.cat needs reference crops in all parts or in none, "
                f"got them in {len(references)} of {len(filled)}."
            )
        return replace(
            filled[0],
            embedding=torch.cat([part.embedding for part in filled]),
            reference=_join_references(references) if references else None,
        )


def _join_references(references: list[Crops]) -> Crops:
    count = sum(map(len, references))
    parts, start = [], 0
    for reference in references:
        own = reference.as_frames()
        faces = replace(own.faces, frame=own.faces.frame + start, frames=count)
        parts.append(replace(own, faces=faces))
        start += len(own)
    return Crops.cat(parts)
