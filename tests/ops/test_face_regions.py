from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage
from scipy.spatial import ConvexHull
from skimage.draw import polygon2mask
from torch import Tensor

from faceloom.ops.face_regions import (
    PARTS,
    SHAPES,
    face_mask,
    features_mask,
    part_mask,
    vertex_visibility,
)
from faceloom.ops.landmark_sets import CONTOURS, landmark_set

SIZE = 128
FOREHEAD, NOSE_TIP, LEFT_CHEEK, RIGHT_CHEEK = 151, 4, 50, 280


def at(mask: Tensor, landmarks: Tensor, number: int) -> float:
    x, y = landmarks[0, number, :2].int().tolist()
    return mask[0, 0, y, x].item()


def filled(landmarks: Tensor, name: str, size: int = SIZE) -> np.ndarray:
    """A contour filled by scikit-image, whose pixel centres are at integers and rows come first."""
    corners = landmarks[0, list(CONTOURS[name]), :2].double().numpy()
    return polygon2mask((size, size), corners[:, ::-1] - 0.5)


def contour_area(landmarks: Tensor, name: str) -> float:
    x, y = landmarks[0, list(CONTOURS[name]), :2].double().numpy().T
    return abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("axes", [2, 3])
def test_face_mask_shape_and_range(posed, shape: str, axes: int):
    mask = face_mask(posed(30)[..., :axes], SIZE, shape)
    assert mask.shape == (1, 1, SIZE, SIZE)
    assert mask.dtype == torch.float32
    assert mask.min() == 0
    assert mask.max() == 1


@pytest.mark.parametrize("axes", [2, 3])
def test_no_faces(axes: int):
    none = torch.zeros(0, 468, axes)
    for shape in SHAPES:
        assert face_mask(none, 16, shape, PARTS).shape == (0, 1, 16, 16)
    assert part_mask(none, 16, "eyes").shape == (0, 1, 16, 16)
    assert features_mask(none, 16).shape == (0, 1, 16, 16)
    assert vertex_visibility(torch.zeros(0, 468, 3)).shape == (0, 468)


def test_errors_say_what_came_and_what_was_wanted(posed):
    face = posed()
    with pytest.raises(ValueError, match="below brow line, face, hull; got 'oval'"):
        face_mask(face, SIZE, "oval")
    for points in (face, face[:0]):
        with pytest.raises(ValueError, match=r"eyes, .*inner_mouth; got 'ears'"):
            face_mask(points, SIZE, "face", ["ears"])
    with pytest.raises(ValueError, match="got 'ears'"):
        part_mask(face, SIZE, "ears")
    with pytest.raises(ValueError, match=r"\[N, L, 2\] or \[N, L, 3\], got \[468, 3\]"):
        face_mask(face[0], SIZE, "hull")
    with pytest.raises(ValueError, match=r"got \[1, 468, 4\]"):
        part_mask(torch.zeros(1, 468, 4), SIZE, "eyes")
    with pytest.raises(ValueError, match=r"68 landmarks.*468 points"):
        part_mask(face[:, :68], SIZE, "eyes")
    with pytest.raises(ValueError, match=r"68 landmarks.*468 points"):
        face_mask(face[:, :68], SIZE, "face")
    with pytest.raises(ValueError, match=r"\[N, L, 3\], got \[1, 468, 2\]"):
        vertex_visibility(face[..., :2])


def test_batch_equals_each_alone(posed):
    faces = torch.cat([posed(0), posed(50, 10, 20), posed(-80)])
    calls = [lambda x: face_mask(x, SIZE, "face", ["lips"]), vertex_visibility]
    for call in calls:
        alone = torch.cat([call(face) for face in faces.split(1)])
        torch.testing.assert_close(call(faces), alone)


@pytest.mark.parametrize("shape", SHAPES[:2])
@pytest.mark.parametrize("axes", [2, 3])
def test_mask_lies_inside_the_outline(posed, shape: str, axes: int):
    face = posed(roll=15)[..., :axes]
    mask = face_mask(face, SIZE, shape)[0, 0].numpy()
    outline = filled(face, "oval")
    assert (mask[~outline] == 0).all()
    # And not by much: it takes most of what it may take.
    assert mask.sum() > (0.65 if shape == "face" else 0.5) * outline.sum()
    assert at(torch.from_numpy(mask)[None, None], face, NOSE_TIP) == 1


