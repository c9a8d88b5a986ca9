from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from scipy.sparse.linalg import spsolve

from faceloom.ops.poisson import membrane, seamless_clone


def exact(source, target, mask, mixed=False):
    """The slow obvious twin in float64: least squares between all differences of neighbours.

    f minimises |D f - g|^2 over the inside pixels, D being the sparse matrix of all differences
    within the picture and g the guidance; SuperLU solves the normal equations.
    """
    _, h, w = source.shape
    s, t = (x.double().flatten(1).T.numpy() for x in (source, target))
    inside = (mask[0].numpy() > 0.5).ravel()
    down, across = (sp.diags_array([-1.0, 1.0], offsets=[0, 1], shape=(k - 1, k)) for k in (h, w))
    d = sp.vstack([sp.kron(down, sp.eye_array(w)), sp.kron(sp.eye_array(h), across)]).tocsc()
    guidance = np.where(mixed & (np.abs(d @ t) > np.abs(d @ s)), d @ t, d @ s)
    ours, theirs = d[:, inside], d[:, ~inside]
    right = ours.T @ (guidance - theirs @ t[~inside])
    out = t.copy()
    out[inside] = spsolve((ours.T @ ours).tocsc(), right).reshape(right.shape)
    return torch.from_numpy(out.T.reshape(source.shape))


def ellipse(h, w, x, y, a, b):
    rows, columns = torch.arange(h)[:, None] + 0.5, torch.arange(w) + 0.5
    return (((columns - x) / a) ** 2 + ((rows - y) / b) ** 2 < 1).float()[None]


def shapes():
    h, w = 61, 74
    noise = torch.rand(1, h, w, generator=torch.Generator().manual_seed(3))
    lines = torch.zeros(1, h, w)
    lines[:, 7], lines[:, :, 30], lines[:, 40, 2:50] = 1, 1, 1
    star = ellipse(h, w, 37, 30, 30, 20) * (1 - ellipse(h, w, 50, 25, 14, 6))
    checks = (torch.arange(h)[:, None] + torch.arange(w)).remainder(2).float()[None]
    all_but_one = torch.ones(1, h, w)
    all_but_one[:, 20, 30] = 0
    single = torch.zeros(1, h, w)
    single[:, 9, 9] = 1
    return {
        "ellipse": ellipse(h, w, 37, 30, 25, 28),
        "notched": star,
        "at the border": ellipse(h, w, 3, 55, 40, 33),
        "full width": ellipse(h, w, 37, 30, 400, 12),
        "two parts": ellipse(h, w, 15, 20, 9, 12) + ellipse(h, w, 55, 30, 12, 20),
        "ring": ellipse(h, w, 37, 30, 29, 29) - ellipse(h, w, 37, 30, 26, 26),
        "lines": lines,
        "checkerboard": checks,
        "noise": (noise < 0.6).float(),
        "dense noise": (noise < 0.97).float(),
        "all but one pixel": all_but_one,
        "one pixel": single,
    }


