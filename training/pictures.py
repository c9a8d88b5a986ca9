"""Portraits for training and measurement, in memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

HELD_OUT = 5
"""Every fifth picture, by sorted name, is kept for measurement and never trained on."""
_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


@dataclass(frozen=True, eq=False)
class Pictures:
    """P square pictures."""

    image: Tensor
    """[P, 3, S, S] uint8 RGB."""
    label: Tensor | None
    """[P, 1, S, S] uint8: class of each pixel, where there are masks."""
    names: tuple[str, ...]
    """File names without their endings."""

    def __len__(self) -> int:
        return len(self.names)


def load_pictures(folder: Path, *, held_out: bool, size: int = 512, most: int = 0) -> Pictures:
    """Read the part of a folder's pictures that is for training, or the part held out.

    Args:
        folder: holds pictures, or `images/` with pictures and perhaps `masks/` with one palette
            PNG of the same name for each.
        held_out: which part.
        size: side to which every picture is fitted, in pixels.
        most: read this many at most; 0 for all.

    Raises:
        ValueError: there are no pictures, or a mask is missing.
    """
    files = part_of(find_pictures(folder), held_out=held_out)[: most or None]
    if not files:
        raise ValueError(f"{folder}: there are no pictures ({', '.join(_SUFFIXES)}) for this part.")
    image = torch.stack([_read(path, "RGB", size) for path in files])
    masks = folder / "masks"
    label = None
    if masks.is_dir():
        label = torch.stack([_read(_mask_of(path, masks), "P", size) for path in files])
    return Pictures(image, label, tuple(path.stem for path in files))


def find_pictures(folder: Path) -> list[Path]:
    """List a folder's pictures, or those of its `images/`, by name."""
    images = folder / "images" if (folder / "images").is_dir() else folder
    return sorted(path for path in images.glob("*") if path.suffix.lower() in _SUFFIXES)


def part_of(files: list[Path], *, held_out: bool) -> list[Path]:
    """Keep the part of all pictures of a folder that is held out, or the part for training."""
    return [path for i, path in enumerate(files) if (i % HELD_OUT == 0) == held_out]


def _mask_of(picture: Path, masks: Path) -> Path:
    path = masks / f"{picture.stem}.png"
    if not path.is_file():
        raise ValueError(f"{picture.name} has no mask {path}.")
    return path


def _read(path: Path, mode: str, size: int) -> Tensor:
    with Image.open(path) as file:
        # A palette's indices are the classes: converting them to "P" anew would renumber them.
        picture = file.convert(mode) if mode == "RGB" else file
        smooth = Image.Resampling.LANCZOS if mode == "RGB" else Image.Resampling.NEAREST
        array = np.array(picture.resize((size, size), smooth))
    return torch.from_numpy(array.reshape(size, size, -1)).permute(2, 0, 1).contiguous()
