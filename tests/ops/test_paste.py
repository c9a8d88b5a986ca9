from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from faceloom.ops.geometry import invert_affine, transform_points
from faceloom.ops.paste import group_overlapping, paste, paste_, paste_masks
from faceloom.ops.warp import crop

FIRST = torch.tensor([0])


def turned(scale: float, degrees: float, centre: tuple[float, float], size: int) -> torch.Tensor:
    """The matrix [1, 2, 3] that shows `centre` in the middle of a crop."""
    cos, sin = (scale * f(math.radians(degrees)) for f in (math.cos, math.sin))
    x, y = centre
    return torch.tensor(
        [[[cos, -sin, size / 2 - cos * x + sin * y], [sin, cos, size / 2 - sin * x - cos * y]]]
    )


def soft_disc(count: int, size: int) -> torch.Tensor:
    centres = (torch.arange(size) + 0.5) / size - 0.5
    radius = torch.hypot(centres[:, None], centres)
    return ((0.45 - radius) * 8).clamp(0, 1).expand(count, 1, size, size)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def read(picture: np.ndarray, x: float, y: float, outside: float | None) -> float:
    """Bilinear value of one point; beyond the picture the border goes on, or `outside` is there."""
    height, width = picture.shape
    left, top = math.floor(x - 0.5), math.floor(y - 0.5)
    value = 0.0
    for column, row in itertools.product((left, left + 1), (top, top + 1)):
        weight = (1 - abs(x - 0.5 - column)) * (1 - abs(y - 0.5 - row))
        if outside is not None and not (0 <= column < width and 0 <= row < height):
            value += weight * outside
        else:
            value += weight * picture[min(max(row, 0), height - 1), min(max(column, 0), width - 1)]
    return value


def slow_paste(frames, crops, masks, matrix, frame) -> np.ndarray:
    """The rule itself, pixel by pixel, in float64; for crops that are not reduced."""
    frames, crops, masks, matrix = (t.double().numpy() for t in (frames, crops, masks, matrix))
    result = frames.copy()
    for b, row, column in np.ndindex(frames.shape[0], *frames.shape[2:]):
        weight, colour = 0.0, np.zeros(frames.shape[1])
        for n in [n for n, place in enumerate(frame.tolist()) if place == b]:
            x, y = matrix[n, :, :2] @ [column + 0.5, row + 0.5] + matrix[n, :, 2]
            mask = read(masks[n, 0], x, y, outside=0.0)
            weight += mask
            colour += mask * np.array([read(channel, x, y, None) for channel in crops[n]])
        kept = frames[b, :, row, column] * (1 - min(1, weight))
        result[b, :, row, column] = kept + colour / max(1, weight)
    return result


def three_faces() -> tuple[torch.Tensor, ...]:
    """Two that overlap in one frame, one over the edge of another."""
    matrix = torch.cat(
        [
            turned(0.6, 20, (11, 9), 8),
            turned(0.9, -35, (17, 12), 8),
            turned(1.0, 0, (0.4, 18.3), 8),
        ]
    )
    return noise(3, 3, 8, 8, seed=1), noise(3, 1, 8, 8, seed=2), matrix, torch.tensor([1, 1, 0])


def test_paste_is_the_rule_pixel_by_pixel():
    frames, faces = noise(2, 3, 20, 26), three_faces()
    np.testing.assert_allclose(paste(frames, *faces), slow_paste(frames, *faces), atol=1e-5)


def test_masks_are_the_weights_of_the_paste():
    crops, masks, matrix, frame = three_faces()
    black, white = torch.zeros(2, 3, 20, 26), torch.ones_like(crops)
    found = paste_masks(masks, matrix, frame, 2, (20, 26))
    torch.testing.assert_close(found, paste(black, white, masks, matrix, frame)[:, :1])