def pictures(n, h, w, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(2, n, 3, h, w, generator=generator).unbind(0)


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("name", shapes())
def test_solves_the_same_system_as_scipy(name, mixed):
    mask = shapes()[name]
    source, target = pictures(1, *mask.shape[1:])
    result = seamless_clone(source, target, mask[None], mixed)
    wanted = exact(source[0], target[0], mask, mixed)
    size = (wanted - source[0]).abs().max().clamp(min=1)
    assert (result[0] - wanted).abs().max() < 1e-4 * size


@pytest.mark.parametrize("mixed", [False, True])
def test_is_within_a_quarter_grey_level_at_face_size(mixed):
    mask = ellipse(256, 256, 128, 128, 100, 118)
    source, target = pictures(1, 256, 256)
    result = seamless_clone(source, target, mask[None], mixed)
    wanted = exact(source[0], target[0], mask, mixed)
    size = (wanted - source[0]).abs().max().clamp(min=1)
    assert (result[0] - wanted).abs().max() < 1e-4 * size


def test_odd_sizes_and_narrow_pictures():
    for h, w in ((1, 9), (9, 1), (2, 2), (3, 90), (33, 65), (64, 17)):
        source, target = pictures(1, h, w)
        mask = torch.ones(1, h, w)
        mask[:, h // 2, w // 2] = 0
        result = seamless_clone(source, target, mask[None])
        assert (result[0] - exact(source[0], target[0], mask)).abs().max() < 1e-4, (h, w)


def test_batch_equals_each_alone_with_empty_and_full_masks_among_them():
    h, w = 61, 74
    masks = [*shapes().values(), torch.zeros(1, h, w), torch.ones(1, h, w)]
    masks = torch.stack(masks)
    source, target = pictures(len(masks), h, w)
    together = seamless_clone(source, target, masks)
    for k, result in enumerate(together):
        alone = seamless_clone(source[k : k + 1], target[k : k + 1], masks[k : k + 1])
        assert torch.allclose(result, alone[0], atol=5e-5), k


def test_outside_of_the_mask_the_target_is_bit_exact():
    source, target = pictures(1, 40, 50)
    mask = ellipse(40, 50, 10, 20, 15, 9)[None]
    result = seamless_clone(source, target, mask)
    outside = mask.expand_as(target) == 0
    assert torch.equal(result[outside], target[outside])
    assert torch.equal(seamless_clone(source, target, torch.zeros_like(mask)), target)


def test_the_mask_is_hard():
    source, target = pictures(1, 40, 50)
    soft = ellipse(40, 50, 20, 20, 15, 9)[None] * 0.1 + 0.45
    hard = (soft > 0.5).float()
    assert torch.equal(seamless_clone(source, target, soft), seamless_clone(source, target, hard))


def test_full_mask_shifts_the_source_to_the_targets_mean():
    source, target = pictures(2, 20, 30)
    result = seamless_clone(source, target, torch.ones(2, 1, 20, 30))
    difference = result - source
    assert torch.allclose(result.mean((2, 3)), target.mean((2, 3)), atol=1e-6)
    assert difference.std((2, 3)).max() < 1e-6


def test_source_with_another_brightness_leaves_no_trace():
    _, target = pictures(1, 64, 64)
    mask = ellipse(64, 64, 20, 30, 30, 20)[None]
    assert torch.allclose(seamless_clone(target + 0.3, target, mask), target, atol=5e-5)


def test_mixed_keeps_the_targets_texture_under_a_flat_source():
    _, target = pictures(1, 64, 64)
    mask = ellipse(64, 64, 30, 30, 20, 20)[None]
    flat = torch.full_like(target, 0.5)
    assert torch.allclose(seamless_clone(flat, target, mask, mixed=True), target, atol=1e-4)


def test_nan_in_one_picture_stays_there():
    source, target = pictures(2, 48, 48)
    mask = ellipse(48, 48, 24, 24, 15, 20)[None].expand(2, -1, -1, -1)
    broken = source.clone()
    broken[0, 0, 24, 24] = torch.nan
    result = seamless_clone(broken, target, mask)
    clean = seamless_clone(source, target, mask)
    assert torch.allclose(result[1], clean[1], atol=5e-5)
    outside = mask[0].expand_as(target[0]) == 0
    assert torch.equal(result[0][outside], target[0][outside])


def test_gradients_are_those_of_the_exact_linear_map():
    torch.manual_seed(0)
    source, target = (torch.rand(1, 1, 12, 11, dtype=torch.float64) for _ in range(2))
    mask = ellipse(12, 11, 3, 6, 6, 5)[None]
    source.requires_grad_()
    target.requires_grad_()
    seen = torch.rand(1, 1, 12, 11, dtype=torch.float64)
    (seamless_clone(source, target, mask) * seen).sum().backward()
    for picture, other in ((source, target), (target, source)):
        step = torch.zeros_like(picture)
        for i, j in ((0, 2), (5, 3), (6, 8), (6, 9), (11, 10)):
            step.zero_()[0, 0, i, j] = 1
            pair = (step[0], 0 * step[0]) if picture is source else (0 * step[0], step[0])
            wanted = (exact(*pair, mask[0]) * seen[0]).sum()
            assert abs(picture.grad[0, 0, i, j] - wanted) < 1e-4, (i, j)
        assert other.grad is not None


def test_membrane_matches_scipy_and_ignores_what_it_covers():
    mask = shapes()["at the border"]
    values, _ = pictures(1, *mask.shape[1:])
    wanted = exact(torch.zeros_like(values[0]), values[0], mask)
    hidden = torch.where(mask > 0, torch.nan, values)
    assert (membrane(hidden, mask[None])[0] - wanted).abs().max() < 1e-4


def test_membrane_of_a_plane_is_the_plane_and_of_nothing_is_zero():
    plane = (torch.arange(40.0)[:, None] + 2 * torch.arange(50.0))[None, None] / 140
    mask = ellipse(40, 50, 25, 20, 16, 17)[None]
    assert torch.allclose(membrane(plane, mask), plane, atol=5e-5)
    assert torch.equal(membrane(plane, torch.ones_like(mask)), torch.zeros_like(plane))


def test_no_pictures():
    empty = torch.zeros(0, 3, 8, 9)
    assert seamless_clone(empty, empty, torch.zeros(0, 1, 8, 9)).shape == (0, 3, 8, 9)
    assert membrane(empty, torch.zeros(0, 1, 8, 9)).shape == (0, 3, 8, 9)


def test_errors_tell_the_shapes():
    a, b, mask = torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 9), torch.ones(1, 1, 8, 8)
    with pytest.raises(ValueError, match=r"target \[1, 3, 8, 9\]"):
        seamless_clone(a, b, mask)
    with pytest.raises(ValueError, match=r"wanted a mask \[1, 1, 8, 8\], got \[1, 3, 8, 8\]"):
        seamless_clone(a, a, a)
    with pytest.raises(TypeError, match=r"source must be a float tensor, got torch\.uint8"):
        seamless_clone(a.byte(), a, mask)
