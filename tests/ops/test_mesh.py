from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial import Delaunay
from torch import Tensor

from faceloom.ops.mesh import (
    rasterize,
    vertex_weights_to_mask,
    warp_mesh,
)

SIZE = 32
SQUARE = torch.tensor([[[4.0, 4.0], [28.0, 4.0], [28.0, 28.0], [4.0, 28.0]]])
SQUARE_TRIANGLES = torch.tensor([[0, 1, 2], [0, 2, 3]])


def random_mesh(seed: int, points: int = 25, count: int = 1) -> tuple[Tensor, Tensor]:
    """A Delaunay mesh over most of the canvas, [count, P, 2] slightly different points."""
    random = np.random.default_rng(seed)
    base = random.uniform(2, SIZE - 2, (points, 2))
    moved = base + random.uniform(-0.5, 0.5, (count, points, 2))
    triangles = Delaunay(base).simplices.astype(np.int64)
    return torch.from_numpy(moved.astype(np.float32)), torch.from_numpy(triangles)


def random_texture(seed: int, count: int = 1, size: int = SIZE) -> Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


def slow_rasterize(points: Tensor, triangles: Tensor, depth: Tensor | None):
    """Every pixel against every triangle in float64; also says how close a pixel is to an edge."""
    index = np.full((SIZE, SIZE), -1)
    barycentric = np.zeros((SIZE, SIZE, 3))
    margin = np.full((SIZE, SIZE), np.inf)
    nearest = np.full((SIZE, SIZE), np.inf)
    vertices = points.double().numpy()
    for number, corners in enumerate(triangles.tolist()):
        a, b, c = vertices[corners]
        matrix = np.array([[*a, 1], [*b, 1], [*c, 1]]).T
        if abs(np.linalg.det(matrix)) < 1e-9:
            continue
        inverse = np.linalg.inv(matrix)
        for row in range(SIZE):
            for column in range(SIZE):
                weights = inverse @ (column + 0.5, row + 0.5, 1)
                margin[row, column] = min(margin[row, column], np.abs(weights).min())
                if weights.min() < 0:
                    continue
                z = 0.0 if depth is None else float(weights @ depth.double().numpy()[corners])
                if z < nearest[row, column]:
                    nearest[row, column], index[row, column] = z, number
                    barycentric[row, column] = weights
    return index, barycentric, margin


def slow_sample(texture: Tensor, x: float, y: float) -> np.ndarray:
    """Bilinear, nearest pixel beyond the border."""
    pixels = texture.double().numpy()
    height, width = pixels.shape[1:]
    x, y = np.clip(x - 0.5, 0, width - 1), np.clip(y - 0.5, 0, height - 1)
    x0, y0 = int(x), int(y)
    x1, y1 = min(x0 + 1, width - 1), min(y0 + 1, height - 1)
    fx, fy = x - x0, y - y0
    upper = pixels[:, y0, x0] * (1 - fx) + pixels[:, y0, x1] * fx
    lower = pixels[:, y1, x0] * (1 - fx) + pixels[:, y1, x1] * fx
    return upper * (1 - fy) + lower * fy


@pytest.mark.parametrize("with_depth", [False, True])
def test_rasterize_is_the_slow_loop(with_depth: bool):
    points, triangles = random_mesh(0)
    random = np.random.default_rng(1)
    # Shuffled corners fold the mesh over itself, so that depth and list order matter.
    points = points[:, torch.from_numpy(random.permutation(points.shape[1]))]
    triangles = triangles[:12]
    depth = torch.randn(points.shape[:2], generator=torch.Generator().manual_seed(2))
    depth = depth if with_depth else None
    index, barycentric = rasterize(points, triangles, SIZE, depth)
    wanted, weights, margin = slow_rasterize(
        points[0], triangles, None if depth is None else depth[0]
    )
    clear = margin > 1e-5
    assert clear.mean() > 0.95
    assert (wanted >= 0).mean() > 0.4
    np.testing.assert_array_equal(index[0].numpy()[clear], wanted[clear])
    np.testing.assert_allclose(barycentric[0].numpy()[clear], weights[clear], atol=2e-4)
    assert index.dtype == torch.int64


