"""Multigrid-preconditioned conjugate gradients for Poisson's equation on pixels of any mask.

Every level holds a symmetric nine-point operator, the Galerkin product of the level above with
bilinear interpolation, so that ragged outlines, thin strips and free picture borders are seen by
the coarse levels too (Trottenberg, Oosterlee, Schüller, "Multigrid", 2001, sections 7.7.4 and
7.8 for multigrid as a preconditioner; truncated basis functions at the mask's edge: Kornhuber,
Yserentant 1994).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import EllipsisType

import torch
from torch import Tensor

Window = tuple[EllipsisType, slice, slice]

_ALL, _HEAD, _TAIL = slice(None), slice(None, -1), slice(1, None)
# A pixel and its neighbour to the east, south, south-east and south-west; the other four
# neighbours are the same pairs the other way round, for the operator is symmetric.
EAST: tuple[Window, Window] = ((..., _ALL, _HEAD), (..., _ALL, _TAIL))
SOUTH: tuple[Window, Window] = ((..., _HEAD, _ALL), (..., _TAIL, _ALL))
SOUTH_EAST: tuple[Window, Window] = ((..., _HEAD, _HEAD), (..., _TAIL, _TAIL))
SOUTH_WEST: tuple[Window, Window] = ((..., _HEAD, _TAIL), (..., _TAIL, _HEAD))

_COARSEST = 300  # unknowns that are solved by a dense inverse
_DAMPING = 0.85  # of Jacobi: between the best for five points (4/5) and for nine (8/9)
_TOLERANCE = 3e-4  # of the largest correction; the step then taken leaves about a tenth of it
_MOST_STEPS = 40
_CACHED = 2**21  # numbers in one array of the finest level that a processor's cache bears


@dataclass(frozen=True)
class Operator:
    """A symmetric operator on the pixels of one level.

    `stencil` [N,5,h,w]: the diagonal, and each pixel's coupling to its neighbour in the east,
    south, south-east and south-west; all zero where a pixel is no unknown. `corners` tells
    whether the last two are there at all.
    """

    stencil: Tensor
    corners: bool

    @property
    def diagonal(self) -> Tensor:
        """[N,1,h,w]."""
        return self.stencil[:, :1]

    def apply(self, x: Tensor, out: Tensor) -> None:
        """Write `A x` to `out`, both [N,C,h,w]."""
        torch.mul(self.diagonal, x, out=out)
        self._add_neighbours(out, x, 1)

    def residual(self, right: Tensor, x: Tensor, out: Tensor) -> None:
        """Write `right - A x` to `out`, all [N,C,h,w]."""
        torch.addcmul(right, self.diagonal, x, value=-1, out=out)
        self._add_neighbours(out, x, -1)

    def _add_neighbours(self, out: Tensor, x: Tensor, sign: int) -> None:
        pairs = (EAST, SOUTH, SOUTH_EAST, SOUTH_WEST) if self.corners else (EAST, SOUTH)
        for k, (here, there) in enumerate(pairs, start=1):
            coupling = self.stencil[:, k : k + 1][here]
            out[here].addcmul_(coupling, x[there], value=sign)
            out[there].addcmul_(coupling, x[here], value=sign)


def laplacian(inside: Tensor, dtype: torch.dtype) -> Operator:
    """Five-point operator over the True pixels of `inside` [N,1,H,W].

    A pixel's diagonal counts its neighbours within the picture: those outside of the mask are
    Dirichlet values, and beyond the border there is nothing (Neumann).
    """
    n, _, h, w = inside.shape
    stencil = torch.zeros(n, 5, h, w, dtype=dtype, device=inside.device)
    diagonal, weight = stencil[:, :1], inside.to(dtype)
    for k, (here, there) in enumerate((EAST, SOUTH), start=1):
        diagonal[here] += weight[here]
        diagonal[there] += weight[there]
        stencil[:, k : k + 1][here] = -weight[here] * weight[there]
    return Operator(stencil, corners=False)


def _restrict(x: Tensor, rows: Tensor, out: Tensor) -> None:
    """Sum pixels [N,C,h,w] with weights (1/2, 1, 1/2) squared onto every second: `out`.

    `rows` [N,C,h//2+1,w] is scratch. This is the transpose of `_add_prolonged`.
    """
    _restrict_rows(x, rows)
    _restrict_rows(rows.mT, out.mT)


def _restrict_rows(x: Tensor, out: Tensor) -> None:
    even, odd = x[..., 0::2, :], x[..., 1::2, :]
    out[..., even.shape[-2] :, :] = 0
    out[..., : even.shape[-2], :] = even
    out[..., : odd.shape[-2], :].add_(odd, alpha=0.5)
    out[..., 1 : odd.shape[-2] + 1, :].add_(odd, alpha=0.5)


def _add_prolonged(coarse: Tensor, rows: Tensor, alive: Tensor, x: Tensor) -> None:
    """Add `coarse`, interpolated bilinearly, to the unknowns of `x`; `rows` is scratch."""
    h, w = x.shape[-2:]
    rows[..., 0::2] = coarse[..., : (w + 1) // 2]
    left, right = coarse[..., : w // 2], coarse[..., 1 : w // 2 + 1]
    torch.lerp(left, right, 0.5, out=rows[..., 1::2])
    x[..., 0::2, :].addcmul_(alive[..., 0::2, :], rows[..., : (h + 1) // 2, :])
    odd, alive = x[..., 1::2, :], alive[..., 1::2, :]
    odd.addcmul_(alive, rows[..., : h // 2, :], value=0.5)
    odd.addcmul_(alive, rows[..., 1 : h // 2 + 1, :], value=0.5)


def _coarsen_rows(fine: Tensor) -> Tensor:
    """`R A P` along the rows alone, [N,5,h,w] -> [N,5,h//2+1,w], A's entries in each row kept.

    With row 2I for the coarse row I and the weights of linear interpolation: what couples
    within a row (diagonal, east) gathers itself and, from both sides, what couples across rows;
    what couples across rows (south and its corners) is what lies between 2I and 2I+2.
    """
    n, _, h, w = fine.shape
    coarse = fine.new_zeros(n, 5, h // 2 + 1, w)
    even, odd = fine[:, :, 0::2], fine[:, :, 1::2]
    tops, betweens = even.shape[2], odd.shape[2]
    level, across = coarse[:, :2], coarse[:, 2:]
    level[:, :, :tops] = even[:, :2]
    level[:, :, :betweens].add_(odd[:, :2], alpha=0.25)
    level[:, :, 1 : betweens + 1].add_(odd[:, :2], alpha=0.25)
    across[:, :, :tops] = even[:, 2:]
    # From here on `across` is half of what meets in row 2I from below; above comes with odd rows.
    met = across.clone()
    met[:, :, 1 : betweens + 1] += odd[:, 2:]
    across[:, :, :betweens] += odd[:, 2:]
    across *= 0.5
    south, south_east, south_west = met.unbind(1)
    level[:, 0] += south
    level[:, 1].add_(south_east, alpha=0.5)
    level[:, 1, :, :-1].add_(south_west[..., 1:], alpha=0.5)
    across[:, :2, :betweens].add_(odd[:, :2], alpha=0.25)
    across[:, 2, :betweens, 1:].add_(odd[:, 1, :, :-1], alpha=0.25)
    return coarse


def _transpose(stencil: Tensor) -> Tensor:
    """The stencil of the picture mirrored at its diagonal, [N,5,h,w] -> [N,5,w,h]."""
    diagonal, east, south, south_east, south_west = stencil.mT.unbind(1)
    # A south-west coupling is kept at its upper end, which is the lower one of the mirrored.
    turned = torch.zeros_like(south_west)
    turned[SOUTH_WEST[0]] = south_west[SOUTH_WEST[1]]
    return torch.stack((diagonal, south, east, south_east, turned), dim=1)


def _coarsen(fine: Operator) -> Operator:
    """The Galerkin product `R A P` with bilinear interpolation onto every second pixel."""
    return Operator(_transpose(_coarsen_rows(_transpose(_coarsen_rows(fine.stencil)))), True)


def _dense_inverse(operator: Operator) -> Tensor:
    """The operator's inverse as a matrix, [N,n,n]; unknowns without support get the identity."""
    n, _, h, w = operator.diagonal.shape
    unit = torch.eye(h * w).to(operator.stencil).view(1, h * w, h, w).expand(n, -1, -1, -1)
    matrix = torch.empty_like(unit, memory_format=torch.contiguous_format)
    operator.apply(unit, matrix)
    # Where few pixels are left, coarse unknowns can be redundant: a touch on the diagonal keeps
    # the factors finite and changes only the preconditioner.
    diagonal = operator.diagonal.flatten(1)
    touch = torch.where(diagonal > 0, 3e-5 * diagonal, 1.0)
    factor, _ = torch.linalg.cholesky_ex(matrix.flatten(2) + torch.diag_embed(touch))
    return torch.cholesky_inverse(factor)


class _Level:
    """An operator, what smoothing reads of it, and the buffers of the cycle, made once.

    `jacobi` [N,1,h,w] is the damped inverse of the diagonal, `alive` [N,1,h,w] is 1 at unknowns;
    `right`, `x` and `residual` are [N,C,h,w] and `rows` is scratch on the way to the next level.
    """

    def __init__(self, operator: Operator, channels: int) -> None:
        n, _, h, w = operator.diagonal.shape
        known = operator.diagonal > 0
        self.operator = operator
        self.alive = known.to(operator.stencil)
        self.jacobi = torch.where(known, _DAMPING / operator.diagonal, 0.0)
        self.right, self.x, self.residual = operator.stencil.new_empty(3, n, channels, h, w)
        self.rows = operator.stencil.new_empty(n, channels, h // 2 + 1, w)


def _levels(finest: Operator, channels: int) -> list[_Level]:
    """Coarsen until a dense inverse is cheap."""
    levels = [_Level(finest, channels)]
    while levels[-1].alive[0, 0].numel() > _COARSEST:
        levels.append(_Level(_coarsen(levels[-1].operator), channels))
    return levels


def _cycle(levels: list[_Level], inverse: Tensor) -> None:
    """One V-cycle from zero with a Jacobi step on either side: `x` is then about `A^-1 right`."""
    level, *coarser = levels
    if not coarser:
        level.x.flatten(2).copy_(level.right.flatten(2) @ inverse)
        return
    torch.mul(level.jacobi, level.right, out=level.x)
    level.operator.residual(level.right, level.x, out=level.residual)
    _restrict(level.residual, level.rows, out=coarser[0].right)
    _cycle(coarser, inverse)
    _add_prolonged(coarser[0].x, level.rows, level.alive, level.x)
    level.operator.residual(level.right, level.x, out=level.residual)
    level.x.addcmul_(level.jacobi, level.residual)


def _ratio(a: Tensor, b: Tensor) -> Tensor:
    return torch.where(b > 0, a / b, 0.0)


def _largest(x: Tensor) -> Tensor:
    return x.abs().amax((-2, -1))


def _conjugate_gradients(operator: Operator, right: Tensor) -> Tensor:
    levels = _levels(operator, right.shape[1])
    inverse = _dense_inverse(levels[-1].operator)
    top = levels[0]
    # The residual of the whole lives in `top.right`; what the cycle leaves in `top.residual` is
    # free between cycles.
    r, z, scratch = top.right, top.x, top.residual

    def dot(a: Tensor, b: Tensor) -> Tensor:
        return torch.mul(a, b, out=scratch).sum((-2, -1), keepdim=True)

    r.copy_(right)
    _cycle(levels, inverse)
    solution, direction, power = torch.zeros_like(right), z.clone(), dot(r, z)
    enough = _TOLERANCE * _largest(z)
    for _ in range(_MOST_STEPS):
        operator.apply(direction, out=scratch)
        step = _ratio(power, (direction * scratch).sum((-2, -1), keepdim=True))
        solution.addcmul_(step, direction)
        r.addcmul_(step, scratch, value=-1)
        _cycle(levels, inverse)
        if not bool((_largest(z) > enough).any()):
            break
        before, power = power, dot(r, z)
        torch.addcmul(z, _ratio(power, before), direction, out=direction)
    return solution.add_(z)


def solve(inside: Tensor, right: Tensor) -> Tensor:
    """Solve Poisson's equation over the True pixels of `inside`.

    Each plane is its own system; they advance together until every one has settled, which the
    size of the preconditioned residual tells: it estimates the error itself. A plane with NaN
    stays NaN and holds no other up.

    Args:
        inside: [N,1,H,W] bool, N at least 1, each connected part with a False neighbour.
        right: [N,C,H,W], zero outside.

    Returns:
        [N,C,H,W], zero outside.
    """
    # A processor runs several times slower on arrays that its cache does not hold.
    apart = right.device.type == "cpu"
    share = max(1, _CACHED // right[0].numel()) if apart else len(right)
    parts = zip(inside.split(share), right.split(share), strict=True)
    return torch.cat([_conjugate_gradients(laplacian(i, r.dtype), r) for i, r in parts])
