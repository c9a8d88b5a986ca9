"""Draw triangulated faces: a z-buffered rasteriser, the piecewise-affine warp, masks from vertices.

All triangles of all faces are cut into spans at once (`spans.py`), each pixel picks the nearest of
them, and only then are texture coordinates or weights computed, once a pixel.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .filters import gaussian_blur
from .spans import nearest_span, scan

_PIXELS_AT_ONCE = 1 << 22  # bounds the memory of a long batch to about 400 MB
_LEAST_SIGMA = 0.3  # a narrower Gaussian changes no value by more than 1 %
_LARGEST_SHRINK = 64.0


def rasterize(
    points: Tensor, triangles: Tensor, size: int, depth: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Find the triangle that each pixel of a square shows.

    Where triangles overlap the smallest depth, interpolated, wins; at equal depth, or without
    depth, the first triangle of the list. Both orientations are drawn; triangles without area or
    with a number that is not finite are not.

    Args:
        points: [N, P, 2] float, (x, y) in output pixels, centres at integer + 0.5.
        triangles: [T, 3] int64, indices into P.
        size: side S of the square in pixels.
        depth: [N, P] float, smaller is nearer.

    Returns:
        Triangle indices [N, S, S] int64, -1 where there is none; and barycentric coordinates
        [N, S, S, 3] in 0..1 for the triangle's three corners, 0 where there is none.

    Raises:
        ValueError: a shape or an index does not fit.
    """
    _check_mesh(triangles, points=points)
    _check_depth(points, depth)
    # Each corner carries its own unit vector, and interpolation yields the coordinates.
    unit = torch.eye(3, dtype=points.dtype, device=points.device)
    unit = unit.expand(len(points), len(triangles), 3, 3)
    number = torch.arange(1, len(triangles) + 1, device=points.device)
    barycentric, numbers = _draw(points, unit, number, triangles, size, depth)
    return numbers - 1, barycentric.clamp(0, 1)