def test_warp_is_the_slow_loop():
    source, triangles = random_mesh(3)
    target = source + torch.randn(source.shape, generator=torch.Generator().manual_seed(4))
    target = (target - SIZE / 2) * 1.2 + SIZE / 2  # larger, so that nothing is low-passed
    texture = random_texture(5)
    image, coverage = warp_mesh(texture, source, target, triangles, SIZE)
    index, weights, margin = slow_rasterize(target[0], triangles, None)
    for row, column in np.argwhere(margin > 1e-5):
        if index[row, column] < 0:
            wanted = np.zeros(3)
        else:
            corners = source[0, triangles[index[row, column]]].double().numpy()
            wanted = slow_sample(texture[0], *(weights[row, column] @ corners))
        np.testing.assert_allclose(image[0, :, row, column].numpy(), wanted, atol=1e-3)
    np.testing.assert_array_equal(
        (coverage[0, 0] > 0).numpy()[margin > 1e-5], (index >= 0)[margin > 1e-5]
    )


def test_identity_keeps_the_texture():
    points, triangles = random_mesh(6, points=80)
    texture = random_texture(7)
    image, coverage = warp_mesh(texture, points, points, triangles, SIZE)
    assert coverage.mean() > 0.5
    torch.testing.assert_close(image, texture * coverage, atol=1e-4, rtol=0)


def test_shared_edges_leave_no_hole_and_no_pixel_is_drawn_twice():
    # 468 points put hundreds of pixel centres close to an edge; integers and halves put some on it.
    random = np.random.default_rng(8)
    points = random.uniform(0, 96, (468, 2))
    points[::2] = np.round(points[::2] * 2) / 2
    points[:4] = [[0, 0], [96, 0], [96, 96], [0, 96]]
    triangles = torch.from_numpy(Delaunay(points).simplices.astype(np.int64))
    points = torch.from_numpy(points.astype(np.float32))[None]
    index, _ = rasterize(points, triangles, 96)
    assert (index >= 0).all()
    # Each triangle alone: were a pixel in two of them, the sum would exceed 1.
    alone = points[0][triangles]
    drawn, _ = rasterize(alone, torch.tensor([[0, 1, 2]]), 96)
    assert ((drawn >= 0).sum(dim=0) == 1).all()


def test_centres_on_an_edge_go_right_and_down():
    square = torch.tensor([[[0.5, 0.5], [3.5, 0.5], [3.5, 2.5], [0.5, 2.5]]])
    index, _ = rasterize(square, SQUARE_TRIANGLES, 5)
    assert (index[0] >= 0).nonzero().tolist() == [[y, x] for y in (0, 1) for x in (0, 1, 2)]


def test_nearest_triangle_wins():
    # Two stacked squares; the second is nearer on the left and further away on the right.
    points = torch.cat((SQUARE, SQUARE), dim=1)
    triangles = torch.cat((SQUARE_TRIANGLES, SQUARE_TRIANGLES + 4))
    depth = torch.tensor([[0.0, 0, 0, 0, -1, 1, 1, -1]])
    index, _ = rasterize(points, triangles, SIZE, depth)
    assert (index[0, 4:28, 4:16] >= 2).all()
    assert ((index[0, 4:28, 16:28] >= 0) & (index[0, 4:28, 16:28] < 2)).all()
    flat, _ = rasterize(points, triangles, SIZE)
    same, _ = rasterize(points, triangles, SIZE, torch.zeros(1, 8))
    assert (flat[0, 4:28, 4:28] < 2).all()
    assert torch.equal(flat, same)


def test_a_batch_is_each_face_alone():
    points, triangles = random_mesh(9, count=3)
    target = (
        points.flip(-1) * torch.tensor([1.0, 0.8, 0.3])[:, None, None]
    )  # 3 scales: 2 low-passed
    texture = random_texture(10, count=3)
    depth = torch.randn(points.shape[:2], generator=torch.Generator().manual_seed(11))
    image, coverage = warp_mesh(texture, points, target, triangles, SIZE, depth)
    for n in range(3):
        one = slice(n, n + 1)
        alone, cover = warp_mesh(
            texture[one], points[one], target[one], triangles, SIZE, depth[one]
        )
        torch.testing.assert_close(image[one], alone, atol=1e-5, rtol=0)
        assert torch.equal(coverage[one], cover)


