"""`Faces`: every face of a batch of frames, flat, as it travels on an FL_FACES wire."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from .validation import Index, batch_index, check_shape


@dataclass(frozen=True)
class Faces:
    """All faces of a batch of frames, in one flat list; none at all is legal.

    Coordinates are (x, y) in pixels of the frame, with pixel centres at integer + 0.5, so a frame
    spans [0, W] x [0, H]. Left and right are the image's.
    """

    frame: Tensor
    """[N] int64: the frame each face is in."""
    box: Tensor
    """[N, 4] float32: x0, y0, x1, y1."""
    score: Tensor
    """[N] float32, 0..1."""
    keypoints: Tensor
    """[N, 5, 2] float32: left eye, right eye, nose tip, left and right mouth corner."""
    track: Tensor
    """[N] int64: identity over frames; -1 where nothing tracked the face."""
    image_size: tuple[int, int]
    """(H, W) of every frame."""
    frames: int
    """Number of frames in the batch, those without a face included."""
    landmarks: Tensor | None = None
    """[N, L, 2] or [N, L, 3] float32, or none; the third column is depth in px, nearer is less."""

    def __post_init__(self) -> None:
        """Refuse fields that do not fit together."""
        count = len(self)
        check_shape("Faces", "frame", self.frame, (count,))
        check_shape("Faces", "box", self.box, (count, 4))
        check_shape("Faces", "score", self.score, (count,))
        check_shape("Faces", "keypoints", self.keypoints, (count, 5, 2))
        check_shape("Faces", "track", self.track, (count,))
        if self.landmarks is not None:
            columns = 3 if self.landmarks.ndim == 3 and self.landmarks.shape[2] == 3 else 2
            check_shape("Faces", "landmarks", self.landmarks, (count, "L", columns))
        if count and not (int(self.frame.min()) >= 0 and int(self.frame.max()) < self.frames):
            raise ValueError(
                f"Faces.frame must lie in 0..{self.frames - 1}, "
                f"got {int(self.frame.min())}..{int(self.frame.max())}."
            )

    def __len__(self) -> int:
        return self.frame.shape[0]

    def __getitem__(self, index: Index) -> Faces:
        """Keep the faces that an integer, slice, list of integers, mask or index tensor names."""
        rows = batch_index(index, self.device)
        kept = {name: tensor[rows] for name, tensor in self._tensors().items()}
        return replace(self, **kept)  # type: ignore[arg-type]

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.frame.device

    def to(self, device: torch.device | str) -> Faces:
        """Move every tensor to `device`."""
        moved = {name: tensor.to(device) for name, tensor in self._tensors().items()}
        return replace(self, **moved)  # type: ignore[arg-type]

    def in_frame(self, frame: int) -> Faces:
        """Keep the faces of one frame; the batch still counts all its frames."""
        return self[self.frame == frame]

    def _tensors(self) -> dict[str, Tensor]:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, Tensor)}

    @classmethod
    def empty(
        cls, image_size: tuple[int, int], frames: int, device: torch.device | str = "cpu"
    ) -> Faces:
        """No face in `frames` frames of `image_size` (H, W)."""
        return cls(
            frame=torch.zeros(0, dtype=torch.int64, device=device),
            box=torch.zeros(0, 4, device=device),
            score=torch.zeros(0, device=device),
            keypoints=torch.zeros(0, 5, 2, device=device),
            track=torch.zeros(0, dtype=torch.int64, device=device),
            image_size=image_size,
            frames=frames,
        )

    @classmethod
    def cat(cls, parts: Iterable[Faces]) -> Faces:
        """Join faces found in the same frames, part after part.

        Raises:
            ValueError: no part was given, or parts disagree on frame size, frame count or
                landmarks. Empty parts without landmarks agree with any.
        """
        parts = list(parts)
        if not parts:
            raise ValueError("Faces.cat needs at least one Faces; for no faces use Faces.empty.")
        first, filled = parts[0], [part for part in parts if len(part)] or parts[:1]
        for part in parts:
            if (part.image_size, part.frames) != (first.image_size, first.frames):
                raise ValueError(
                    f"Faces.cat joins faces of the same frames: {first.frames} of "
                    f"{first.image_size} and {part.frames} of {part.image_size} differ."
                )
        counts = {0 if part.landmarks is None else part.landmarks.shape[1] for part in filled}
        if len(counts) > 1:
            raise ValueError(f"Faces.cat needs equal landmark counts, got {sorted(counts)}.")
        names = filled[0]._tensors()
        joined = {name: torch.cat([getattr(part, name) for part in filled]) for name in names}
        return replace(filled[0], **joined)  # type: ignore[arg-type]
