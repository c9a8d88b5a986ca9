"""The picture arithmetic behind ComfyUI's own nodes, with the results that ComfyUI gives."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor


def resize(frames: Tensor, width: int, height: int, method: str) -> Tensor:
    """Resize [B,C,H,W] to [B,C,height,width].

    Args:
        frames: 0..1.
        width: wanted.
        height: wanted.
        method: "nearest-exact", "bilinear", "area", "bicubic" (none of which low-passes before it
            reduces, but "area"), or "lanczos", which works in 8 bits.
    """
    if method == "lanczos":
        return torch.stack([_lanczos(frame, width, height) for frame in frames])
    return F.interpolate(frames, size=(height, width), mode=method)


def crop_to_aspect(frames: Tensor, width: int, height: int) -> Tensor:
    """Cut equal strips off two opposite sides of [B,C,H,W], to the aspect of width and height."""
    old_height, old_width = frames.shape[-2:]
    wanted, present = width / height, old_width / old_height
    # Written out so that halves round to the same side as in ComfyUI.
    left = round((old_width - old_width * (wanted / present)) / 2) if present > wanted else 0
    top = round((old_height - old_height * (present / wanted)) / 2) if present < wanted else 0
    return frames[..., top : old_height - top, left : old_width - left]


def batch(first: Tensor, second: Tensor) -> Tensor:
    """Join two IMAGEs [B,H,W,C]; the second is cut and resized to the first's size.

    Where only one has alpha, the other gets an opaque one.
    """
    channels = max(first.shape[-1], second.shape[-1])
    first, second = _add_alpha(first, channels), _add_alpha(second, channels)
    if first.shape[1:3] != second.shape[1:3]:
        height, width = first.shape[1:3]
        cut = crop_to_aspect(second.movedim(-1, 1), width, height)
        second = resize(cut, width, height, "bilinear").movedim(1, -1)
    return torch.cat([first, second.to(first.device)])


def lay_over(
    destination: Tensor, source: Tensor, x: int, y: int, resize_source: bool, mask: Tensor | None
) -> Tensor:
    """Lay a source onto a destination with its top left pixel at (x, y).

    Args:
        destination: [B,H,W,C], 0..1.
        source: [B',h,w,C'], 0..1; repeated or cut to B frames, and to the destination's channels.
        x: pixels from the left, 0 or more.
        y: pixels from the top, 0 or more.
        resize_source: stretch the source over the whole destination first.
        mask: [B'',h'',w''], resized to the source's size; 1 shows the source. None: 1 everywhere.

    Returns:
        [B,H,W,C]; a new tensor.
    """
    channels = destination.shape[-1]
    frames = source[..., :channels].to(destination.device)
    frames = _add_alpha(frames, channels).movedim(-1, 1)
    result = destination.movedim(-1, 1).clone()
    if resize_source:
        frames = resize(frames, result.shape[-1], result.shape[-2], "bilinear")
    frames = _repeat(frames, len(result))
    if mask is None:
        weight = torch.ones_like(frames[:, :1])
    else:
        planes = mask.to(result.device).reshape(-1, 1, *mask.shape[-2:])
        weight = _repeat(
            resize(planes, frames.shape[-1], frames.shape[-2], "bilinear"), len(result)
        )
    region = result[..., y : y + frames.shape[-2], x : x + frames.shape[-1]]
    height, width = region.shape[-2:]
    weight, frames = weight[..., :height, :width], frames[..., :height, :width]
    region.copy_(weight * frames + (1 - weight) * region)
    return result.movedim(1, -1)


def _lanczos(frame: Tensor, width: int, height: int) -> Tensor:
    levels = (frame.movedim(0, -1).cpu() * 255).clamp(0, 255).to(torch.uint8).numpy()
    grey = levels.shape[-1] == 1
    picture = Image.fromarray(levels[..., 0] if grey else levels)
    pixels = np.array(picture.resize((width, height), Image.Resampling.LANCZOS), np.float32) / 255
    planes = torch.from_numpy(pixels[..., None] if grey else pixels).movedim(-1, 0)
    return planes.to(frame.device, frame.dtype)


def _add_alpha(image: Tensor, channels: int) -> Tensor:
    missing = channels - image.shape[-1]
    return F.pad(image, (0, 1), value=1.0) if missing == 1 else image


def _repeat(frames: Tensor, count: int) -> Tensor:
    times = -(-count // max(len(frames), 1))
    return frames.repeat(times, 1, 1, 1)[:count]
