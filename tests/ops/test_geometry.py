from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.transform import SimilarityTransform

from faceloom.ops.geometry import (
    compose_affine,
    ffhq_quad,
    fit_pose_template,
    fit_similarity,
    invert_affine,
    matrix_scale,
    similarity_error,
    square_box,
    transform_points,
)
from faceloom.ops.landmark_sets import keypoints_from_landmarks, landmark_set
from faceloom.ops.rotation import euler_to_matrix
from faceloom.ops.templates import POSE_TEMPLATES, template_points


def random_faces(count: int, seed: int = 0) -> torch.Tensor:
    """Five-point faces of many sizes, places and in-plane rotations in a 4K frame."""
    generator = torch.Generator().manual_seed(seed)
    points = template_points("arcface_112_v2", 112).repeat(count, 1, 1)
    points = points + 3 * torch.randn(points.shape, generator=generator)
    angle = 6.28 * torch.rand(count, generator=generator)
    scale = 0.2 + 8 * torch.rand(count, generator=generator)
    linear = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], -1)
    matrix = torch.zeros(count, 2, 3)
    matrix[:, :, :2] = linear.reshape(count, 2, 2) * scale[:, None, None]
    matrix[:, :, 2] = 3000 * torch.rand(count, 2, generator=generator)
    return transform_points(matrix, points)


def skimage_similarity(source: torch.Tensor, target: torch.Tensor) -> np.ndarray:
    with np.errstate(all="ignore"):
        transform = SimilarityTransform.from_estimate(source.numpy(), target.numpy())
    return transform.params[:2]


def test_fit_similarity_is_scikit_image_s():
    source, target = random_faces(20), template_points("arcface_128", 256)
    expected = np.stack([skimage_similarity(points, target) for points in source])
    np.testing.assert_allclose(fit_similarity(source, target), expected, atol=2e-3, rtol=2e-4)
    each = target.expand(20, 5, 2)
    torch.testing.assert_close(fit_similarity(source, each), fit_similarity(source, target))


def test_fit_similarity_never_reflects():
    source = random_faces(8)
    mirrored = source * torch.tensor([-1.0, 1.0])
    linear = fit_similarity(mirrored, source)[:, :, :2]
    assert bool((torch.linalg.det(linear) > 0).all())
    expected = np.stack([skimage_similarity(a, b) for a, b in zip(mirrored, source, strict=True)])
    np.testing.assert_allclose(linear, expected[:, :, :2], atol=1e-4)


def test_fit_similarity_of_equal_points_is_a_shift():
    source = torch.full((2, 5, 2), 1234.567, requires_grad=True)
    target = template_points("ffhq_512", 512)
    matrix = fit_similarity(source, target)
    torch.testing.assert_close(matrix[:, :, :2], torch.eye(2).expand(2, 2, 2))
    torch.testing.assert_close(
        transform_points(matrix, source).mean(1), target.mean(0).expand(2, 2), atol=1e-3, rtol=0
    )
    matrix.sum().backward()
    assert bool(source.grad.isfinite().all())


def test_fit_similarity_gradient():
    source = random_faces(3).double().requires_grad_()
    target = template_points("arcface_112_v2", 112).double().requires_grad_()
    assert torch.autograd.gradcheck(fit_similarity, (source, target))


def test_no_faces():
    none, matrix = torch.zeros(0, 5, 2), torch.zeros(0, 2, 3)
    assert fit_similarity(none, template_points("arcface_128", 128)).shape == (0, 2, 3)
    for run in (None, torch.zeros(0)):
        found, index = fit_pose_template(none, 224, run)
        assert found.shape == (0, 2, 3)
        assert index.shape == (0,)
    assert ffhq_quad(none, 512).shape == (0, 2, 3)
    assert square_box(torch.zeros(0, 4), 64).shape == (0, 2, 3)
    assert invert_affine(matrix).shape == compose_affine(matrix, matrix).shape == (0, 2, 3)
    assert transform_points(matrix, none).shape == (0, 5, 2)
    assert matrix_scale(matrix).shape == (0,)