def test_long_batches_are_drawn_in_several_passes(monkeypatch: pytest.MonkeyPatch):
    points, triangles = random_mesh(12, count=5)
    whole = rasterize(points, triangles, SIZE)
    monkeypatch.setitem(rasterize.__globals__, "_PIXELS_AT_ONCE", 2 * SIZE**2)
    parts = rasterize(points, triangles, SIZE)
    assert all(torch.equal(a, b) for a, b in zip(whole, parts, strict=True))


def test_a_texture_that_shrinks_is_low_passed():
    board = (torch.arange(128)[:, None] + torch.arange(128)) % 2
    texture = board.float().expand(1, 3, -1, -1)
    source = SQUARE * 4
    image, coverage = warp_mesh(texture, source, SQUARE / 2, SQUARE_TRIANGLES, 16)
    assert image[coverage.bool().expand_as(image)].std() < 0.02


@pytest.mark.parametrize(
    "points",
    [
        torch.full((1, 4, 2), 16.0),  # all in one place
        torch.tensor([[[4.0, 4], [10, 10], [20, 20], [28, 28]]]),  # on a line
        torch.tensor([[[4.0, 4], [28, 4], [float("nan"), 28], [float("inf"), 28]]]),
        (SQUARE - 16) * 3e37,  # their differences are not finite
        SQUARE + 1000,
        SQUARE - 1000,
    ],
)
def test_meshes_that_show_nothing(points: Tensor):
    texture = random_texture(13)
    image, coverage = warp_mesh(texture, SQUARE, points, SQUARE_TRIANGLES, SIZE)
    assert not coverage.any()
    assert not image.any()
    index, _ = rasterize(points, SQUARE_TRIANGLES, SIZE, points[..., 0])
    assert (index == -1).all()


def test_needles_and_flips_stay_finite_and_inside_the_source_triangle():
    generator = torch.Generator().manual_seed(14)
    points = torch.rand(40, 3, 2, generator=generator) * 40 - 4
    points[:20, 2] = points[:20, 1] + 1e-4 * torch.randn(20, 2, generator=generator)
    points[20:, 1:] = points[20:, 1:].flip(1)
    index, barycentric = rasterize(points, torch.tensor([[0, 1, 2]]), SIZE)
    drawn = barycentric[index >= 0]
    assert (index[20:] >= 0).any()
    assert ((drawn >= 0) & (drawn <= 1)).all()
    torch.testing.assert_close(drawn.sum(-1), torch.ones(len(drawn)), atol=1e-3, rtol=0)


def test_a_flipped_mesh_mirrors_the_texture():
    texture = random_texture(15)
    mirrored = SQUARE * torch.tensor([-1.0, 1.0]) + torch.tensor([SIZE, 0.0])
    image, coverage = warp_mesh(texture, SQUARE, mirrored, SQUARE_TRIANGLES, SIZE)
    assert coverage.sum() == 24 * 24
    torch.testing.assert_close(image, texture.flip(-1) * coverage, atol=1e-4, rtol=0)


def test_points_partly_outside_the_canvas():
    texture = random_texture(16)
    image, coverage = warp_mesh(texture, SQUARE, SQUARE + 20, SQUARE_TRIANGLES, SIZE)
    assert coverage.sum() == 8 * 8
    torch.testing.assert_close(image[..., 24:, 24:], texture[..., 4:12, 4:12], atol=1e-4, rtol=0)


def test_gradients():
    points, triangles = random_mesh(17, points=8)
    source = points.double()
    target = (source * 0.2 + 0.513).requires_grad_()
    source = (source * 0.2 + 0.31).requires_grad_()
    texture = random_texture(18, size=8).double().requires_grad_()
    torch.autograd.gradcheck(
        lambda *inputs: warp_mesh(*inputs, triangles, 8)[0], (texture, source, target)
    )


