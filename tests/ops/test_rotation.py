from __future__ import annotations

import math

import pytest
import torch
from scipy.spatial.transform import Rotation

from faceloom.ops.rotation import euler_to_matrix, fit_rigid, matrix_to_euler


def random_angles(count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    limits = torch.tensor([math.pi / 2 - 0.01, math.pi, math.pi], dtype=torch.float64)
    return (2 * torch.rand(count, 3, generator=generator, dtype=torch.float64) - 1) * limits


def test_euler_to_matrix_is_scipy_s():
    angles = random_angles(30)
    # Rz(roll) Ry(-yaw) Rx(pitch): scipy's intrinsic "ZYX".
    zyx = torch.stack([angles[:, 2], -angles[:, 0], angles[:, 1]], 1)
    expected = Rotation.from_euler("ZYX", zyx.numpy()).as_matrix()
    torch.testing.assert_close(euler_to_matrix(angles), torch.from_numpy(expected))


def test_euler_round_trip():
    angles = random_angles(30).reshape(5, 6, 3)
    torch.testing.assert_close(matrix_to_euler(euler_to_matrix(angles)), angles)


@pytest.mark.parametrize("yaw", [-math.pi / 2, math.pi / 2])
def test_profile_keeps_its_rotation(yaw):
    angles = torch.tensor([[yaw, 0.7, -0.4]], dtype=torch.float64)
    matrix = euler_to_matrix(angles)
    found = matrix_to_euler(matrix)
    assert float(found[0, 1]) == 0
    torch.testing.assert_close(euler_to_matrix(found), matrix)


@pytest.mark.parametrize(
    ("angles", "nose", "right"),
    [((0.3, 0, 0), (1, 0), (1, 0)), ((0, 0.3, 0), (0, 1), (1, 0)), ((0, 0, 0.3), (0, 0), (1, 1))],
)
def test_signs(angles, nose, right):
    matrix = euler_to_matrix(torch.tensor(angles))
    towards_viewer = matrix @ torch.tensor([0.0, 0.0, -1.0])
    assert tuple(towards_viewer[:2].sign().tolist()) == nose
    assert tuple((matrix @ torch.tensor([1.0, 0.0, 0.0]))[:2].sign().tolist()) == right


def test_fit_rigid_is_scipy_s_and_never_reflects():
    generator = torch.Generator().manual_seed(2)
    source = torch.randn(6, 12, 3, generator=generator, dtype=torch.float64)
    target = torch.randn(6, 12, 3, generator=generator, dtype=torch.float64)
    target[3:] = source[3:] * torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64)
    rotation, shift = fit_rigid(source, target)
    for row in range(6):
        a, b = source[row] - source[row].mean(0), target[row] - target[row].mean(0)
        expected, _ = Rotation.align_vectors(b.numpy(), a.numpy())
        torch.testing.assert_close(rotation[row], torch.from_numpy(expected.as_matrix()))
    torch.testing.assert_close(torch.linalg.det(rotation), torch.ones(6, dtype=torch.float64))
    moved = (rotation @ source.mean(1)[..., None])[..., 0] + shift
    torch.testing.assert_close(moved, target.mean(1))


def test_degenerate_and_empty_points():
    rotation, shift = fit_rigid(torch.ones(2, 4, 3), torch.full((2, 4, 3), 3.0))
    torch.testing.assert_close(rotation @ rotation.mT, torch.eye(3).expand(2, 3, 3))
    torch.testing.assert_close((rotation @ torch.ones(3)) + shift, torch.full((2, 3), 3.0))
    none = torch.zeros(0, 4, 3)
    assert [part.shape for part in fit_rigid(none, none)] == [(0, 3, 3), (0, 3)]
    assert euler_to_matrix(torch.zeros(0, 3)).shape == (0, 3, 3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_points_on_a_line_turn_no_further_than_their_line(dtype):
    generator = torch.Generator().manual_seed(4)
    lines = torch.randn(2, 50, 3, generator=generator, dtype=dtype)
    before, after = torch.nn.functional.normalize(lines, dim=2)
    middle = 1000 * torch.rand(50, 1, 3, generator=generator, dtype=dtype)
    steps = torch.linspace(-30, 30, 7, dtype=dtype)[:, None]
    rotation, _ = fit_rigid(middle + steps * before[:, None], middle + 5 + steps * after[:, None])
    turned = torch.acos((rotation.diagonal(dim1=1, dim2=2).sum(1) - 1) / 2)
    wanted = torch.acos((before * after).sum(1))
    torch.testing.assert_close(turned, wanted, atol=1e-3, rtol=0)
    torch.testing.assert_close((rotation @ before[..., None])[..., 0], after, atol=1e-3, rtol=0)


def test_wrong_shape():
    with pytest.raises(ValueError, match=r"fit_rigid wants.*\[1, 4, 2\]"):
        fit_rigid(torch.zeros(1, 4, 2), torch.zeros(1, 4, 2))
