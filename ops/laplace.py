"""Poisson's equation over the pixels of a mask, by multigrid cycles."""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor

from .multigrid import (
    EAST,
    SOUTH,
    Coarsest,
    Level,
    coarsen,
    five_points,
    hierarchy,
    share,
)

_TOLERANCE = 3e-5  # of the largest value: what may be left, as far as it can be told
_HALF = 0.55  # in the interpolation to this level, as corrections come out a little too small
_MOST_CYCLES = 40


def solve(inside: Tensor, right: Tensor) -> Tensor:
    """Solve the five-point Poisson equation over the True pixels of `inside`.

    Pixels outside count as zeros, and beyond the picture's border there is nothing (Neumann).
    Each plane is a system of its own; a plane with NaN stays NaN and holds no other up.

    Args:
        inside: [N,1,H,W] bool, N at least 1, each connected part with a False neighbour.
        right: [N,C,H,W] float, zero outside.

    Returns:
        [N,C,H,W], zero outside.

    Source: Trottenberg, Oosterlee, Schüller, "Multigrid", 2001, sections 2.5 and 7.7.4.
    """
    channels = right.shape[1]
    few = share(right)
    degree = _degree(right)
    stencils = [coarsen(five_points(i, degree, right.dtype)) for i in torch.split(inside, few)]
    coarse = hierarchy(torch.cat(stencils), channels)
    rows, columns = coarse.x.shape[-2:]
    split_degree = _split(degree, rows, columns, beyond=1)
    shares = zip(
        torch.split(inside, few),
        torch.split(right, few),
        torch.split(coarse.right, few),
        torch.split(coarse.x, few),
        strict=True,
    )
    parts = [_Finest(*each, split_degree) for each in shares]
    _iterate(parts, coarse)
    return torch.cat([part.solution() for part in parts])


def _iterate(parts: list[_Finest], coarse: Level | Coarsest) -> None:
    for part in parts:
        part.relax()
        part.descend()
    for _ in range(_MOST_CYCLES):
        coarse.cycle()
        parts = [part for part in parts if part.goes_on()]
        if not parts:
            return


def _degree(picture: Tensor) -> Tensor:
    """How many neighbours a pixel has within the picture, [1,1,H,W]."""
    degree = picture.new_zeros(1, 1, *picture.shape[-2:])
    for here, there in (EAST, SOUTH):
        degree[here] += 1
        degree[there] += 1
    return degree


