"""Poisson's equation over the pixels of a mask, by conjugate gradients with a multigrid cycle."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .multigrid import (
    EAST,
    SOUTH,
    Coarsest,
    Level,
    Step,
    coarsen,
    five_points,
    hierarchy,
    prolongation,
    restriction,
)

_DAMPING = 0.8  # of Jacobi: best for five points
_TOLERANCE = 2e-4  # of the largest correction; the step then taken leaves about a tenth of it
_MOST_STEPS = 40
_CACHED = 2**20  # numbers in an array of which a processor's cache holds eight


def solve(inside: Tensor, right: Tensor) -> Tensor:
    """Solve the five-point Poisson equation over the True pixels of `inside`.

    Pixels outside count as zeros, and beyond the picture's border there is nothing (Neumann).
    Each plane is a system of its own. It has settled when its preconditioned residual, which
    estimates the error itself, is small; a plane with NaN stays NaN and holds no other up.

    Args:
        inside: [N,1,H,W] bool, N at least 1, each connected part with a False neighbour.
        right: [N,C,H,W] float, zero outside.

    Returns:
        [N,C,H,W], zero outside.

    Source: Trottenberg, Oosterlee, Schüller, "Multigrid", 2001, section 7.8.
    """
    n, channels, h, w = right.shape
    # A processor is several times slower on arrays that its cache does not hold, so there the
    # finest level, most of the work, is done for a few faces at a time.
    few = max(1, _CACHED // (channels * h * w)) if right.device.type == "cpu" else n
    degree = _degree(right)
    stencils = [coarsen(five_points(i, degree, right.dtype)) for i in torch.split(inside, few)]
    coarse = hierarchy(torch.cat(stencils), channels)
    shares = zip(
        torch.split(inside, few),
        torch.split(right, few),
        torch.split(coarse.right, few),
        torch.split(coarse.x, few),
        strict=True,
    )
    parts = [_Finest(*share, degree) for share in shares]
    _iterate(parts, coarse)
    return torch.cat([part.solution for part in parts])


def _iterate(parts: list[_Finest], coarse: Level | Coarsest) -> None:
    for part in parts:
        part.descend()
    for _ in range(_MOST_STEPS):
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


def _neighbours(x: Tensor, out: Tensor) -> Step:
    """Write every pixel's sum over its four neighbours to `out`."""
    last, above, below = out[..., -1:, :], out[SOUTH[0]], out[SOUTH[1]]
    from_below, from_above = x[SOUTH[1]], x[SOUTH[0]]
    sideways = [(out[here], x[there]) for here, there in (EAST, EAST[::-1])]

    def step() -> None:
        last.zero_()
        above.copy_(from_below)
        below.add_(from_above)
        for total, value in sideways:
            total.add_(value)

    return step


class _Finest:
    """Some pictures at full size: Jacobi around the coarse levels, and the conjugate gradients.

    All vectors [N,C,h,w] but the residual are zero outside of the mask, so that sums over
    neighbours need no weights. What gathers in the residual outside is never read.
    """

    def __init__(
        self, inside: Tensor, right: Tensor, coarse_right: Tensor, coarse_x: Tensor, degree: Tensor
    ) -> None:
        self.solution = torch.zeros_like(right)
        self._degree = degree
        self._alive = inside.to(right.dtype)
        self._jacobi = _DAMPING * self._alive / degree
        self._residual = right.clone()
        self._z, self._direction, self._scratch = torch.zeros_like(right[None]).repeat(
            3, 1, 1, 1, 1
        )
        rows = right.new_empty(*coarse_x.shape[:-1], right.shape[-1])
        self._sum_around_z = _neighbours(self._z, self._scratch)
        self._sum_around_direction = _neighbours(self._direction, self._scratch)
        self._restrict = restriction(self._scratch, rows, coarse_right)
        self._prolong = prolongation(coarse_x, rows, self._alive, self._z)
        self._power = right.new_tensor(math.inf)
        self._enough: Tensor | None = None

    def descend(self) -> None:
        """Precondition the residual, down: a Jacobi step, and what is left to the coarse level."""
        torch.mul(self._jacobi, self._residual, out=self._z)
        self._sum_around_z()
        self._scratch.add_(self._residual, alpha=1 - _DAMPING).mul_(self._alive)
        self._restrict()

    def _ascend(self) -> None:
        self._prolong()
        self._sum_around_z()
        self._scratch.add_(self._residual)
        self._z.mul_(1 - _DAMPING).addcmul_(self._jacobi, self._scratch)

    def goes_on(self) -> bool:
        """After the coarse cycle: finish the step, and start the next one if one is needed."""
        self._ascend()
        largest = torch.abs(self._z, out=self._scratch).amax((-2, -1))
        if self._enough is None:
            self._enough = _TOLERANCE * largest
        if not bool((largest > self._enough).any()):
            self.solution += self._z
            return False
        self._advance()
        self.descend()
        return True

    def _advance(self) -> None:
        """Go to the least error along a direction conjugate to those before."""
        before = self._power
        self._power = torch.mul(self._residual, self._z, out=self._scratch).sum(
            (-2, -1), keepdim=True
        )
        torch.addcmul(self._z, _ratio(self._power, before), self._direction, out=self._direction)
        self._sum_around_direction()
        change = self._scratch.addcmul_(self._degree, self._direction, value=-1)
        # The preconditioned residual has been used up, so its array is free.
        drop = torch.mul(self._direction, change, out=self._z).sum((-2, -1), keepdim=True)
        step = _ratio(self._power, -drop)
        self.solution.addcmul_(step, self._direction)
        self._residual.addcmul_(step, change)


def _ratio(a: Tensor, b: Tensor) -> Tensor:
    return torch.where(b > 0, a / b, 0.0)