@pytest.mark.parametrize("shapes", [((5, 2), (5, 2)), ((1, 5, 3), (5, 2)), ((1, 5, 2), (4, 2))])
def test_fit_similarity_says_what_came_in(shapes):
    with pytest.raises(ValueError, match="fit_similarity wants"):
        fit_similarity(torch.zeros(shapes[0]), torch.zeros(shapes[1]))


GHOST_POINTS = [[200, 220], [260, 222], [231, 258], [206, 292], [256, 293]]


def test_pose_template_of_ghost():
    # Computed with insightface 0.2.1's estimate_norm, crop of 224: template 3 of 1..5 with error
    # 9.996; then 4 (56.04), 2 (57.54), 5 (109.5), 1 (110.4).
    points = torch.tensor([GHOST_POINTS], dtype=torch.float32)
    matrix, index = fit_pose_template(points, 224)
    assert index.tolist() == [2]
    expected = [[1.0327, 0.0026, -126.8078], [-0.0026, 1.0327, -126.9104]]
    torch.testing.assert_close(matrix[0], torch.tensor(expected), atol=1e-3, rtol=1e-4)
    error = similarity_error(matrix, points, template_points("ghost_frontal", 224))
    assert float(error) == pytest.approx(9.996, abs=1e-3)
    others = [
        ("ghost_right_three_quarter", 56.04),
        ("ghost_left_three_quarter", 57.54),
        ("ghost_right_profile", 109.5),
        ("ghost_left_profile", 110.4),
    ]
    for name, expected_error in others:
        target = template_points(name, 224)
        found = similarity_error(fit_similarity(points, target), points, target)
        assert float(found) == pytest.approx(expected_error, abs=0.1)


def test_pose_template_recognises_its_own_points():
    points = torch.stack([template_points(name, 300) for name in POSE_TEMPLATES]) + 40
    matrix, index = fit_pose_template(points, 112)
    assert index.tolist() == [0, 1, 2, 3, 4]
    torch.testing.assert_close(matrix_scale(matrix), torch.full((5,), 112 / 300))


def turning_face(noise: float, seed: int) -> torch.Tensor:
    """Keypoints [300, 5, 2] of the mean face, eyes 65 px apart, from 75 degrees left to right."""
    yaw = torch.linspace(-75, 75, 300).deg2rad()
    angles = torch.stack([yaw, 0 * yaw, 0 * yaw], -1)
    mean = landmark_set(468).mean
    points = keypoints_from_landmarks(mean @ euler_to_matrix(angles).mT)
    frontal = keypoints_from_landmarks(mean[None])[0]
    points = points * (65 / (frontal[1] - frontal[0]).norm()) + 200
    return points + noise * torch.randn(points.shape, generator=torch.Generator().manual_seed(seed))


def changes(index: torch.Tensor) -> int:
    return int((index[1:] != index[:-1]).sum())


@pytest.mark.parametrize(("noise", "free", "held"), [(1.0, 10, 4.2), (2.0, 20, 5.0)])
def test_pose_templates_do_not_flip_on_a_turning_head(noise, free, held):
    run, counts, errors = torch.zeros(300), [], []
    for seed in range(10):
        points = turning_face(noise, seed)
        each, index = fit_pose_template(points, 224)
        kept, slow = fit_pose_template(points, 224, run)
        assert slow[0] == 0
        assert slow[-1] == 4
        counts.append((changes(index), changes(slow)))
        for matrix, found in ((each, index), (kept, slow)):
            targets = torch.stack([template_points(name, 224) for name in POSE_TEMPLATES])[found]
            errors.append(float(similarity_error(matrix, points, targets).mean()))
    before, after = np.mean(counts, 0)
    # Four changes are the least between five templates.
    assert before > free
    assert 4 <= after < held
    assert sum(errors[1::2]) < 1.03 * sum(errors[::2])