class _Finest:
    """Some pictures at full size: Gauss-Seidel steps in red-black order around the coarse levels.

    An array is kept as four, [2,2,N,C,rows * columns]: its pixels in even and odd rows and
    columns, where the even ones are those the next level keeps. A pixel's neighbours are then
    at the same place of other arrays, or one row or one column before or after it. The pixels
    one colour of the chess board fills (even-even and odd-odd: red) only see the other colour.
    The four are so large that the last of an odd row or column is always outside of the mask:
    stepping over the end of a row meets a zero.
    """

    def __init__(
        self, inside: Tensor, right: Tensor, coarse_right: Tensor, coarse_x: Tensor, degree: Tensor
    ) -> None:
        rows, self._columns = coarse_x.shape[-2:]
        self._size = right.shape
        self._degree = degree
        self._right = _split(right, rows, self._columns)
        self._alive = _split(inside.to(right.dtype), rows, self._columns)
        self._inverse = self._alive / degree
        self._x = torch.zeros_like(self._right)
        self._residual = torch.empty_like(self._right[0])
        self._coarse_right, self._coarse_x = coarse_right.flatten(2), coarse_x.flatten(2)
        self._before = right.new_zeros(())
        self._enough: Tensor | None = None

    def relax(self) -> None:
        """Solve each red pixel's equation, then each black one's."""
        self._around_red(*self._red)
        self._red[0].mul_(self._inverse[0, 0])
        self._red[1].mul_(self._inverse[1, 1])
        self._around_black(*self._black)
        self._black[0].mul_(self._inverse[0, 1])
        self._black[1].mul_(self._inverse[1, 0])

    @property
    def _red(self) -> tuple[Tensor, Tensor]:
        return self._x[0, 0], self._x[1, 1]

    @property
    def _black(self) -> tuple[Tensor, Tensor]:
        return self._x[0, 1], self._x[1, 0]

    def _around_red(self, even: Tensor, odd: Tensor) -> None:
        """Write what a red pixel's equation says but for its own term."""
        row = self._columns
        beside, below = self._black
        both = torch.add(beside, below, out=self._coarse_right)  # free until `descend` is done
        torch.add(self._right[0, 0], both, out=even)
        even[..., 1:].add_(beside[..., :-1])
        even[..., row:].add_(below[..., :-row])
        torch.add(self._right[1, 1], both, out=odd)
        odd[..., :-1].add_(below[..., 1:])
        odd[..., :-row].add_(beside[..., row:])

    def _around_black(self, beside: Tensor, below: Tensor) -> None:
        row = self._columns
        even, odd = self._red
        both = torch.add(even, odd, out=self._coarse_right)
        torch.add(self._right[0, 1], both, out=beside)
        beside[..., :-1].add_(even[..., 1:])
        beside[..., row:].add_(odd[..., :-row])
        torch.add(self._right[1, 0], both, out=below)
        below[..., 1:].add_(odd[..., :-1])
        below[..., :-row].add_(even[..., row:])

    def descend(self) -> None:
        """Sum the residual onto the coarse level. After `relax` there is none at black pixels."""
        row = self._columns
        even, odd = self._residual
        self._around_red(even, odd)
        even.mul_(self._alive[0, 0]).addcmul_(self._degree[0, 0], self._x[0, 0], value=-1)
        odd.mul_(self._alive[1, 1]).addcmul_(self._degree[1, 1], self._x[1, 1], value=-1)
        total = self._coarse_right
        torch.add(even, odd, alpha=0.25, out=total)
        for k in (1, row, row + 1):
            total[..., k:].add_(odd[..., :-k], alpha=0.25)

    def goes_on(self) -> bool:
        """After the coarse cycle: finish this cycle, and start the next one if one is needed."""
        self._ascend()
        self.relax()
        if self._settled():
            return False
        self.descend()
        return True

    def _ascend(self) -> None:
        """Interpolate at black pixels only: the red ones are computed from these next."""
        row = self._columns
        coarse, (beside, below) = self._coarse_x, self._black
        among, under = self._alive[0, 1], self._alive[1, 0]
        beside.addcmul_(among, coarse, value=_HALF)
        beside[..., :-1].addcmul_(among[..., :-1], coarse[..., 1:], value=_HALF)
        below.addcmul_(under, coarse, value=_HALF)
        below[..., :-row].addcmul_(under[..., :-row], coarse[..., row:], value=_HALF)

    def _settled(self) -> bool:
        """Whether the corrections, were they to shrink on as from the last one, sum to little."""
        now = self._coarse_x.abs().amax(-1)
        shrunk, self._before = self._before - now, now
        if self._enough is None:
            self._enough = _TOLERANCE * self._x.abs().amax((0, 1, -1))
        # now * (q + q^2 + ...) with q = now / before
        return not bool((now * now > self._enough * shrunk.clamp(min=self._enough)).any())

    def solution(self) -> Tensor:
        """Put the four arrays together, [N,C,H,W]."""
        n, channels, h, w = self._size
        x = self._x.view(2, 2, n, channels, -1, self._columns)
        whole = x.permute(2, 3, 4, 0, 5, 1).reshape(n, channels, 2 * x.shape[-2], -1)
        return whole[..., :h, :w]


def _split(x: Tensor, rows: int, columns: int, beyond: float = 0.0) -> Tensor:
    """[N,C,h,w] to [2,2,N,C,rows * columns], which holds `beyond` where there is no pixel."""
    quarters = x.new_full((2, 2, *x.shape[:2], rows, columns), beyond)
    for down, right in product(range(2), repeat=2):
        quarter = x[..., down::2, right::2]
        quarters[down, right, ..., : quarter.shape[-2], : quarter.shape[-1]] = quarter
    return quarters.flatten(-2)
