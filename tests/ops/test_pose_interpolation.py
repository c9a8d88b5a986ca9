from __future__ import annotations

import torch
from scipy.spatial.transform import Rotation

from faceloom.ops.pose_interpolation import interpolate_pose
from faceloom.ops.rotation import fit_rigid, matrix_to_euler

POINTS = [[0, 0, 0], [10, 0, 0], [0, 20, 0], [0, 0, 30], [5, 5, 5]]


def test_pose_interpolation_of_fsgan():
    # P moved by R = Rz(10) Ry(40) Rx(-20) degrees and t = (5, -3, 2); half way, from NumPy:
    source = torch.tensor([POINTS], dtype=torch.float64)
    rotation = torch.from_numpy(Rotation.from_euler("ZYX", [10, 40, -20], degrees=True).as_matrix())
    shift = torch.tensor([5.0, -3.0, 2.0], dtype=torch.float64)
    target = source @ rotation.mT + shift
    found, found_shift = fit_rigid(source, target)
    torch.testing.assert_close(found[0], rotation)
    torch.testing.assert_close(found_shift[0], shift)
    angles = torch.rad2deg(matrix_to_euler(found))[0]
    expected_angles = torch.tensor([-40.0, -20.0, 10.0], dtype=torch.float64)
    torch.testing.assert_close(angles, expected_angles)
    expected = [
        [2.5, -1.5, 1],
        [11.8612, -0.681, -2.4202],
        [-0.3999, 18.0177, -2.2635],
        [12.1122, 4.5703, 28.7625],
        [8.0576, 4.8006, 3.1011],
    ]
    half = interpolate_pose(source, target, 0.5)[0]
    torch.testing.assert_close(half, torch.tensor(expected).double(), atol=1e-4, rtol=0)
    torch.testing.assert_close(interpolate_pose(source, target, 0.0), source)
    torch.testing.assert_close(interpolate_pose(source, target, 1.0), target)


def test_points_in_one_place_only_move():
    generator = torch.Generator().manual_seed(5)
    place = (4000 * torch.rand(50, 1, 3, generator=generator)).expand(-1, 6, -1)
    target = place + torch.tensor([8.0, -4, 2])
    half = interpolate_pose(place, target, 0.5)
    torch.testing.assert_close(half, (place + target) / 2, atol=5e-3, rtol=0)


def test_gradients_of_a_pose_between_are_finite():
    source = torch.tensor([POINTS], dtype=torch.float64, requires_grad=True)
    interpolate_pose(source, source.detach().flip(1) * 1.1, 0.5).sum().backward()
    assert source.grad.isfinite().all()


def test_each_row_is_on_its_own_and_none_is_none():
    generator = torch.Generator().manual_seed(6)
    source, target = 100 * torch.randn(2, 4, 9, 3, generator=generator)
    rows = [interpolate_pose(source[row, None], target[row, None], 0.3) for row in range(4)]
    torch.testing.assert_close(interpolate_pose(source, target, 0.3), torch.cat(rows))
    assert interpolate_pose(source[:0], target[:0], 0.5).shape == (0, 9, 3)


def test_the_shape_stays_the_source_s():
    generator = torch.Generator().manual_seed(7)
    source, target = 100 * torch.randn(2, 4, 9, 3, generator=generator)
    between = interpolate_pose(source, target, 0.7)
    torch.testing.assert_close(torch.cdist(between, between), torch.cdist(source, source))