def test_order_does_not_matter():
    frames, (crops, masks, matrix, frame) = noise(2, 3, 20, 26), three_faces()
    expected = paste(frames, crops, masks, matrix, frame)
    for order in itertools.permutations(range(3)):
        rows = list(order)
        found = paste(frames, crops[rows], masks[rows], matrix[rows], frame[rows])
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("scale", [0.4, 1.0, 3.0])
def test_nothing_changes_outside_the_mask(scale):
    frames = noise(2, 3, 120, 150)
    frames[1, :, :20] = math.nan
    frames[0, :, 100:, 3] = -0.0
    crops, masks = noise(1, 3, 32, 32, seed=1), soft_disc(1, 32)
    matrix = turned(scale, 33, (70, 60), 32)
    masked = paste_masks(masks, matrix, FIRST, 2, (120, 150)) > 0
    found = paste(frames, crops, masks, matrix, FIRST)
    outside = ~masked.expand_as(frames)
    assert torch.equal(found[outside].view(torch.int32), frames[outside].view(torch.int32))
    assert bool((found != frames)[~outside].any())


def test_masked_out_crop_pixels_may_be_nan():
    frames, crops = noise(1, 3, 40, 40), torch.full((1, 3, 16, 16), math.nan)
    matrix = turned(0.7, 10, (20, 20), 16)
    assert torch.equal(paste(frames, crops, torch.zeros(1, 1, 16, 16), matrix, FIRST), frames)
    both = (
        torch.cat([crops, noise(1, 3, 16, 16)]),
        torch.cat([crops.new_zeros(1, 1, 16, 16), soft_disc(1, 16)]),
    )
    found = paste(frames, *both, matrix.repeat(2, 1, 1), FIRST.repeat(2))
    torch.testing.assert_close(found, paste(frames, both[0][1:], both[1][1:], matrix, FIRST))


@pytest.mark.parametrize(("scale", "degrees"), [(0.6, 0), (0.6, 40), (1.0, 13), (2.5, -70)])
def test_crop_pasted_back_changes_little(scale, degrees):
    y, x = torch.meshgrid(torch.arange(200.0), torch.arange(240.0), indexing="ij")
    waves = [0.5 + 0.45 * torch.sin(x / a + y / b) for a, b in [(9, 14), (25, 8), (-12, 11)]]
    frames, matrix = torch.stack(waves)[None], turned(scale, degrees, (118.3, 97.8), 128)
    crops = crop(frames, matrix, FIRST, 128)
    found = paste(frames, crops, soft_disc(1, 128), matrix, FIRST)
    assert float((found - frames).abs().max()) < 2 / 255


def test_reduced_crops_do_not_alias():
    index = torch.arange(256)
    board = ((index[:, None] + index) % 2).float().expand(1, 3, 256, 256)
    matrix = turned(8.0, 12, (30.2, 29.7), 256)
    found = paste(torch.zeros(1, 3, 60, 60), board, torch.ones(1, 1, 256, 256), matrix, FIRST)
    inside = found[..., 20:40, 20:40]
    assert float(inside.std()) < 0.02
    assert float(inside.mean()) == pytest.approx(0.5, abs=0.01)


def test_permuted_frames_change_in_place():
    image = noise(2, 20, 26, 3)
    view, expected = image.permute(0, 3, 1, 2), image.permute(0, 3, 1, 2).contiguous()
    paste_(expected, *three_faces())
    assert paste_(view, *three_faces()) is view
    torch.testing.assert_close(image, expected.permute(0, 2, 3, 1))


def test_paste_copies():
    frames = noise(1, 3, 20, 26)
    kept = frames.clone()
    none = torch.zeros(0, 2, 3), torch.zeros(0, dtype=torch.int64)
    same = paste(frames, torch.zeros(0, 3, 8, 8), torch.zeros(0, 1, 8, 8), *none)
    assert torch.equal(same, frames)
    assert same.data_ptr() != frames.data_ptr()
    matrix = turned(1.0, 0, (10, 10), 8)
    assert not torch.equal(
        paste(frames, torch.ones(1, 3, 8, 8), torch.ones(1, 1, 8, 8), matrix, FIRST), frames
    )
    assert torch.equal(frames, kept)
    assert not paste_masks(torch.zeros(0, 1, 8, 8), *none, 2, (5, 6)).any()


