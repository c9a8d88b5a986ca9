"""Mesh warp against the tutorials' loop of `cv2.warpAffine` over the triangles."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import Delaunay

from ..ops.mesh import warp_mesh
from .timing import THREADS, median_ms, use_threads

SIZE = 512
POINTS = 468

Array = NDArray[np.float32]


def main() -> None:
    """Print the times of both, their ratio and how far the pictures differ inside the mesh."""
    use_threads()
    texture, source, target, triangles = example()
    picture = torch.from_numpy(texture.transpose(2, 0, 1).copy())[None]
    before, after = torch.from_numpy(source)[None], torch.from_numpy(target)[None]
    indices = torch.from_numpy(triangles)

    def ours() -> tuple[torch.Tensor, torch.Tensor]:
        return warp_mesh(picture, before, after, indices, SIZE)

    def theirs() -> tuple[Array, Array]:
        return warp_by_loop(texture, source, target, triangles)

    ours_ms, theirs_ms = median_ms(ours, theirs)
    (image, coverage), (wanted, mask) = ours(), theirs()
    # One pixel inside the mesh, where the loop's blurred outer border has no part.
    inside = ndimage.binary_erosion((mask > 0.999) & (coverage[0, 0].numpy() > 0), iterations=2)
    difference = np.abs(image[0].permute(1, 2, 0).numpy() - wanted)[inside] * 255
    print(f"mesh warp, {len(triangles)} triangles, {SIZE}x{SIZE}x3, {THREADS} threads")
    print(f"  faceloom {ours_ms:7.2f} ms")
    print(f"  OpenCV   {theirs_ms:7.2f} ms   ratio {theirs_ms / ours_ms:.1f}x")
    # The loop cuts rectangles out of the texture and rounds corners to whole pixels, which shows
    # as seams: the largest differences lie along its triangles' edges.
    print(
        f"  difference inside the mesh: mean {difference.mean():.3f}/255, "
        f"99 % under {np.percentile(difference, 99):.2f}/255, max {difference.max():.1f}/255"
    )


def example() -> tuple[Array, Array, Array, NDArray[np.int64]]:
    """A smooth texture [S, S, 3], source and target points [P, 2], triangles [T, 3]."""
    random = np.random.default_rng(0)
    noise = ndimage.gaussian_filter(random.standard_normal((SIZE, SIZE, 3)), (3, 3, 0))
    texture = (0.5 + 0.2 * noise / noise.std()).clip(0, 1).astype(np.float32)
    rank = np.arange(POINTS) + 0.5
    angle, radius = rank * np.pi * (3 - np.sqrt(5)), 0.45 * SIZE * np.sqrt(rank / POINTS)
    source = SIZE / 2 + radius[:, None] * np.stack((np.cos(angle), np.sin(angle)), axis=1)
    source += random.uniform(-2, 2, source.shape)
    shift = 8 * np.sin(source[:, ::-1] / SIZE * 4 * np.pi)
    triangles = Delaunay(source).simplices.astype(np.int64)
    return texture, source.astype(np.float32), (source + shift).astype(np.float32), triangles


def warp_by_loop(
    texture: Array, source: Array, target: Array, triangles: NDArray[np.int64]
) -> tuple[Array, Array]:
    """The well-known way: warp each triangle's bounding rectangle, mask it, composite it."""
    image = np.zeros_like(texture)
    coverage = np.zeros((SIZE, SIZE), np.float32)
    # OpenCV's pixel centres are at integers.
    source, target = source - 0.5, target - 0.5
    for corners in triangles:
        _warp_triangle(texture, image, coverage, source[corners], target[corners])
    return image, coverage


def _warp_triangle(
    texture: Array, image: Array, coverage: Array, source: Array, target: Array
) -> None:
    x0, y0, width0, height0 = cv2.boundingRect(source)
    x1, y1, width1, height1 = cv2.boundingRect(target)
    matrix = cv2.getAffineTransform(
        source - np.array([x0, y0], np.float32), target - np.array([x1, y1], np.float32)
    )
    patch = cv2.warpAffine(
        texture[y0 : y0 + height0, x0 : x0 + width0],
        matrix,
        (width1, height1),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    corners = (target - np.array([x1, y1], np.float32)).astype(np.int32)
    mask = np.zeros((height1, width1), np.float32)
    cv2.fillConvexPoly(mask, corners, 1.0, cv2.LINE_AA, 0)
    rows, columns = slice(y1, y1 + height1), slice(x1, x1 + width1)
    alpha = mask[..., None]
    image[rows, columns] = image[rows, columns] * (1 - alpha) + patch * alpha
    coverage[rows, columns] = np.maximum(coverage[rows, columns], mask)


if __name__ == "__main__":
    main()