def test_pose_templates_are_held_by_run():
    # Half-way between two templates, a little nearer to one of them by turns.
    frontal, turned = (template_points(POSE_TEMPLATES[pose], 224) for pose in (2, 3))
    share = torch.tensor([0.45, 0.55, 0.45, 0.55, 0.45, 0.55, 1.0, 0.55, 0.45])[:, None, None]
    points = torch.lerp(frontal, turned, share)
    free = fit_pose_template(points, 224)[1]
    assert free.tolist() == [2, 3, 2, 3, 2, 3, 3, 3, 2]
    one = fit_pose_template(points, 224, torch.zeros(9))[1]
    assert one.tolist() == [2, 2, 2, 2, 2, 2, 3, 3, 3]
    two = fit_pose_template(points, 224, torch.tensor([0, 1, 0, 1, 0, 1, 0, 1, 0]))[1]
    assert two.tolist() == [2, 3, 2, 3, 2, 3, 3, 3, 3]
    alone, index = fit_pose_template(points, 224, torch.arange(9))
    assert torch.equal(index, free)
    assert torch.equal(alone, fit_pose_template(points, 224)[0])


def ffhq_corners(points: np.ndarray) -> np.ndarray:
    """The dataset's recipe for one face: corners from the top left, counter-clockwise."""
    eye = (points[0] + points[1]) / 2
    eye_to_eye, eye_to_mouth = points[1] - points[0], (points[3] + points[4]) / 2 - eye
    x = eye_to_eye - np.array([-eye_to_mouth[1], eye_to_mouth[0]])
    x /= np.hypot(*x)
    x *= max(np.hypot(*eye_to_eye) * 2.0, np.hypot(*eye_to_mouth) * 1.8)
    y, c = np.array([-x[1], x[0]]), eye + eye_to_mouth * 0.1
    return np.stack([c - x - y, c - x + y, c + x + y, c + x - y])


def test_ffhq_quad_is_the_dataset_s():
    faces = random_faces(10)
    corners = torch.tensor([[0.0, 0.0], [0.0, 512.0], [512.0, 512.0], [512.0, 0.0]])
    found = transform_points(invert_affine(ffhq_quad(faces, 512)), corners.expand(10, 4, 2))
    expected = np.stack([ffhq_corners(points.double().numpy()) for points in faces])
    np.testing.assert_allclose(found, expected, atol=0.02)


def test_ffhq_quad_of_equal_points_is_upright():
    points = torch.full((1, 5, 2), 50.0, requires_grad=True)
    matrix = ffhq_quad(points, 64)
    expected = torch.tensor([[[32.0, 0, -1568], [0, 32.0, -1568]]])
    torch.testing.assert_close(matrix, expected)
    matrix.sum().backward()
    assert bool(points.grad.isfinite().all())


def test_square_box():
    box = torch.tensor([[10.0, 20.0, 30.0, 60.0], [5.0, 5.0, 5.0, 5.0]])
    matrix = square_box(box, 100, margin=1.5)
    # A side of 60 about (20, 40), so its corners are (-10, 10) and (50, 70).
    corners = torch.tensor([[-10.0, 10.0], [50.0, 70.0]]).expand(2, 2, 2)
    found = transform_points(matrix, corners)[0]
    torch.testing.assert_close(found, torch.tensor([[0.0, 0.0], [100.0, 100.0]]))
    torch.testing.assert_close(matrix_scale(matrix), torch.tensor([100 / 60, 100.0]))


def test_inverse_and_composition():
    source = random_faces(16)
    matrix = fit_similarity(source, template_points("ffhq_512", 512))
    identity = torch.eye(3)[:2].expand(16, 2, 3)
    product = compose_affine(matrix, invert_affine(matrix))
    torch.testing.assert_close(product, identity, atol=5e-3, rtol=0)
    other = fit_similarity(source, template_points("arcface_128", 256))
    torch.testing.assert_close(
        transform_points(compose_affine(other, invert_affine(matrix)), source),
        transform_points(other, transform_points(invert_affine(matrix), source)),
        atol=5e-3,
        rtol=1e-4,
    )


def test_depth_scales_with_the_matrix():
    matrix = torch.tensor([[[0.0, -3.0, 7.0], [3.0, 0.0, 1.0]]])
    moved = transform_points(matrix, torch.tensor([[[1.0, 2.0, 5.0]]]))
    torch.testing.assert_close(moved, torch.tensor([[[1.0, 4.0, 15.0]]]))
