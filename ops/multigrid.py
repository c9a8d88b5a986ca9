"""A multigrid cycle for Poisson's equation on the pixels of any mask.

Every level holds a symmetric nine-point operator, the Galerkin product of the level above with
bilinear interpolation, so that ragged outlines, thin strips and free picture borders are seen by
the coarse levels too (Trottenberg, Oosterlee, Schüller, "Multigrid", 2001, section 7.7.4; basis
functions cut off at the mask's edge: Kornhuber, Yserentant 1994).
"""

from __future__ import annotations

from collections.abc import Callable
from types import EllipsisType

import torch
from torch import Tensor

Window = tuple[EllipsisType, slice, slice]
Step = Callable[[], None]
"""Work bound to its arrays: on small levels cutting slices costs more than the sums do."""

_ALL, _HEAD, _TAIL = slice(None), slice(None, -1), slice(1, None)
# A pixel and its neighbour to the east, south, south-east and south-west; the other four
# neighbours are the same pairs the other way round, for the operators are symmetric.
EAST: tuple[Window, Window] = ((..., _ALL, _HEAD), (..., _ALL, _TAIL))
SOUTH: tuple[Window, Window] = ((..., _HEAD, _ALL), (..., _TAIL, _ALL))
SOUTH_EAST: tuple[Window, Window] = ((..., _HEAD, _HEAD), (..., _TAIL, _TAIL))
SOUTH_WEST: tuple[Window, Window] = ((..., _HEAD, _TAIL), (..., _TAIL, _HEAD))
_PAIRS = (EAST, SOUTH, SOUTH_EAST, SOUTH_WEST)

_COARSEST = 100  # unknowns that are solved by a dense inverse
_CACHED = 2**20  # numbers in an array of which a processor's cache holds eight


