"""Paste against the usual whole-frame recipe in OpenCV, and the accuracy of crop and paste."""

from __future__ import annotations

import math

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..ops.paste import paste, paste_
from ..ops.warp import crop
from .timing import THREADS, median_ms, use_threads

SIZE = 256
FACE = 320
"""Side in frame pixels of what the crop shows."""
FRAMES = {"720p": (720, 1280), "1080p": (1080, 1920), "4K": (2160, 3840)}

FIRST = torch.tensor([0])

Array = NDArray[np.float32]


def main() -> None:
    """Print times side by side, the cost by frame size, and three errors."""
    use_threads()
    print(f"paste one {SIZE} crop, {FACE} px in the frame, turned 10 degrees, {THREADS} threads")
    # Once for nothing: a machine that was idle is slower at first, and the first row would show it.
    compare(*FRAMES["720p"])
    for name, size in FRAMES.items():
        ours, theirs = compare(*size)
        print(
            f"  {name:6} faceloom {ours:7.2f} ms   OpenCV, whole frame {theirs:7.2f} ms   "
            f"ratio {theirs / ours:5.1f}x"
        )
    for degrees in (0, 10, 45):
        ours_std, plain_std = checkerboard_deviation(degrees)
        print(
            f"  checkerboard / 8.1, {degrees:2} degrees: "
            f"std {ours_std:.4f}, plain bilinear {plain_std:.4f}"
        )
    inside, outside = round_trip_error()
    print(
        f"  crop and paste back: {inside * 255:.3f}/255 inside the mask, {outside * 255:g} outside"
    )


def compare(height: int, width: int) -> tuple[float, float]:
    """Median times of `paste_` and of the whole-frame recipe.

    One after the other and not in turns: the idle threads of either library spin for a while, and
    would take the cores from the other.
    """
    frame = torch.rand(1, height, width, 3)
    face, matrix, mask = torch.rand(1, 3, SIZE, SIZE), placed((width / 2, height / 2), 10), disc()
    picture: Array = frame[0].numpy().copy()
    square: Array = np.ascontiguousarray(face[0].permute(1, 2, 0).numpy())
    to_frame: Array = cv2.invertAffineTransform(matrix[0].numpy())
    ours = median_ms(lambda: paste_(frame.permute(0, 3, 1, 2), face, mask, matrix, FIRST))
    theirs = median_ms(lambda: paste_whole_frame(picture, square, to_frame))
    return ours[0], theirs[0]


def paste_whole_frame(frame: Array, face: Array, to_frame: Array) -> Array:
    """What inswapper's users run: warp, erode, blur and blend at the frame's size."""
    size = (frame.shape[1], frame.shape[0])
    warped = cv2.warpAffine(face, to_frame, size)
    mask = cv2.warpAffine(np.ones(face.shape[:2], np.float32), to_frame, size)
    rows, columns = np.nonzero(mask > 0.08)
    side = math.sqrt((rows.max() - rows.min()) * (columns.max() - columns.min()))
    mask = cv2.erode(mask, np.ones((max(int(side / 10), 10),) * 2, np.uint8))
    mask = cv2.GaussianBlur(mask, (2 * max(int(side / 20), 5) + 1,) * 2, 0)[..., None]
    blended: Array = mask * warped + (1 - mask) * frame
    return blended


def placed(centre: tuple[float, float], degrees: float, scale: float = SIZE / FACE) -> Tensor:
    """The matrix [1, 2, 3] that shows `centre` in the middle of a crop."""
    cos, sin = scale * math.cos(math.radians(degrees)), scale * math.sin(math.radians(degrees))
    (x, y), half = centre, SIZE / 2
    return torch.tensor(
        [[[cos, -sin, half - cos * x + sin * y], [sin, cos, half - sin * x - cos * y]]]
    )


def disc() -> Tensor:
    """A soft round mask [1, 1, SIZE, SIZE]."""
    centres = (torch.arange(SIZE) + 0.5) / SIZE - 0.5
    return ((0.45 - torch.hypot(centres[:, None], centres)) * 10).clamp(0, 1)[None, None]


def checkerboard_deviation(degrees: float) -> tuple[float, float]:
    """Deviation of a one-pixel checkerboard in a crop 8.1 times smaller: ours, OpenCV's bilinear.

    Not 8 times, where the samples of an upright crop all fall on squares of one colour.
    """
    index = torch.arange(2400)
    board = ((index[:, None] + index) % 2).float()
    matrix = placed((1200.3, 1199.6), degrees, 1 / 8.1)
    ours = crop(board.expand(1, 3, -1, -1), matrix, FIRST, SIZE)
    # Only the middle: at some angles the crop's corners leave the board.
    plain = cv2.warpAffine(board.numpy(), matrix[0].numpy(), (SIZE, SIZE), flags=cv2.INTER_LINEAR)
    middle = slice(SIZE // 4, -SIZE // 4)
    return float(ours[..., middle, middle].std()), float(plain[middle, middle].std())


def round_trip_error() -> tuple[float, float]:
    """Largest change of a smooth picture by crop and paste, inside and outside the mask."""
    y, x = torch.meshgrid(torch.arange(600.0), torch.arange(800.0), indexing="ij")
    waves = [0.5 + 0.45 * torch.sin(x / a + y / b) for a, b in [(9, 14), (25, 8), (-12, 11)]]
    frames, matrix = torch.stack(waves)[None], placed((400, 300), 10)
    change = paste(frames, crop(frames, matrix, FIRST, SIZE), disc(), matrix, FIRST) - frames
    reach = torch.hypot(x + 0.5 - 400, y + 0.5 - 300) < 0.45 * FACE + 2  # bilinear reach
    return float(change.abs()[..., reach].max()), float(change.abs()[..., ~reach].max())


if __name__ == "__main__":
    main()