def warp_mesh(
    texture: Tensor,
    source: Tensor,
    target: Tensor,
    triangles: Tensor,
    size: int,
    depth: Tensor | None = None,
    weights: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Carry a texture triangle by triangle from source points to target points.

    Each output pixel whose centre lies in a target triangle takes the texture, bilinearly, at the
    same barycentric position of the source triangle; overlaps are ordered as in `rasterize`.
    A face that shrinks is low-passed as a whole beforehand, by the median scale of its triangles:
    a triangle that shrinks much more than the others still aliases. Beyond the texture's border
    its nearest pixel repeats. Differentiable with respect to the texture and the points.

    Args:
        texture: [N, C, H, W] float, any range.
        source: [N, P, 2] float, (x, y) in pixels of the texture, centres at integer + 0.5.
        target: [N, P, 2] float, (x, y) in pixels of the output.
        triangles: [T, 3] int64, indices into P.
        size: side S of the output in pixels.
        depth: [N, P] float depth of the target points, smaller is nearer.
        weights: [N, P] float, to be carried along as `vertex_weights_to_mask` draws them.

    Returns:
        The picture [N, C, S, S], 0 where no triangle is; and a mask [N, 1, S, S], 0 where no
        triangle is and elsewhere the weights, cut off to 0..1, or without any 1.

    Raises:
        ValueError: a shape or an index does not fit.
    """
    _check_mesh(triangles, source=source, target=target)
    _check_depth(target, depth)
    _check_depth(target, weights, "weights")
    if texture.ndim != 4 or len(texture) != len(source):
        raise ValueError(
            f"texture must have shape [{len(source)}, C, H, W] as there are {len(source)} sets of "
            f"source points, got {list(texture.shape)}."
        )
    if len(texture) == 0:
        return texture.new_zeros(0, texture.shape[1], size, size), texture.new_zeros(
            0, 1, size, size
        )
    extent = source.new_tensor([texture.shape[3], texture.shape[2]])
    position = (source / extent * 2 - 1)[:, triangles]  # in grid_sample's square from -1 to 1
    if weights is not None:
        position = torch.cat((position, weights[:, triangles].unsqueeze(-1)), dim=-1)
    one = texture.new_ones(len(triangles))
    drawn, covered = _draw(target, position, one, triangles, size, depth)
    coverage = covered.unsqueeze(1)
    smooth = gaussian_blur(texture, _shrink_sigma(source, target, triangles))
    image = _sample(smooth, drawn[..., :2].to(texture.dtype)).mul_(coverage)
    return image, coverage if weights is None else _as_mask(drawn[..., 2:])


def vertex_weights_to_mask(
    weights: Tensor, points: Tensor, triangles: Tensor, size: int, depth: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Interpolate a weight per vertex over the mesh: a soft mask that follows the face.

    Args:
        weights: [N, P] float; what leaves 0..1 is cut off after the interpolation, not before.
        points: [N, P, 2] float, (x, y) in mask pixels.
        triangles: [T, 3] int64, indices into P.
        size: side S of the mask in pixels.
        depth: [N, P] float, smaller is nearer.

    Returns:
        The mask [N, 1, S, S] in 0..1, 0 outside the mesh; and the coverage [N, 1, S, S], 1 or 0.

    Raises:
        ValueError: a shape or an index does not fit.
    """
    _check_mesh(triangles, points=points)
    _check_depth(points, depth)
    _check_depth(points, weights, "weights")
    values = weights[:, triangles].unsqueeze(-1)
    one = weights.new_ones(len(triangles))
    mask, covered = _draw(points, values, one, triangles, size, depth)
    return _as_mask(mask), covered.unsqueeze(1)


def _as_mask(weights: Tensor) -> Tensor:
    """[N, 1, S, S] in 0..1 of weights drawn as [N, S, S, 1]."""
    return weights.permute(0, 3, 1, 2).clamp(0, 1)


def _draw(
    points: Tensor,
    corners: Tensor,
    labels: Tensor,
    triangles: Tensor,
    size: int,
    depth: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Attributes [N, S, S, K] from those of the triangles' corners, and labels [N, S, S].

    Args:
        points: [N, P, 2].
        corners: [N, T, 3, K].
        labels: [T], a number that each pixel of a triangle gets; the other pixels get 0.
        triangles: [T, 3].
        size: side S.
        depth: [N, P].
    """
    parts = [points.flip(-1)[:, triangles], corners]
    if depth is not None:
        parts.append(depth[:, triangles].unsqueeze(-1))
    vertices, shape = torch.cat(parts, dim=-1), (len(points), size, size)
    if vertices.numel() == 0 or size == 0:
        return corners.new_zeros(*shape, corners.shape[-1]), labels.new_zeros(shape)
    passes = torch.split(vertices, max(1, _PIXELS_AT_ONCE // size**2))
    drawn = [_draw_pass(part, labels, size, depth is not None) for part in passes]
    if len(drawn) == 1:
        return drawn[0]
    values, marks = zip(*drawn, strict=True)
    return torch.cat(values), torch.cat(marks)


def _draw_pass(vertices: Tensor, labels: Tensor, size: int, ordered: bool) -> tuple[Tensor, Tensor]:
    count, channels = len(vertices), vertices.shape[-1] - 2 - ordered
    spans = scan(vertices, size)
    shown = nearest_span(spans, count, size, ordered)
    # One more span, without values, for the pixels without a triangle.
    base = _pick(F.pad(spans.base[:channels], (0, 1)), shown)
    slope = _pick(F.pad(spans.slope[:channels], (0, 1)), shown)
    label = labels.repeat(count).index_select(0, spans.triangle)
    marks = F.pad(label, (0, 1)).index_select(0, shown).view(count, size, size)
    column = torch.arange(size, device=shown.device).repeat_interleave(channels).to(base)
    # Whole rows at once: a product broadcast over two or three channels is ten times slower.
    rows = (count * size, size * channels)
    values = base.view(rows).addcmul_(slope.view(rows), column)
    return values.view(count, size, size, channels), marks


def _pick(table: Tensor, column: Tensor) -> Tensor:
    """[R, K] for R columns of a table with K rows."""
    if len(table) != 2:
        return torch.stack([row.index_select(0, column) for row in table], dim=-1)
    # Complex numbers keep pairs together: one quick look-up instead of two and an interleaving.
    return torch.view_as_real(torch.complex(table[0], table[1]).index_select(0, column))


def _sample(texture: Tensor, grid: Tensor) -> Tensor:
    """[N, C, S, S] from a texture at positions [N, S, S, 2] in -1..1."""
    count, size = grid.shape[:2]
    # On a CPU each picture is sampled by one thread; a single one is dealt out in bands of rows.
    shared = count == 1 and grid.device.type == "cpu"
    bands = math.gcd(size, torch.get_num_threads()) if shared else 1
    image = F.grid_sample(
        texture.expand(count * bands, -1, -1, -1),
        grid.view(count * bands, size // bands, size, 2),
        padding_mode="border",
        align_corners=False,
    )
    parts = image.view(count, bands, -1, size // bands, size)
    return parts.transpose(1, 2).flatten(2, 3)


def _signed_area(points: Tensor, triangles: Tensor) -> Tensor:
    a, b, c = points[:, triangles].unbind(2)
    u, v = b - a, c - a
    return (u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]) / 2


def _shrink_sigma(source: Tensor, target: Tensor, triangles: Tensor) -> Tensor:
    """[N] standard deviation, in texture pixels, that readies a texture for its reduction.

    A pixel counts as a Gaussian of 0.5 px; reduced by `shrink` it must be that much wider.
    """
    if len(triangles) == 0:
        return source.new_zeros(len(source))
    before, after = _signed_area(source, triangles).abs(), _signed_area(target, triangles).abs()
    shrink = (before / after).nanmedian(dim=1).values.nan_to_num(1).clamp(1, _LARGEST_SHRINK**2)
    sigma = 0.5 * (shrink - 1).sqrt().detach()
    return torch.where(sigma < _LEAST_SIGMA, 0, sigma)


def _check_mesh(triangles: Tensor, **points: Tensor) -> None:
    if triangles.ndim != 2 or triangles.shape[1] != 3 or triangles.dtype != torch.int64:
        raise ValueError(
            f"triangles must be [T, 3] int64, got {list(triangles.shape)} {triangles.dtype}."
        )
    first = next(iter(points.values()))
    for name, value in points.items():
        if value.ndim != 3 or value.shape[2] != 2:
            raise ValueError(f"{name} must have shape [N, P, 2], got {list(value.shape)}.")
        if value.shape != first.shape:
            raise ValueError(
                f"{' and '.join(points)} must have the same shape, "
                f"got {list(first.shape)} and {list(value.shape)}."
            )
    if len(triangles) == 0:
        return
    low, high = (int(end) for end in triangles.aminmax())
    if low < 0 or high >= first.shape[1]:
        raise ValueError(
            f"triangles must index {first.shape[1]} points, got indices from {low} to {high}."
        )


def _check_depth(points: Tensor, depth: Tensor | None, name: str = "depth") -> None:
    if depth is not None and depth.shape != points.shape[:2]:
        raise ValueError(f"{name} must be {list(points.shape[:2])}, got {list(depth.shape)}.")