@pytest.mark.parametrize("value", [0.0, math.nan, math.inf])
def test_faces_outside_and_broken_matrices_change_nothing(value):
    frames = noise(1, 3, 12, 10)
    matrix = torch.cat([turned(2.0, 9, (-500, 30), 8), torch.full((1, 2, 3), value)])
    crops, masks, frame = torch.ones(2, 3, 8, 8), torch.ones(2, 1, 8, 8), torch.tensor([0, 0])
    assert torch.equal(paste(frames, crops, masks, matrix, frame), frames)
    assert not paste_masks(masks, matrix, frame, 1, (12, 10)).any()


def test_frame_smaller_than_the_crop():
    matrix = turned(1.0, 0, (2.5, 3.5), 64)
    crops, masks = torch.full((1, 3, 64, 64), 0.25), torch.ones(1, 1, 64, 64)
    found = paste(torch.zeros(1, 3, 7, 5), crops, masks, matrix, FIRST)
    torch.testing.assert_close(found, torch.full((1, 3, 7, 5), 0.25))


def test_full_mask_covers_the_crop_s_quadrilateral():
    matrix = turned(0.5, 30, (50, 50), 20)
    found = paste_masks(torch.ones(1, 1, 20, 20), matrix, FIRST, 1, (100, 100))
    assert float(found.sum()) == pytest.approx(40 * 40, rel=0.01)
    x, y = transform_points(invert_affine(matrix), torch.tensor([[[0.0, 10.0]]]))[0, 0].tolist()
    edge = found[0, 0, int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2].mean()
    assert float(edge) == pytest.approx(0.5, abs=0.15)


def test_groups_share_no_pixel():
    # The fourth joins the first two only through the third; the last lies in another frame.
    regions = [(0, 0, 10, 10), (20, 0, 30, 10), (9, 5, 21, 8), (12, 9, 14, 12), (0, 0, 10, 10)]
    groups = group_overlapping([*regions, (5, 5, 5, 9)], [0, 0, 0, 0, 1, 0])
    found = sorted((place, region, sorted(members)) for place, region, members in groups)
    assert found == [(0, (0, 0, 30, 12), [0, 1, 2, 3]), (1, (0, 0, 10, 10), [4])]
    apart = group_overlapping([(0, 0, 10, 10), (10, 0, 20, 10)], [0, 0])
    assert len(apart) == 2


def test_gradient():
    frames = noise(1, 1, 9, 9).double().requires_grad_()
    crops = noise(2, 1, 6, 6, seed=1).double().requires_grad_()
    masks = (0.1 + 0.3 * noise(2, 1, 6, 6, seed=2)).double().requires_grad_()
    matrix = torch.cat([turned(0.83, 21, (4.1, 4.2), 6), turned(1.3, -9, (6.3, 5.2), 6)]).double()
    frame = torch.tensor([0, 0])
    assert torch.autograd.gradcheck(
        lambda f, c, m: paste(f, c, m, matrix, frame), (frames, crops, masks)
    )


@pytest.mark.parametrize(
    ("crops", "masks", "message"),
    [
        ((1, 4, 8, 8), (1, 1, 8, 8), r"square crops \[1, 3, S, S\].*\[1, 4, 8, 8\]"),
        ((1, 3, 8, 9), (1, 1, 8, 9), "square crops"),
        ((1, 3, 8, 8), (1, 3, 8, 8), r"masks \[1, 1, 8, 8\], got \[1, 3, 8, 8\]"),
    ],
)
def test_errors(crops, masks, message):
    with pytest.raises(ValueError, match=message):
        paste(
            torch.zeros(1, 3, 9, 9),
            torch.zeros(crops),
            torch.zeros(masks),
            turned(1.0, 0, (4, 4), 8),
            FIRST,
        )
