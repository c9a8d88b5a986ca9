"""Gradient-domain blending and harmonic fill on the device (Pérez, Gangnet, Blake 2003)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .laplace import solve
from .multigrid import EAST, SOUTH


class _Solve(torch.autograd.Function):
    """Poisson's equation over a mask; the operator is symmetric, so its gradient is a solve too."""

    @staticmethod
    def forward(ctx: Any, right: Tensor, inside: Tensor) -> Tensor:
        ctx.save_for_backward(inside)
        return solve(inside, right)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (inside,) = ctx.saved_tensors
        solution: Tensor = _Solve.apply(torch.where(inside, grads[0], 0.0), inside)
        return torch.where(inside, solution, 0.0), None


def _check(mask: Tensor, **pictures: Tensor) -> None:
    shape = next(iter(pictures.values())).shape
    for name, picture in pictures.items():
        if picture.ndim != 4 or picture.shape != shape:
            shapes = ", ".join(f"{k} {list(v.shape)}" for k, v in pictures.items())
            raise ValueError(f"wanted pictures of one shape [N,C,H,W], got {shapes}")
        if not picture.is_floating_point():
            raise TypeError(f"{name} must be a float tensor, got {picture.dtype}")
    wanted = (shape[0], 1, *shape[2:])
    if mask.shape != wanted:
        raise ValueError(f"wanted a mask {list(wanted)}, got {list(mask.shape)}")


def _window(inside: Tensor) -> tuple[slice, slice]:
    """Rows and columns that hold every True of the batch and the ring of pixels around them."""
    spans = []
    for dim in (-1, -2):
        hits = inside.any(dim).flatten(0, 1).any(0).nonzero()
        first, last = int(hits[0]), int(hits[-1])
        spans.append(slice(max(first - 1, 0), last + 2))
    return spans[0], spans[1]


def _correction(source: Tensor, target: Tensor, inside: Tensor, mixed: bool) -> Tensor:
    """What to add to the source inside: [N,C,H,W].

    The equation is set up for the difference f - source: for plain cloning it is then harmonic
    (the membrane), smooth, and as exact in float32 as it can be.
    """
    known = torch.where(inside, 0.0, target - source)
    right = torch.zeros_like(known)
    for here, there in (EAST, SOUTH):
        right[here] += known[there]
        right[there] += known[here]
        if mixed:
            own = source[there] - source[here]
            other = target[there] - target[here]
            excess = torch.where(other.abs() > own.abs(), other - own, 0.0)
            right[here] -= excess
            right[there] += excess
    solution: Tensor = _Solve.apply(right.masked_fill_(~inside, 0), inside)
    return solution


def seamless_clone(source: Tensor, target: Tensor, mask: Tensor, mixed: bool = False) -> Tensor:
    """Carry the source's gradients into the target: Poisson image editing.

    Inside the mask the result solves the five-point Poisson equation with the source's
    differences as guidance, or with `mixed`, along each pair of neighbours and in each channel,
    the larger one of source and target. Pixels outside are the boundary values (Dirichlet);
    across the picture's border, beyond which nothing is known, the condition is Neumann's. The
    one ring of source pixels just outside of the mask takes part, others do not.

    Args:
        source: [N,C,H,W] float, usually 0..1, in the target's coordinates.
        target: [N,C,H,W].
        mask: [N,1,H,W], of any shape; pixels above 0.5 are solved for. An empty mask gives the
            target. A mask over the whole picture leaves no boundary: the source then comes back
            with the constant added that gives it the target's mean.
        mixed: mix the gradients (keeps the target's texture where the source is flat).

    Returns:
        [N,C,H,W]: exactly the target outside of the mask; inside within about 1e-4 (of the
        largest correction) of the exact solution, and not clamped, so it may leave 0..1.
        Differentiable in source and target.

    Raises:
        ValueError: shapes do not agree.
        TypeError: the pictures are not float tensors.

    Source: Pérez, Gangnet, Blake, "Poisson Image Editing", 2003, equations 7, 10 and 12. The
    work is done in the box around the masks of the batch, so faces aligned alike cost least.
    """
    _check(mask, source=source, target=target)
    inside = mask > 0.5
    full = inside.flatten(1).all(1)[:, None, None, None]
    out = target.clone()
    if bool(full.any()):
        shift = (target - source).mean((-2, -1), keepdim=True)
        out = torch.where(full, source + shift, out)
    inside = inside & ~full
    if not bool(inside.any()):
        return out
    rows, columns = _window(inside)
    box = (..., rows, columns)
    within = inside[box].contiguous()
    correction = _correction(source[box], target[box], within, mixed)
    out[box] = torch.where(within, source[box] + correction, out[box])
    return out


def membrane(values: Tensor, mask: Tensor) -> Tensor:
    """Fill the masked pixels with the harmonic function of the others (a soap film).

    Args:
        values: [N,C,H,W] float; what is under the mask is not read and may be NaN.
        mask: [N,1,H,W]; pixels above 0.5 are filled. Where all of a picture is masked, nothing
            is known and it is filled with zeros.

    Returns:
        [N,C,H,W]: exactly `values` outside of the mask, and between the least and the largest
        of them inside, up to the solver's 1e-4. Differentiable.

    Raises:
        ValueError: shapes do not agree.
        TypeError: `values` is not a float tensor.
    """
    _check(mask, values=values)
    known = torch.where(mask > 0.5, 0.0, values)
    return seamless_clone(torch.zeros_like(known), known, mask)