def test_forehead_is_left_out_below_the_brow_line(posed):
    face = posed()
    below, whole = (face_mask(face, SIZE, shape) for shape in SHAPES[:2])
    assert at(below, face, FOREHEAD) == 0
    assert at(whole, face, FOREHEAD) == 1
    assert (below <= whole).all()
    for number in (NOSE_TIP, LEFT_CHEEK, RIGHT_CHEEK, 199):
        assert at(below, face, number) == 1
    # The brows themselves belong to it.
    for number in (*CONTOURS["left_brow"], *CONTOURS["right_brow"]):
        assert at(below, face, number) > 0.2


def test_turned_away_skin_is_left_out(posed):
    face = posed(yaw=60)  # the nose points to the image's right
    mask = face_mask(face, SIZE, "face")
    assert at(mask, face, LEFT_CHEEK) == 1
    flat = face_mask(face[..., :2], SIZE, "face")
    assert mask.sum() < flat.sum()
    assert (mask[0, 0].numpy()[~(flat[0, 0].numpy() > 0)] == 0).mean() > 0.99


@pytest.mark.parametrize("part", PARTS)
def test_kept_parts_are_left_out_and_the_rest_is_not_touched(posed, part: str):
    size = 256
    face = posed(size=size)
    whole, without = (face_mask(face, size, "face", kept)[0, 0].numpy() for kept in ((), (part,)))
    inside = np.any([filled(face, name, size) for name in PARTS[part]], axis=0)
    depth = ndimage.distance_transform_edt(inside)
    assert without[depth > 0.9 * depth.max()].max() < 0.15
    far = ndimage.distance_transform_edt(~inside) > 0.05 * size
    np.testing.assert_array_equal(without[far], whole[far])


def test_hull_keeps_parts_too_but_needs_triangles_only_for_them(posed):
    face = posed()
    kept = face_mask(face, SIZE, "hull", ["eyes", "lips"])
    eyes, lips = part_mask(face, SIZE, "eyes"), part_mask(face, SIZE, "lips")
    torch.testing.assert_close(kept, face_mask(face, SIZE, "hull") * (1 - eyes) * (1 - lips))
    points = torch.rand(2, 5, 2, generator=torch.Generator().manual_seed(0)) * SIZE
    areas = face_mask(points, SIZE, "hull").sum((1, 2, 3))
    wanted = [ConvexHull(each.numpy()).volume for each in points]
    np.testing.assert_allclose(areas.numpy(), wanted, rtol=0.01)


@pytest.mark.parametrize("part", PARTS)
def test_part_has_its_contours_area_place_and_softness(posed, part: str):
    size = 256
    face = posed(roll=-20, size=size)
    mask = part_mask(face, size, part)[0, 0].numpy()
    wanted = sum(contour_area(face, name) for name in PARTS[part])
    assert mask.sum() == pytest.approx(wanted, rel=0.02)
    hard = np.any([filled(face, name, size) for name in PARTS[part]], axis=0)
    soft = ndimage.gaussian_filter(hard.astype(float), 0.008 * size)
    # Ours counts shares of pixels, scikit-image whole ones.
    np.testing.assert_allclose(mask, soft, atol=0.12)


def test_features_are_eyes_brows_and_lips(posed):
    face = posed()
    parts = [part_mask(face, SIZE, part) for part in ("eyes", "brows", "lips")]
    assert torch.equal(features_mask(face, SIZE), torch.stack(parts).amax(0))


@pytest.mark.parametrize("angles", [(0, 0, 0), (40, 0, 0), (-75, 10, 5)])
def test_visibility_is_the_slow_loop(posed, angles):
    face = posed(*angles)
    points = face[0].double().numpy()
    normals = np.zeros((468, 3))
    for corners in landmark_set(468).triangles.tolist():
        a, b, c = points[corners]
        normals[corners] += np.cross(b - a, c - a)
    cosine = normals[:, 2] / np.linalg.norm(normals, axis=1)
    wanted = np.interp(cosine, [0.2, 0.5], [0, 1])
    np.testing.assert_allclose(vertex_visibility(face)[0].numpy(), wanted, atol=1e-4)
    torch.testing.assert_close(
        vertex_visibility(face / 300), vertex_visibility(face), atol=1e-4, rtol=0
    )


def test_visibility_follows_the_turn(posed):
    frontal, turned, behind = (vertex_visibility(posed(yaw))[0] for yaw in (0, 60, 180))
    assert frontal[[NOSE_TIP, LEFT_CHEEK, RIGHT_CHEEK, FOREHEAD]].tolist() == [1] * 4
    assert turned[LEFT_CHEEK] == 1
    assert turned[[RIGHT_CHEEK, 454]].tolist() == [0, 0]
    assert behind.mean() < 0.05
    mirror = landmark_set(468).mirror
    torch.testing.assert_close(vertex_visibility(posed(-60))[0], turned[mirror], atol=1e-4, rtol=0)