def share(picture: Tensor) -> int:
    """How many of the pictures [N,C,h,w] to work on at a time.

    A processor is several times slower on arrays that its cache does not hold.
    """
    n = len(picture)
    return max(1, _CACHED // picture[0].numel()) if picture.device.type == "cpu" else n


def restriction(x: Tensor, rows: Tensor, out: Tensor) -> Step:
    """Sum pixels with weights (1/2, 1, 1/2) in both directions onto every second one.

    The transpose of `prolongation`: `x` [N,C,h,w] goes to `out` [N,C,h//2+1,w//2+1] by way of
    the scratch `rows` [N,C,h//2+1,w].
    """
    down, across = _row_restriction(x, rows), _row_restriction(rows.mT, out.mT)

    def step() -> None:
        down()
        across()

    return step


def _row_restriction(x: Tensor, out: Tensor) -> Step:
    even, odd = x[..., 0::2, :], x[..., 1::2, :]
    tops, beyond = out[..., : even.shape[-2], :], out[..., even.shape[-2] :, :]
    above, below = out[..., : odd.shape[-2], :], out[..., 1 : odd.shape[-2] + 1, :]

    def step() -> None:
        beyond.zero_()
        tops.copy_(even)
        above.add_(odd, alpha=0.5)
        below.add_(odd, alpha=0.5)

    return step


def prolongation(coarse: Tensor, rows: Tensor, alive: Tensor, x: Tensor) -> Step:
    """Add `coarse`, interpolated bilinearly, to `x` where `alive` [N,1,h,w] is 1."""
    h, w = x.shape[-2:]
    columns, left = coarse[..., : (w + 1) // 2], coarse[..., : w // 2]
    right = coarse[..., 1 : w // 2 + 1]
    even_columns, odd_columns = rows[..., 0::2], rows[..., 1::2]
    tops, above = rows[..., : (h + 1) // 2, :], rows[..., : h // 2, :]
    below = rows[..., 1 : h // 2 + 1, :]
    even, odd = x[..., 0::2, :], x[..., 1::2, :]
    even_alive, odd_alive = alive[..., 0::2, :], alive[..., 1::2, :]

    def step() -> None:
        even_columns.copy_(columns)
        torch.lerp(left, right, 0.5, out=odd_columns)
        even.addcmul_(even_alive, tops)
        odd.addcmul_(odd_alive, above, value=0.5)
        odd.addcmul_(odd_alive, below, value=0.5)

    return step


def product(stencil: Tensor, x: Tensor, out: Tensor) -> Step:
    """Add the operator's product with `x` [N,C,h,w] to `out`."""
    couplings = _couplings(stencil, x, out)

    def step() -> None:
        out.addcmul_(stencil[:, :1], x)
        couplings()

    return step


def _couplings(stencil: Tensor, x: Tensor, out: Tensor, sign: int = 1) -> Step:
    """Add the product, without its diagonal and times `sign`."""
    terms = []
    for k, (here, there) in enumerate(_PAIRS, start=1):
        coupling = stencil[:, k : k + 1][here]
        terms += [(out[here], coupling, x[there]), (out[there], coupling, x[here])]

    def step() -> None:
        for total, weight, value in terms:
            total.addcmul_(weight, value, value=sign)

    return step


def five_points(inside: Tensor, degree: Tensor, dtype: torch.dtype) -> Tensor:
    """Stencil of the Laplacian over the True pixels of `inside` [N,1,h,w], for `coarsen`.

    A stencil [N,5,h,w] holds the diagonal (here `degree`, a pixel's neighbours in the picture)
    and the couplings to the east, south, south-east and south-west; all are zero where a pixel
    or its neighbour is no unknown.
    """
    n, _, h, w = inside.shape
    weight = inside.to(dtype)
    stencil = weight.new_zeros(n, 5, h, w)
    torch.mul(degree, weight, out=stencil[:, :1])
    for k, (here, there) in enumerate((EAST, SOUTH), start=1):
        stencil[:, k : k + 1][here] = -weight[here] * weight[there]
    return stencil


def coarsen(fine: Tensor) -> Tensor:
    """The Galerkin product with bilinear interpolation, [N,5,h,w] -> [N,5,h//2+1,w//2+1]."""
    return _transpose(_coarsen_rows(_transpose(_coarsen_rows(fine))))


def _coarsen_rows(fine: Tensor) -> Tensor:
    """The Galerkin product for linear interpolation between rows, [N,5,h,w] -> [N,5,h//2+1,w].

    Coarse row I lies on row 2I. Couplings within a row (diagonal, east) collect those of the
    rows 2I-1..2I+1, and both halves of what couples these rows with each other; couplings to
    the next row (south and its corners) are what lies between 2I and 2I+2.
    """
    n, _, h, w = fine.shape
    coarse = fine.new_zeros(n, 5, h // 2 + 1, w)
    even, odd = fine[:, :, 0::2], fine[:, :, 1::2]
    tops, betweens = even.shape[2], odd.shape[2]
    level, down = coarse[:, :2], coarse[:, 2:]
    level[:, :, :tops] = even[:, :2]
    level[:, :, :betweens].add_(odd[:, :2], alpha=0.25)
    level[:, :, 1 : betweens + 1].add_(odd[:, :2], alpha=0.25)
    down[:, :, :tops] = even[:, 2:]
    met = down.clone()  # couplings that touch row 2I, from either side
    met[:, :, 1 : betweens + 1] += odd[:, 2:]
    south, south_east, south_west = met.unbind(1)
    level[:, 0] += south
    level[:, 1].add_(south_east, alpha=0.5)
    level[:, 1, :, :-1].add_(south_west[..., 1:], alpha=0.5)
    down[:, :, :betweens] += odd[:, 2:]
    down *= 0.5
    down[:, :2, :betweens].add_(odd[:, :2], alpha=0.25)
    down[:, 2, :betweens, 1:].add_(odd[:, 1, :, :-1], alpha=0.25)
    return coarse


def _transpose(stencil: Tensor) -> Tensor:
    """The stencil of the picture mirrored at its diagonal, [N,5,h,w] -> [N,5,w,h]."""
    diagonal, east, south, south_east, south_west = stencil.mT.unbind(1)
    # A south-west coupling is kept at its upper end, which is the lower one of the mirrored.
    turned = torch.zeros_like(south_west)
    turned[SOUTH_WEST[0]] = south_west[SOUTH_WEST[1]]
    return torch.stack((diagonal, south, east, south_east, turned), dim=1)


class Coarsest:
    """The last level: `cycle` solves for `right` [N,C,h,w] exactly (nearly) and writes `x`."""

    def __init__(self, stencil: Tensor, channels: int) -> None:
        n, _, h, w = stencil.shape
        self.right: Tensor
        self.x: Tensor
        self.right, self.x = stencil.new_empty(2, n, channels, h, w)
        self._inverse = _dense_inverse(stencil)

    def cycle(self) -> None:
        """One matrix product."""
        torch.matmul(self.right.flatten(2), self._inverse, out=self.x.flatten(2))


class Level:
    """A level above another: `cycle` makes `x` about the solution for `right`, [N,C,h,w] both."""

    def __init__(self, stencil: Tensor, coarser: Level | Coarsest) -> None:
        n, channels, rows, _ = coarser.x.shape
        h, w = stencil.shape[-2:]
        self.right: Tensor
        self.x: Tensor
        self.right, self.x = stencil.new_empty(2, n, channels, h, w)
        self._coarser = coarser
        few = share(self.x)
        # One scratch for all shares: it then stays in the cache.
        scratch = stencil.new_empty(few, channels, rows, w)
        sums = stencil.new_empty(few, channels, h, w)
        shares = (torch.split(x, few) for x in (stencil, self.right, self.x))
        coarse = (torch.split(x, few) for x in (coarser.right, coarser.x))
        self._down: list[Step] = []
        self._up: list[Step] = []
        for weights, right, x, coarse_right, coarse_x in zip(*shares, *coarse, strict=True):
            rows_of, sums_of = scratch[: len(x)], sums[: len(x)]
            self._down.append(restriction(right, rows_of, coarse_right))
            self._up.append(_ascent(weights, right, x, coarse_x, rows_of, sums_of))

    def cycle(self) -> None:
        """One V-cycle from zero, with two Jacobi steps on the way up."""
        for step in self._down:
            step()
        self._coarser.cycle()
        for step in self._up:
            step()


def _ascent(
    stencil: Tensor, right: Tensor, x: Tensor, coarse: Tensor, rows: Tensor, sums: Tensor
) -> Step:
    """Interpolate `coarse` to `x`, and take two Jacobi steps."""
    diagonal = stencil[:, :1]
    alive = (diagonal > 0).to(stencil)
    inverse = torch.where(diagonal > 0, 1 / diagonal, 0.0)
    prolong = prolongation(coarse, rows, alive, x)
    subtract_couplings = _couplings(stencil, x, sums, sign=-1)

    def step() -> None:
        x.zero_()
        prolong()
        for _ in range(2):
            sums.copy_(right)
            subtract_couplings()
            torch.mul(inverse, sums, out=x)

    return step


def hierarchy(stencil: Tensor, channels: int) -> Level | Coarsest:
    """Levels from a stencil [N,5,h,w] down to where a dense inverse is cheap; the topmost."""
    if stencil[0, 0].numel() <= _COARSEST:
        return Coarsest(stencil, channels)
    return Level(stencil, hierarchy(coarsen(stencil), channels))


def _dense_inverse(stencil: Tensor) -> Tensor:
    """The operator's inverse as a matrix, [N,n,n]; pixels that are no unknowns get the identity."""
    n, _, h, w = stencil.shape
    unit = torch.eye(h * w).to(stencil).view(1, h * w, h, w)
    matrix = stencil.new_zeros(n, h * w, h, w)
    product(stencil, unit, matrix)()
    # Where few pixels are left, coarse unknowns can be redundant: a touch on the diagonal keeps
    # the factors finite, and only makes the cycle a little less exact.
    diagonal = stencil[:, 0].flatten(1)
    touch = torch.where(diagonal > 0, 3e-5 * diagonal, 1.0)
    factor, _ = torch.linalg.cholesky_ex(matrix.flatten(2) + torch.diag_embed(touch))
    return torch.cholesky_inverse(factor)
