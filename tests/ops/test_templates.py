from __future__ import annotations

import pytest
import torch

from faceloom.ops.templates import POSE_TEMPLATES, TEMPLATES, template_points


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_is_a_face_inside_the_crop(name):
    points = template_points(name, 256)
    assert points.shape == (5, 2)
    assert points.dtype == torch.float32
    assert bool(((points > 0) & (points < 256)).all())
    left_eye, right_eye, nose, left_mouth, right_mouth = points
    assert left_eye[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])


def test_arcface_is_the_published_pixel_table():
    # insightface.utils.face_align.arcface_dst
    expected = [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ]
    torch.testing.assert_close(
        template_points("arcface_112_v2", 112), torch.tensor(expected), atol=1e-4, rtol=0
    )


def test_arcface_128_is_the_112_template_moved_in_x_only():
    moved = template_points("arcface_112_v2", 112) + torch.tensor([8.0, 0.0])
    torch.testing.assert_close(template_points("arcface_128", 128), moved, atol=1e-4, rtol=0)


def test_ghost_frontal_is_the_first_arcface_template():
    torch.testing.assert_close(
        template_points("ghost_frontal", 112),
        template_points("arcface_112_v1", 112),
        atol=1e-3,
        rtol=0,
    )


def test_pose_templates_run_from_left_to_right_and_mirror():
    poses = torch.stack([template_points(name, 1) for name in POSE_TEMPLATES])
    assert bool((poses[:, 2, 0].diff() > 0).all())  # the nose moves to the right
    mirrored = poses.flip(0)[:, [1, 0, 2, 4, 3]] * torch.tensor([-1.0, 1.0])
    # The table was not drawn about the crop's middle; it mirrors up to a shift.
    difference = poses - mirrored
    spread = difference - difference.mean(1, keepdim=True)
    assert float(spread.abs().max()) * 112 < 0.01


def test_unknown_name_lists_the_names():
    with pytest.raises(ValueError, match=r"'arcface'.*arcface_112_v1.*ghost_right_profile"):
        template_points("arcface", 112)