def test_vertex_weights_follow_a_linear_ramp():
    weights = (SQUARE[..., 0] - 4) / 24
    mask, coverage = vertex_weights_to_mask(weights, SQUARE, SQUARE_TRIANGLES, SIZE)
    assert mask.shape == (1, 1, SIZE, SIZE)
    assert coverage.sum() == coverage[..., 4:28, 4:28].sum() == 24 * 24
    ramp = ((torch.arange(24) + 0.5) / 24).expand(24, -1)
    torch.testing.assert_close(mask[0, 0, 4:28, 4:28], ramp)
    assert mask.sum() == pytest.approx(float(ramp.sum()), rel=1e-5)


def test_weights_are_carried_along_as_if_drawn_alone():
    source, triangles = random_mesh(20, count=2)
    target, texture = source.flip(-1) * 0.9, random_texture(21, count=2)
    weights = torch.rand(source.shape[:2], generator=torch.Generator().manual_seed(22)) * 2 - 0.5
    depth = weights.flip(1)
    wanted, _ = warp_mesh(texture, source, target, triangles, SIZE, depth)
    image, mask = warp_mesh(texture, source, target, triangles, SIZE, depth, weights)
    torch.testing.assert_close(image, wanted)
    alone, _ = vertex_weights_to_mask(weights, target, triangles, SIZE, depth)
    torch.testing.assert_close(mask, alone)


def test_no_faces_and_no_triangles():
    none = torch.zeros(0, 4, 2)
    index, barycentric = rasterize(none, SQUARE_TRIANGLES, SIZE)
    assert index.shape == (0, SIZE, SIZE)
    assert barycentric.shape == (0, SIZE, SIZE, 3)
    image, coverage = warp_mesh(torch.zeros(0, 3, 9, 9), none, none, SQUARE_TRIANGLES, SIZE)
    assert image.shape == (0, 3, SIZE, SIZE)
    assert coverage.shape == (0, 1, SIZE, SIZE)
    for mask in vertex_weights_to_mask(torch.zeros(0, 4), none, SQUARE_TRIANGLES, SIZE):
        assert mask.shape == (0, 1, SIZE, SIZE)
    nothing = torch.zeros(0, 3, dtype=torch.int64)
    image, coverage = warp_mesh(random_texture(19), SQUARE, SQUARE, nothing, SIZE)
    assert image.shape == (1, 3, SIZE, SIZE)
    assert not coverage.any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"triangles": SQUARE_TRIANGLES + 2}, "index 4 points, got indices from 2 to 5"),
        ({"triangles": SQUARE_TRIANGLES - 1}, "index 4 points, got indices from -1 to 2"),
        ({"triangles": SQUARE_TRIANGLES.float()}, "int64"),
        ({"triangles": SQUARE_TRIANGLES[0]}, "triangles must be"),
        ({"target": SQUARE[:, :3]}, "source and target must have the same shape"),
        ({"source": SQUARE[0]}, r"source must have shape \[N, P, 2\]"),
        ({"texture": torch.zeros(2, 3, 8, 8)}, "texture must have shape"),
        ({"depth": torch.zeros(1, 5)}, r"depth must be \[1, 4\], got \[1, 5\]"),
        ({"weights": torch.zeros(1, 5)}, r"weights must be \[1, 4\], got \[1, 5\]"),
    ],
)
def test_errors(change: dict, message: str):
    inputs = {
        "texture": torch.zeros(1, 3, 8, 8),
        "source": SQUARE,
        "target": SQUARE,
        "triangles": SQUARE_TRIANGLES,
    }
    with pytest.raises(ValueError, match=message):
        warp_mesh(**(inputs | change), size=SIZE)


def test_weights_must_match_the_points():
    with pytest.raises(ValueError, match="weights must be"):
        vertex_weights_to_mask(torch.zeros(1, 3), SQUARE, SQUARE_TRIANGLES, SIZE)
