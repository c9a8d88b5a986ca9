"""`Faces`: every face of a batch of frames, flat, as it travels on an FL_FACES wire."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from .validation import Index, Shape, batch_index, check_floating, check_integer, check_shape


@dataclass(frozen=True, eq=False)
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
        """Refuse fields that do not fit together.

        Raises:
            TypeError: a field is not a tensor, or holds the wrong kind of numbers.
            ValueError: a field has the wrong shape, device or range; the text names the field.
        """
        check_shape("Faces", "frame", self.frame, ("N",))
        for field, shape in self._wanted_shapes().items():
            check_shape("Faces", field, getattr(self, field), shape)
        for field, value in self._tensors().items():
            check = check_integer if field in ("frame", "track") else check_floating
            check("Faces", field, value)
            if value.device != self.device:
                raise ValueError(
                    f"Faces.{field} must be on {self.device} like Faces.frame, got {value.device}."
                )
        self._check_batch()

    def _wanted_shapes(self) -> dict[str, Shape]:
        count = len(self)
        shapes: dict[str, Shape] = {
            "box": (count, 4),
            "score": (count,),
            "keypoints": (count, 5, 2),
            "track": (count,),
        }
        return shapes if self.landmarks is None else shapes | {"landmarks": (count, "L", (2, 3))}

    def _check_batch(self) -> None:
        size = self.image_size
        if not (isinstance(size, tuple) and len(size) == 2 and min(size) > 0):
            raise ValueError(f"Faces.image_size must be a tuple (H, W) of pixels, got {size!r}.")
        if self.frames < 0:
            raise ValueError(f"Faces.frames must be 0 or more, got {self.frames}.")
        # a meta tensor holds no numbers to check
        if not len(self) or self.frame.is_meta:
            return
        low, high = int(self.frame.min()), int(self.frame.max())
        if low < 0 or high >= self.frames:
            raise ValueError(f"Faces.frame must lie in 0..{self.frames - 1}, got {low}..{high}.")

    def __len__(self) -> int:
        return self.frame.shape[0]

    def __getitem__(self, index: Index) -> Faces:
        """Keep the faces that an integer, slice, list of integers, mask or index tensor names."""
        rows = batch_index(index, len(self), self.device)
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
        shapes = {None if part.landmarks is None else part.landmarks.shape[1:] for part in filled}
        if len(shapes) > 1:
            found = " and ".join(sorted("none" if s is None else str([*s]) for s in shapes))
            raise ValueError(f"Faces.cat needs the same kind of landmarks in all, got {found}.")
        names = filled[0]._tensors()
        joined = {name: torch.cat([getattr(part, name) for part in filled]) for name in names}
        return replace(filled[0], **joined)  # type: ignore[arg-type]

    @classmethod
    def cat_frames(cls, batches: Iterable[Faces]) -> Faces:
        """Join faces of successive batches of frames: the frames of each follow the last one's.

        Raises:
            ValueError: as `cat`.
        """
        batches = list(batches)
        frames = sum(batch.frames for batch in batches)
        shifted, start = [], 0
        for batch in batches:
            shifted.append(replace(batch, frame=batch.frame + start, frames=frames))
            start += batch.frames
        return cls.cat(shifted)
