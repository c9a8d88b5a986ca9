"""`Crops`: aligned faces with all that is needed to paste them back, as on an FL_CROPS wire."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .faces import Faces
from .validation import Index, batch_index, check_floating, check_shape


@dataclass(frozen=True, eq=False)
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
        """Refuse fields that do not fit together.

        Raises:
            TypeError: a field is not a tensor of floating-point numbers, or `faces` no Faces.
            ValueError: a field has the wrong shape; the text names the field.
        """
        if not isinstance(self.faces, Faces):
            raise TypeError(f"Crops.faces must be Faces, got {type(self.faces).__name__}.")
        count = len(self.faces)
        check_shape("Crops", "image", self.image, (count, 3, "S", "S"))
        check_shape("Crops", "image", self.image, (count, 3, self.size, self.size))
        check_shape("Crops", "matrix", self.matrix, (count, 2, 3))
        check_floating("Crops", "image", self.image)
        check_floating("Crops", "matrix", self.matrix)
        if self.mask is not None:
            check_shape("Crops", "mask", self.mask, (count, 1, self.size, self.size))
            check_floating("Crops", "mask", self.mask)

    def __len__(self) -> int:
        return len(self.faces)

    def __getitem__(self, index: Index) -> Crops:
        """Keep the crops that an integer, slice, list of integers, mask or index tensor names."""
        rows = batch_index(index, len(self), self.device)
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

    def as_frames(self) -> Crops:
        """See each crop as a frame of its own: frame k of size (S, S) is crop k.

        The faces move into crop pixels with it, a box to the upright one around its image, and
        the matrices become the identity. Crops of different pictures can be joined only so.
        """
        count, size = len(self), self.size
        faces = replace(
            _map_faces(self.faces, self.matrix.to(self.faces.device)),
            frame=torch.arange(count, device=self.faces.device),
            image_size=(size, size),
            frames=count,
        )
        identity = torch.eye(2, 3, dtype=self.matrix.dtype, device=self.device)
        return replace(self, matrix=identity.repeat(count, 1, 1), faces=faces)

    @classmethod
    def cat(cls, parts: Iterable[Crops]) -> Crops:
        """Join crops of the same frames, part after part.

        Where only some parts have a mask, the others get one of ones, which means the same.

        Raises:
            ValueError: no part was given, or parts disagree on crop size, template or frames.
                Empty parts agree with any crop size and template.
        """
        parts = list(parts)
        if not parts:
            raise ValueError("Crops.cat needs at least one Crops.")
        filled = [part for part in parts if len(part)] or parts[:1]
        kinds = {(part.size, part.template) for part in filled}
        if len(kinds) > 1:
            found = " and ".join(f"{size} px '{template}'" for size, template in sorted(kinds))
            raise ValueError(f"Crops.cat joins crops of one size and template, got {found}.")
        masked = any(part.mask is not None for part in filled)
        return replace(
            filled[0],
            image=torch.cat([part.image for part in filled]),
            matrix=torch.cat([part.matrix for part in filled]),
            faces=Faces.cat(part.faces for part in parts),
            mask=torch.cat([_mask_or_ones(part) for part in filled]) if masked else None,
        )


def _mask_or_ones(crops: Crops) -> Tensor:
    return torch.ones_like(crops.image[:, :1]) if crops.mask is None else crops.mask


def _map_points(points: Tensor, matrix: Tensor) -> Tensor:
    """Map points [N, K, 2] through matrices [N, 2, 3]."""
    return points @ matrix[:, :, :2].mT + matrix[:, None, :, 2]


def _map_faces(faces: Faces, matrix: Tensor) -> Faces:
    """Map the coordinates of N faces through N matrices; depth scales with the picture."""
    corners = _map_points(faces.box[:, [0, 1, 2, 1, 0, 3, 2, 3]].reshape(-1, 4, 2), matrix)
    landmarks = faces.landmarks
    if landmarks is not None:
        scale = torch.linalg.det(matrix[:, :, :2]).abs().sqrt()[:, None, None]
        plane = _map_points(landmarks[..., :2], matrix)
        landmarks = torch.cat([plane, landmarks[..., 2:] * scale], dim=2)
    return replace(
        faces,
        box=torch.cat([corners.amin(dim=1), corners.amax(dim=1)], dim=1),
        keypoints=_map_points(faces.keypoints, matrix),
        landmarks=landmarks,
    )
