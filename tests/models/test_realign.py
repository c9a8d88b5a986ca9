from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from faceloom.faces import Crops, Faces
from faceloom.faces.convert import faces_from_boxes
from faceloom.models.realign import put_back, realign, realign_to_box
from faceloom.ops.geometry import (
    compose_affine,
    fit_similarity,
    matrix_scale,
    square_box,
    transform_points,
)
from faceloom.ops.templates import template_points
from faceloom.ops.warp import crop

SIZE = 96


@pytest.fixture(scope="module")
def frames():
    torch.manual_seed(0)
    return F.interpolate(torch.rand(2, 3, 20, 30), (200, 300), mode="bicubic").clamp(0, 1)


@pytest.fixture(scope="module")
def faces():
    boxes = torch.tensor([[60.0, 40, 120, 120], [180, 60, 260, 160]])
    faces = faces_from_boxes(boxes, torch.ones(2), torch.tensor([0, 1]), (200, 300), 2)
    turn = torch.tensor([[0.966, -0.259], [0.259, 0.966]])  # 15 degrees
    middle = faces.keypoints.mean(1, keepdim=True)
    return replace(faces, keypoints=(faces.keypoints - middle) @ turn.mT + middle)


def aligned(frames, faces, template, size=SIZE) -> Crops:
    matrix = fit_similarity(faces.keypoints, template_points(template, size))
    return Crops(crop(frames, matrix, faces.frame, size), matrix, faces, template)


def test_face_lies_as_the_template_says(frames, faces):
    crops = aligned(frames, faces, "ffhq_512")
    images, matrix = realign(crops, "arcface_112_v2", 64)
    assert images.shape == (2, 3, 64, 64)
    points = transform_points(matrix, transform_points(crops.matrix, faces.keypoints))
    wanted = fit_similarity(faces.keypoints, template_points("arcface_112_v2", 64))
    torch.testing.assert_close(points, transform_points(wanted, faces.keypoints), atol=0.01, rtol=0)
    # The same face cut straight from the frame.
    direct = aligned(frames, faces, "arcface_112_v2", 64).image
    assert (images - direct).abs().mean() < 0.01


def test_own_template_changes_nothing(frames, faces):
    crops = aligned(frames, faces, "ffhq_512")
    images, matrix = realign(crops, "ffhq_512", SIZE)
    torch.testing.assert_close(images, crops.image, atol=1e-3, rtol=0)
    torch.testing.assert_close(matrix, torch.eye(2, 3).repeat(2, 1, 1), atol=1e-3, rtol=0)
    maps = torch.rand(2, 4, SIZE, SIZE).softmax(1)
    torch.testing.assert_close(put_back(maps, matrix, SIZE), maps, atol=2e-3, rtol=0)


def test_unknown_points_are_those_of_a_mean_face_in_the_box(frames, faces):
    # Upright crops of the box, whose own frames therefore hold the same boxes.
    upright = faces_from_boxes(faces.box, faces.score, faces.frame, (200, 300), 2)
    matrix = square_box(faces.box, SIZE, 1.5)
    crops = Crops(crop(frames, matrix, faces.frame, SIZE), matrix, upright, "square_box")
    unknown = replace(upright, keypoints=upright.keypoints.clone())
    unknown.keypoints[1, 2, 0] = float("nan")
    images, matrix = realign(replace(crops, faces=unknown), "arcface_112_v2", 64)
    wanted, wanted_matrix = realign(crops, "arcface_112_v2", 64)
    torch.testing.assert_close(images, wanted, atol=1e-4, rtol=0)
    torch.testing.assert_close(matrix, wanted_matrix, atol=1e-3, rtol=0)


def test_maps_come_back_to_the_same_pixels(frames, faces):
    crops = aligned(frames, faces, "ffhq_512")
    images, matrix = realign(crops, "ffhq_512", 2 * SIZE)
    back = put_back(images[:, :1], matrix, SIZE)
    inside = (slice(None), slice(None), slice(2, -2), slice(2, -2))
    assert (back - crops.image[:, :1])[inside].abs().mean() < 0.005


def test_what_was_not_seen_is_background(frames, faces):
    crops = aligned(frames, faces, "styleganex_384")  # shows more than the tight template does
    _, matrix = realign(crops, "arcface_112_v2", 64)
    maps = torch.zeros(2, 3, 64, 64)
    maps[:, 2] = 1
    back = put_back(maps, matrix, SIZE)
    torch.testing.assert_close(back.sum(1), torch.ones(2, SIZE, SIZE))
    assert (back[:, 0, 0] == 1).all()
    assert (back[:, 2, SIZE // 2 + 5, SIZE // 2] == 1).all()
    single = put_back(maps[:, 2:], matrix, SIZE)
    torch.testing.assert_close(single, back[:, 2:])


def test_bright_crops_are_limited(frames, faces):
    crops = aligned(frames, faces, "ffhq_512")
    images, _ = realign(replace(crops, image=crops.image * 50 - 20), "ffhq_512", 32)
    assert (images.amin(), images.amax()) == (0, 1)


def test_no_crops_and_unknown_templates():
    faces = Faces.empty((20, 30), 1)
    crops = Crops(torch.zeros(0, 3, 16, 16), torch.zeros(0, 2, 3), faces, "ffhq_512")
    images, matrix = realign(crops, "ffhq_512", 32)
    assert images.shape == (0, 3, 32, 32)
    assert put_back(torch.zeros(0, 19, 32, 32), matrix, 16).shape == (0, 19, 16, 16)
    with pytest.raises(ValueError, match="No alignment template is called 'oval'"):
        realign(crops, "oval", 32)


def test_a_box_is_cut_with_its_margin_as_the_crop_lies(frames, faces):
    crops = aligned(frames, faces, "ffhq_512")
    images, matrix = realign_to_box(crops, 1.2, 64)
    assert images.shape == (2, 3, 64, 64)
    whole = compose_affine(matrix, crops.matrix)
    centre = (faces.box[:, :2] + faces.box[:, 2:])[:, None] / 2
    wanted = torch.full((2, 1, 2), 32.0)
    torch.testing.assert_close(transform_points(whole, centre), wanted, atol=1e-3, rtol=0)
    # The longer sides are 80 and 100 px, and nothing is turned again.
    torch.testing.assert_close(matrix_scale(whole), 64 / (1.2 * torch.tensor([80.0, 100])))
    assert (matrix[:, 0, 1] == 0).all()
    none = Crops(torch.zeros(0, 3, 16, 16), torch.zeros(0, 2, 3), faces[:0], "ffhq_512")
    assert realign_to_box(none, 1.2, 32)[0].shape == (0, 3, 32, 32)
