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
_TOLERANCE = 1e-4  # of the largest correction; the step then taken leaves about a tenth of it
_MOST_STEPS = 40


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

    def residual(self, right: Tensor, x: Tensor) -> Tensor:
        """`right - A x`, [N,C,h,w]."""
        out = torch.addcmul(right, self.diagonal, x, value=-1)
        return self._add_neighbours(out, x, -1)

    def __call__(self, x: Tensor) -> Tensor:
        """`A x`, [N,C,h,w]."""
        return self._add_neighbours(self.diagonal * x, x, 1)

    def _add_neighbours(self, out: Tensor, x: Tensor, sign: int) -> Tensor:
        pairs = (EAST, SOUTH, SOUTH_EAST, SOUTH_WEST) if self.corners else (EAST, SOUTH)
        for k, (here, there) in enumerate(pairs, start=1):
            coupling = self.stencil[:, k : k + 1][here]
            out[here].addcmul_(coupling, x[there], value=sign)
            out[there].addcmul_(coupling, x[here], value=sign)
        return out


@dataclass(frozen=True)
class Hierarchy:
    """Operators from fine to coarse, with what the cycle reads of each level, all [N,1,h,w].

    `jacobi` is the damped inverse of the diagonal, `alive` 1 at unknowns and 0 elsewhere, and
    `inverse` [N,n,n] the coarsest operator's.
    """

    operators: tuple[Operator, ...]
    jacobi: tuple[Tensor, ...]
    alive: tuple[Tensor, ...]
    inverse: Tensor


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


def _restrict_rows(x: Tensor) -> Tensor:
    """Sum neighbouring rows with weights (1/2, 1, 1/2) onto every second row, [.., h//2+1, w]."""
    even, odd = x[..., 0::2, :], x[..., 1::2, :]
    out = x.new_zeros(*x.shape[:-2], x.shape[-2] // 2 + 1, x.shape[-1])
    out[..., : even.shape[-2], :] = even
    out[..., : odd.shape[-2], :].add_(odd, alpha=0.5)
    out[..., 1 : odd.shape[-2] + 1, :].add_(odd, alpha=0.5)
    return out


def _restrict(x: Tensor) -> Tensor:
    """The transpose of `_add_prolonged`: [N,C,h,w] -> [N,C,h//2+1,w//2+1]."""
    return _restrict_rows(_restrict_rows(x).mT).mT


def _prolong_columns(x: Tensor, width: int) -> Tensor:
    out = x.new_empty(*x.shape[:-1], width)
    out[..., 0::2] = x[..., : (width + 1) // 2]
    out[..., 1::2] = torch.lerp(x[..., : width // 2], x[..., 1 : width // 2 + 1], 0.5)
    return out


def _add_prolonged(x: Tensor, coarse: Tensor, alive: Tensor) -> None:
    """Add `coarse`, interpolated bilinearly, to `x` in place, at unknowns only."""
    rows = _prolong_columns(coarse, x.shape[-1])
    h = x.shape[-2]
    x[..., 0::2, :].addcmul_(alive[..., 0::2, :], rows[..., : (h + 1) // 2, :])
    between = torch.lerp(rows[..., : h // 2, :], rows[..., 1 : h // 2 + 1, :], 0.5)
    x[..., 1::2, :].addcmul_(alive[..., 1::2, :], between)


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
    unit = torch.eye(h * w).to(operator.diagonal).view(1, h * w, h, w)
    matrix = operator(unit.expand(n, -1, -1, -1)).flatten(2)
    # Where few pixels are left, coarse unknowns can be redundant: a touch on the diagonal keeps
    # the factors finite and changes only the preconditioner.
    diagonal = operator.diagonal.flatten(1)
    touch = torch.where(diagonal > 0, 3e-5 * diagonal, 1.0)
    factor, _ = torch.linalg.cholesky_ex(matrix + torch.diag_embed(touch))
    return torch.cholesky_inverse(factor)


def hierarchy(finest: Operator) -> Hierarchy:
    """Coarsen until a dense inverse is cheap."""
    operators = [finest]
    while operators[-1].diagonal[0, 0].numel() > _COARSEST:
        operators.append(_coarsen(operators[-1]))
    alive = tuple((o.diagonal > 0).to(o.diagonal) for o in operators)
    jacobi = tuple(torch.where(o.diagonal > 0, _DAMPING / o.diagonal, 0.0) for o in operators)
    return Hierarchy(tuple(operators), jacobi, alive, _dense_inverse(operators[-1]))


def _cycle(levels: Hierarchy, right: Tensor, k: int = 0) -> Tensor:
    """One V-cycle from zero with a Jacobi step on either side: about `A^-1 right`."""
    operator, jacobi = levels.operators[k], levels.jacobi[k]
    if k == len(levels.operators) - 1:
        return (right.flatten(2) @ levels.inverse).view_as(right)
    x = jacobi * right
    coarse = _cycle(levels, _restrict(operator.residual(right, x)), k + 1)
    _add_prolonged(x, coarse, levels.alive[k])
    return x.addcmul_(jacobi, operator.residual(right, x))


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Inner product of every plane, [N,C,1,1]."""
    return torch.einsum("nchw,nchw->nc", a, b)[..., None, None]


def _ratio(a: Tensor, b: Tensor) -> Tensor:
    return torch.where(b > 0, a / b, 0.0)


def _largest(x: Tensor) -> Tensor:
    return x.abs().amax((-2, -1))


def solve(operator: Operator, right: Tensor) -> Tensor:
    """`A^-1 right` for `right` [N,C,h,w] that is zero where the operator has no unknown.

    Each plane is its own system; they advance together until every one has settled, which the
    size of the preconditioned residual tells: it estimates the error itself. A plane with NaN
    stays NaN and holds no other up.
    """
    levels = hierarchy(operator)
    x, r = torch.zeros_like(right), right
    z = _cycle(levels, r)
    direction, power = z, _dot(r, z)
    enough = _TOLERANCE * _largest(z)
    for _ in range(_MOST_STEPS):
        pushed = operator(direction)
        step = _ratio(power, _dot(direction, pushed))
        x.addcmul_(step, direction)
        r = torch.addcmul(r, step, pushed, value=-1)
        z = _cycle(levels, r)
        if not bool((_largest(z) > enough).any()):
            break
        before, power = power, _dot(r, z)
        direction = torch.addcmul(z, _ratio(power, before), direction)
    return x + z
