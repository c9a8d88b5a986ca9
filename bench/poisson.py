"""Poisson cloning against `cv2.seamlessClone`, and both against the exact sparse solution."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from scipy.sparse.linalg import spsolve
from torch import Tensor

from ..ops.poisson import seamless_clone
from .timing import THREADS, median_ms, use_threads

BATCH = 8

Bytes = NDArray[np.uint8]


def main() -> None:
    """Print times side by side, what a batch costs, and the errors."""
    use_threads()
    print(f"Poisson cloning, elliptical mask, 3 channels, {THREADS} threads")
    for side in (512, 256):
        source, target, mask = scene(BATCH, side)
        first = source[:1], target[:1], mask[:1]
        one, theirs, eight = median_ms(
            partial(seamless_clone, *first),
            opencv(*first),
            partial(seamless_clone, source, target, mask),
        )
        print(
            f"  {side}: faceloom {one:6.1f} ms   OpenCV {theirs:6.1f} ms   "
            f"ratio {one / theirs:4.2f}   {BATCH} faces {eight:6.1f} ms = {eight / one:.1f}x one"
        )
        if torch.cuda.is_available():
            gpu = on_gpu(source, target, mask)
            print(f"  {side}: GPU {gpu:6.2f} ms a face, {theirs / gpu:.1f}x faster than OpenCV")
    ours_error, their_error = errors()
    print(
        f"  256, largest error against SciPy's sparse solution: "
        f"faceloom {ours_error * 255:.4f}/255, OpenCV {their_error * 255:.2f}/255"
    )


def scene(n: int, side: int) -> tuple[Tensor, Tensor, Tensor]:
    """Soft noise as source and target, and an ellipse as large as a face in its crop."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(2, n, 3, side // 4, side // 4, generator=generator)
    source, target = (
        torch.nn.functional.interpolate(x, (side, side), mode="bilinear") for x in coarse
    )
    place = (torch.arange(side) + 0.5) / side - 0.5
    ellipse = (place / 0.39) ** 2 + (place[:, None] / 0.46) ** 2 < 1
    return 0.25 + 0.5 * source, 0.25 + 0.5 * target, ellipse.float().expand(n, 1, -1, -1)


def opencv(source: Tensor, target: Tensor, mask: Tensor) -> Callable[[], Bytes]:
    """`cv2.seamlessClone` of the same faces, in place."""
    ours, theirs = to_bytes(source), to_bytes(target)
    hard = np.ascontiguousarray(to_bytes(mask)[..., 0])
    x, y, w, h = cv2.boundingRect(hard)
    centre = (x + w // 2, y + h // 2)
    return lambda: cv2.seamlessClone(ours, theirs, hard, centre, cv2.NORMAL_CLONE)


def to_bytes(x: Tensor) -> Bytes:
    """[1, C, H, W] in 0..1 to [H, W, C]."""
    pixels: Bytes = np.ascontiguousarray((x[0] * 255).round().byte().permute(1, 2, 0).numpy())
    return pixels


def on_gpu(source: Tensor, target: Tensor, mask: Tensor) -> float:
    """Median milliseconds a face of the batch."""
    batch = source.cuda(), target.cuda(), mask.cuda()

    def run() -> None:
        seamless_clone(*batch)
        torch.cuda.synchronize()

    return median_ms(run)[0] / len(source)


def errors() -> tuple[float, float]:
    """Largest error inside the mask at 256, ours and OpenCV's, from the same 8-bit pictures."""
    source, target, mask = scene(1, 256)
    source, target = (source * 255).round() / 255, (target * 255).round() / 255
    wanted = exact(source, target, mask)
    theirs = torch.from_numpy(opencv(source, target, mask)()).permute(2, 0, 1) / 255
    inside = mask[0].expand_as(wanted) > 0.5
    results = seamless_clone(source, target, mask)[0], theirs
    ours, other = (float((r - wanted)[inside].abs().max()) for r in results)
    return ours, other


def exact(source: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """[3, H, W] float64: least squares between all differences of neighbouring pixels."""
    h, w = mask.shape[-2:]
    s, t = (x[0].double().flatten(1).T.numpy() for x in (source, target))
    inside = mask.flatten().numpy() > 0.5
    down, across = (sp.diags_array([-1.0, 1.0], offsets=[0, 1], shape=(k - 1, k)) for k in (h, w))
    d = sp.vstack([sp.kron(down, sp.eye_array(w)), sp.kron(sp.eye_array(h), across)]).tocsc()
    free, fixed = d[:, inside], d[:, ~inside]
    out = t.copy()
    out[inside] = spsolve((free.T @ free).tocsc(), free.T @ (d @ s - fixed @ t[~inside]))
    return torch.from_numpy(out.T.reshape(-1, h, w))


if __name__ == "__main__":
    main()
