"""Names for saved pictures, counted up as ComfyUI counts them."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from .images import write_png


def save_frames(
    images: Tensor, folder: Path, prefix: str, texts: Mapping[str, str], compress_level: int = 4
) -> list[dict[str, Any]]:
    """Write frames as `<prefix>_00001_.png` and on, behind the highest number already there.

    Args:
        images: [B,H,W,C], 0..1.
        folder: where `prefix` starts; made where missing.
        prefix: may hold subfolders and %width%, %height%, %year%, %month%, %day%, %hour%, %minute%,
            %second%, %batch_num%.
        texts: text chunks for each PNG.
        compress_level: zlib's, 0..9.

    Returns:
        For each file its name, its subfolder, and its path from `folder` on.

    Raises:
        ValueError: the prefix leads out of the folder, or `images` has another shape.
    """
    if images.ndim != 4:
        raise ValueError(f"pictures must be [B,H,W,C], got {list(images.shape)}")
    root = folder.resolve()
    base = Path(os.path.normpath(root / fill_in(prefix, images.shape[2], images.shape[1])))
    # Resolved a second time, because a subfolder may be a link to elsewhere.
    target = base.parent.resolve()
    if root not in base.parents or not target.is_relative_to(root):
        raise ValueError(f"the filename prefix {prefix!r} leads out of the output folder")
    target.mkdir(parents=True, exist_ok=True)
    subfolder = "" if target == root else target.relative_to(root).as_posix()
    first = next_number(target, base.name)
    saved = []
    for index, frame in enumerate(images):
        stem = base.name.replace("%batch_num%", str(index))
        path = target / f"{stem}_{first + index:05}_.png"
        write_png(path, frame, texts, compress_level)
        shown = folder / subfolder / path.name
        saved.append({"filename": path.name, "subfolder": subfolder, "path": str(shown)})
    return saved


def next_number(folder: Path, stem: str) -> int:
    """Give one more than the highest number of `<stem>_<number>_...` in the folder, from 1 on."""
    pattern = re.compile(re.escape(stem) + r"_(\d+)(_|\.|$)")
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
