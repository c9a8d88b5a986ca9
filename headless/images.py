"""Pictures in files: read as ComfyUI's Load Image reads them, written as its Save Image does."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

# ComfyUI's mask for a picture without alpha, whatever the picture's size.
NO_MASK_SIZE = (64, 64)
GREY_16 = ("I", "I;16", "I;16B", "I;16L")


def read_image(path: Path) -> tuple[Tensor, Tensor]:
    """Read a picture, or all frames of an animated one.

    The orientation that a camera noted is applied; 16-bit grey is scaled by its full range; frames
    of another size than the first are skipped.

    Args:
        path: any format that Pillow reads.

    Returns:
        IMAGE [B,H,W,3] and MASK [B,H,W], float32 in 0..1; the mask is 1 where the picture is
        transparent, and [B,64,64] of zeros where it has no alpha.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no picture, or damaged.
    """
    frames = _read_frames(path)
    size = frames[0].size
    frames = [frame for frame in frames if frame.size == size]
    images = [_to_tensor(frame.convert("RGB")) for frame in frames]
    alphas = [_alpha(frame) for frame in frames]
    if any(alpha is not None for alpha in alphas):
        blank = torch.zeros(size[1], size[0])
    else:
        blank = torch.zeros(NO_MASK_SIZE)
    masks = [blank if alpha is None else 1 - alpha for alpha in alphas]
    return torch.stack(images), torch.stack(masks)


def read_mask(path: Path, channel: str) -> Tensor:
    """Read one channel of a picture's first frame as a mask.

    Args:
        path: any format that Pillow reads.
        channel: "red", "green", "blue", or "alpha", which is inverted.

    Returns:
        MASK [1,H,W] float32 in 0..1; zeros for the alpha of a picture without any.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no picture, or damaged.
    """
    frame = _read_frames(path)[0]
    if channel == "alpha":
        alpha = _alpha(frame)
        return torch.zeros(1, frame.height, frame.width) if alpha is None else (1 - alpha)[None]
    index = ("red", "green", "blue").index(channel)
    return _to_tensor(frame.convert("RGB"))[None, ..., index]


def write_png(path: Path, frame: Tensor, texts: Mapping[str, str]) -> None:
    """Write one frame as an 8-bit PNG.

    Args:
        path: the file; its folder must exist.
        frame: [H,W,C] with C = 1 (grey), 3 (RGB) or 4 (RGBA), 0..1; values outside are clipped,
            NaN becomes 0, and values between two levels go to the lower one, as in ComfyUI.
        texts: text chunks, by keyword.

    Raises:
        ValueError: `frame` has another shape.
    """
    if frame.ndim != 3 or frame.shape[-1] not in (1, 3, 4):
        raise ValueError(f"a picture must be [H,W,C] with 1, 3 or 4 channels, got {_shape(frame)}")
    levels = (frame.detach().float().cpu().nan_to_num(0.0) * 255).clamp(0, 255).to(torch.uint8)
    info = PngInfo()
    for keyword, text in texts.items():
        info.add_text(keyword, text)
    pixels = levels.numpy()
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    picture.save(path, "PNG", pnginfo=info, compress_level=4)


def save_frames(
    images: Tensor, folder: Path, prefix: str, texts: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Write frames as `<prefix>_00001_.png` and on, behind the highest number already there.

    Args:
        images: [B,H,W,C], 0..1.
        folder: where `prefix` starts; made where missing.
        prefix: may hold subfolders and %width%, %height%, %year%, %month%, %day%, %hour%, %minute%,
            %second%, %batch_num%.
        texts: text chunks for each PNG.

    Returns:
        For each file its name, its subfolder, and its path from `folder` on.

    Raises:
        ValueError: the prefix leads out of the folder, or `images` has another shape.
    """
    if images.ndim != 4:
        raise ValueError(f"pictures must be [B,H,W,C], got {list(images.shape)}")
    base = place_inside(folder, fill_in(prefix, images.shape[2], images.shape[1]))
    base.parent.mkdir(parents=True, exist_ok=True)
    subfolder = "/".join(base.relative_to(folder).parent.parts)
    first = next_number(base.parent, base.name)
    saved = []
    for index, frame in enumerate(images):
        stem = base.name.replace("%batch_num%", str(index))
        path = base.with_name(f"{stem}_{first + index:05}_.png")
        write_png(path, frame, texts)
        saved.append({"filename": path.name, "subfolder": subfolder, "path": str(path)})
    return saved


def place_inside(folder: Path, name: str) -> Path:
    """Give the path of a file that a workflow or a server names, below a folder.

    Args:
        folder: need not exist.
        name: relative to it, with subfolders or without.

    Raises:
        ValueError: the name leads out of the folder, also through a link.
    """
    root = folder.resolve()
    path = Path(os.path.normpath(root / name))
    if root not in path.parents or not path.parent.resolve().is_relative_to(root):
        raise ValueError(f"the file name {name!r} leads out of the output folder")
    return folder / path.relative_to(root)


def next_number(folder: Path, stem: str) -> int:
    """Give one more than the highest number of `<stem>_<number>_...` in the folder, from 1 on."""
    # Some file systems take "A" and "a" for the same name.
    name = re.escape(stem).replace("%batch_num%", r"\d+")
    pattern = re.compile(name + r"_(\d+)(_|\.|$)", re.IGNORECASE)
    matches = (pattern.match(path.name) for path in folder.iterdir())
    return max((int(match[1]) for match in matches if match), default=0) + 1


def fill_in(prefix: str, width: int, height: int) -> str:
    """Replace the size and the time in a filename prefix."""
    if "%" not in prefix:
        return prefix
    now = time.localtime()
    known = {
        "width": str(width),
        "height": str(height),
        "year": str(now.tm_year),
        "month": f"{now.tm_mon:02}",
        "day": f"{now.tm_mday:02}",
        "hour": f"{now.tm_hour:02}",
        "minute": f"{now.tm_min:02}",
        "second": f"{now.tm_sec:02}",
    }
    return re.sub(r"%(\w+)%", lambda match: known.get(match[1], match[0]), prefix)


def _read_frames(path: Path) -> list[Image.Image]:
    if not path.is_file():
        raise FileNotFoundError(f"there is no picture {path}")
    try:
        with Image.open(path) as picture:
            return list(_oriented_frames(picture))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError) as error:
        # Pillow's decoders have no error class in common.
        raise ValueError(f"{path} cannot be read as a picture: {error}") from error


def _oriented_frames(picture: Image.Image) -> Iterator[Image.Image]:
    for frame in ImageSequence.Iterator(picture):
        yield _eight_bit(ImageOps.exif_transpose(frame.copy()))
        # The further pictures of an MPO file (some cameras' JPEG) are previews or depth.
        if picture.format == "MPO":
            return


def _eight_bit(frame: Image.Image) -> Image.Image:
    """Scale 16-bit grey, which Pillow would clip at 255."""
    if frame.mode not in GREY_16:
        return frame
    levels = np.asarray(frame).astype(np.float32).clip(0, 65535) / 257
    return Image.fromarray(np.rint(levels).astype(np.uint8))


def _alpha(frame: Image.Image) -> Tensor | None:
    if "A" in frame.getbands():
        return _to_tensor(frame.getchannel("A"))
    if frame.mode == "P" and "transparency" in frame.info:
        return _to_tensor(frame.convert("RGBA").getchannel("A"))
    return None


def _to_tensor(picture: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(picture, dtype=np.float32) / np.float32(255))


def _shape(tensor: Tensor) -> list[int]:
    return list(tensor.shape)
