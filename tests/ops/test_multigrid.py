from __future__ import annotations

import pytest
import torch

from faceloom.ops.multigrid import (
    coarsen,
    five_points,
    hierarchy,
    product,
    prolongation,
    restriction,
)


def stencil_of(inside, dtype=torch.float64):
    h, w = inside.shape[-2:]
    rows, columns = torch.ones(1, 1, h, w, dtype=dtype), torch.ones(1, 1, h, w, dtype=dtype)
    degree = 2 * rows + 2 * columns
    degree[..., 0, :] -= 1
    degree[..., -1, :] -= 1
    degree[..., 0] -= 1
    degree[..., -1] -= 1
    return five_points(inside, degree, dtype)


def matrix_of(stencil):
    n, _, h, w = stencil.shape
    unit = torch.eye(h * w, dtype=stencil.dtype).view(1, h * w, h, w)
    out = stencil.new_zeros(n, h * w, h, w)
    product(stencil, unit, out)()
    return out.flatten(2)


def interpolation(h, w, fine_h, fine_w):
    """Bilinear interpolation from the coarse pixels, on every second fine one: [hw, fine hw]."""
    hats = [
        (1 - (torch.arange(fine)[None] - 2 * torch.arange(coarse)[:, None]).abs() / 2).clamp(0)
        for coarse, fine in ((h, fine_h), (w, fine_w))
    ]
    return torch.kron(hats[0].double(), hats[1].double())


SIZES = [(13, 10), (8, 9), (1, 7), (31, 3), (2, 2)]


@pytest.mark.parametrize("size", SIZES)
def test_transfers_are_bilinear_interpolation_and_its_transpose(size):
    h, w = (s // 2 + 1 for s in size)
    matrix = interpolation(h, w, *size)
    coarse, fine = torch.rand(1, 2, h, w).double(), torch.rand(1, 2, *size).double()
    scratch, down, up = fine.new_empty(1, 2, h, size[1]), torch.empty_like(coarse), fine.clone()
    restriction(fine, scratch, down)()
    assert torch.allclose(down.flatten(2), fine.flatten(2) @ matrix.T)
    alive = (torch.rand(1, 1, *size) < 0.7).double()
    prolongation(coarse, scratch, alive, up)()
    added = (coarse.flatten(2) @ matrix).view_as(fine)
    assert torch.allclose(up, fine + alive * added)


@pytest.mark.parametrize("size", SIZES)
def test_coarse_stencils_are_the_galerkin_product(size):
    stencil = stencil_of(torch.rand(2, 1, *size) < 0.8)
    for _ in range(3):
        coarse = coarsen(stencil)
        p = interpolation(*coarse.shape[-2:], *stencil.shape[-2:])
        assert torch.allclose(matrix_of(coarse), p @ matrix_of(stencil) @ p.T)
        stencil = coarse


def test_five_points_are_the_graph_laplacian_of_the_picture():
    # networkx.laplacian_matrix(grid_2d_graph(2, 3)), rows and columns of the outside pixel 4 off.
    inside = torch.tensor([[[[1, 1, 1], [1, 0, 1]]]], dtype=torch.bool)
    wanted = torch.tensor(
        [
            [2, -1, 0, -1, 0, 0],
            [-1, 3, -1, 0, 0, 0],
            [0, -1, 2, 0, 0, -1],
            [-1, 0, 0, 2, 0, 0],
            [0, 0, 0, 0, 0, 0],
            [0, 0, -1, 0, 0, 2],
        ]
    )
    assert torch.equal(matrix_of(stencil_of(inside))[0], wanted.double())


def test_a_cycle_leaves_little_of_the_error():
    inside = torch.rand(1, 1, 70, 61) < 0.95
    stencil = coarsen(stencil_of(inside))
    exact = torch.rand(1, 3, *stencil.shape[-2:]).double() * (stencil[:, :1] > 0)
    top = hierarchy(stencil, 3)
    top.right.zero_()
    product(stencil, exact, top.right)()
    start = exact.square().sum()
    for _ in range(6):
        top.cycle()
        exact -= top.x
        product(stencil, -top.x, top.right)()
    energy = torch.zeros_like(exact)
    product(stencil, exact, energy)()
    assert (energy * exact).sum() < 1e-4 * start
