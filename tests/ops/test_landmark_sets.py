from __future__ import annotations

from collections import defaultdict

import pytest
import torch

from faceloom.ops.landmark_sets import (
    CONTOURS,
    convert_landmarks,
    keypoints_from_landmarks,
    landmark_set,
)

FACE = landmark_set(468)
MIRRORED = torch.tensor([-1.0, 1.0, 1.0])


@pytest.fixture(scope="module")
def edges():
    """Each edge, without direction, with the directions in which triangles run along it."""
    found = defaultdict(list)
    for a, b, c in FACE.triangles.tolist():
        for edge in ((a, b), (b, c), (c, a)):
            found[frozenset(edge)].append(edge)
    return found


def steps(contour):
    return [frozenset(pair) for pair in zip(contour, contour[1:] + contour[:1], strict=True)]


def test_shapes():
    assert FACE.mean.shape == (468, 3)
    assert FACE.mean.dtype == torch.float32
    assert FACE.triangles.shape[1] == 3
    assert FACE.mirror.shape == (468,)
    assert FACE.triangles.dtype == FACE.mirror.dtype == torch.int64
    assert landmark_set(468) is FACE


@pytest.mark.parametrize("count", [0, 5, 68, 478])
def test_other_sets_are_refused(count: int):
    with pytest.raises(ValueError, match=rf"{count} landmarks.*468 points"):
        landmark_set(count)


def test_mean_is_a_unit_frontal_face():
    torch.testing.assert_close(FACE.mean.mean(0), torch.zeros(3), atol=1e-4, rtol=0)
    assert FACE.mean.square().sum(1).mean().sqrt().item() == pytest.approx(1, abs=1e-3)
    # Anatomy, by MediaPipe's well-known numbers: forehead, nose tip, chin; eyes; cheeks.
    x, y, z = FACE.mean.unbind(1)
    assert y.argmin() == 10
    assert y.argmax() == 152
    assert y[10] < y[33] < y[4] < y[13] < y[152]
    assert z.argmin() in (1, 4)
    assert z[234] > z[33] > z[4]
    assert x[234] < x[33] < x[133] < 0 < x[362] < x[263] < x[454]


def test_mirror_maps_the_mean_onto_itself():
    mirror = FACE.mirror
    assert torch.equal(mirror[mirror], torch.arange(468))
    assert torch.equal(FACE.mean[mirror] * MIRRORED, FACE.mean)
    middle = mirror == torch.arange(468)
    assert torch.equal(middle, FACE.mean[:, 0] == 0)
    assert middle[[10, 152, 4, 13, 14]].all()


def test_triangles_form_a_disc(edges):
    corners = FACE.triangles.unique()
    assert torch.equal(corners, torch.arange(468))
    assert len(corners) - len(edges) + len(FACE.triangles) == 1
    rim = {edge for edge, runs in edges.items() if len(runs) == 1}
    assert rim == set(steps(CONTOURS["oval"]))
    # An inner edge has two triangles, which run along it in opposite directions.
    assert all(len(runs) == len(set(runs)) == 2 for edge, runs in edges.items() if edge not in rim)


def test_triangles_are_clockwise_in_a_frontal_face():
    a, b, c = FACE.mean[:, :2].double()[FACE.triangles].unbind(1)
    (ux, uy), (vx, vy) = (b - a).unbind(1), (c - a).unbind(1)
    area = (ux * vy - uy * vx) / 2
    assert (area > 0).double().mean() > 0.99
    assert area.clamp(max=0).sum().abs() < 1e-3 * area.sum()


def test_triangles_are_symmetric():
    ours = {frozenset(triangle) for triangle in FACE.triangles.tolist()}
    assert len(ours) == len(FACE.triangles)
    assert {frozenset(t) for t in FACE.mirror[FACE.triangles].tolist()} == ours


@pytest.mark.parametrize("name", [name for name in CONTOURS if name != "nose"])
def test_contours_run_along_edges(edges, name: str):
    assert set(steps(CONTOURS[name])) <= edges.keys()


@pytest.mark.parametrize("name", CONTOURS)
def test_contours_are_closed_without_repetition_and_have_a_mirrored_twin(name: str):
    contour = CONTOURS[name]
    assert len(set(contour)) == len(contour)
    swapped = {"left": "right", "right": "left"}
    side, _, part = name.partition("_")
    twin = f"{swapped[side]}_{part}" if side in swapped else name
    assert set(FACE.mirror[list(contour)].tolist()) == set(CONTOURS[twin])


def test_left_is_the_images_left():
    for part in ("eye", "brow"):
        assert FACE.mean[list(CONTOURS[f"left_{part}"]), 0].max() < 0
        assert FACE.mean[list(CONTOURS[f"right_{part}"]), 0].min() > 0


@pytest.mark.parametrize("name", ["left_eye", "right_eye", "lips", "inner_mouth"])
def test_openings_begin_at_a_corner(name: str):
    x = FACE.mean[list(CONTOURS[name]), 0]
    extreme = x.max() if name == "right_eye" else x.min()
    # An eye's corner may dip below its neighbour on the lid by a hair.
    assert (x[0] - extreme).abs() < 0.02


# ---- from one set to another ----

# iBUG's order: the points that change places when a picture of a face is mirrored.
IBUG_MIRROR = [
    *range(16, -1, -1),
    *range(26, 16, -1),
    *(27, 28, 29, 30, 35, 34, 33, 32, 31),
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
    *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65),
]


def test_the_irises_are_left_out():
    landmarks = torch.rand(2, 478, 3)
    assert torch.equal(convert_landmarks(landmarks, 468), landmarks[:, :468])
    assert convert_landmarks(landmarks, 478) is landmarks


def test_68_of_the_mesh_lie_as_ibug_numbers_them():
    points = convert_landmarks(FACE.mean[None], 68)[0]
    x, y, _ = points.unbind(1)
    torch.testing.assert_close(points[IBUG_MIRROR] * MIRRORED, points, atol=1e-5, rtol=0)
    assert (x[1:17] > x[:16])[1:15].all()  # the jaw, from the image's left to its right
    assert y[:17].argmax() == 8
    assert (x[18:27] > x[17:26]).all()  # brows
    assert (y[28:34] > y[27:33]).all()  # down the nose, the tip foremost
    assert points[:, 2].argmin() == 30
    for first, corner in ((36, 39), (42, 45)):  # an eye's upper lid, then its lower one
        assert x[first] < x[first + 1] < x[first + 2] < x[corner]
        assert y[first + 1 : corner].max() < y[corner + 1 : corner + 3].min()
    assert x[48:60].argmin() == 0
    assert x[48:60].argmax() == 6
    assert y[51] < y[62] < y[66] < y[57]  # lips, from above


def test_98_of_wflw_become_68():
    # facexlib, https://github.com/xinntao/facexlib (alignment/convert_98_to_68_landmarks.py):
    #   landmark_98_to_68(np.stack([np.arange(98), np.arange(98) ** 2], 1).astype("float32"))[:, 0]
    wanted = [
        *range(0, 33, 2),
        *(33, 37.5, 37.5, 37.5, 37.5, 46, 46, 46, 46, 46),
        *range(51, 60),
        *(60, 61, 63, 64, 65, 67, 68, 69, 71, 72, 73, 75),
        *range(76, 96),
    ]
    number = torch.arange(98.0)
    found = convert_landmarks(torch.stack([number, number.square()], -1)[None], 68)[0]
    assert found[:, 0].tolist() == wanted
    assert found[18, 1].item() == (34**2 + 41**2) / 2


def test_five_points_of_98():
    # WFLW's numbers: eyes 60..67 and 68..75 round the lids, nose tip 54, mouth corners 76 and 82.
    # Each lid's middle point, 62 and 66, 70 and 74, has no twin among the 68.
    points = torch.zeros(1, 98, 2)
    points[0, 60:68] = torch.tensor([3.0, 5])
    points[0, 68:76] = torch.tensor([9.0, 5])
    points[0, [62, 66, 70, 74]] = 1000
    points[0, [54, 76, 82]] = torch.tensor([[6.0, 7], [4, 9], [8, 9]])
    wanted = [[3, 5], [9, 5], [6, 7], [4, 9], [8, 9]]
    assert keypoints_from_landmarks(points)[0].tolist() == wanted


def test_five_points_of_68():
    landmarks = torch.rand(3, 68, 3)
    eyes = [landmarks[:, 36:42].mean(1), landmarks[:, 42:48].mean(1)]
    wanted = torch.stack([*eyes, *landmarks[:, [30, 48, 54]].unbind(1)], 1)
    torch.testing.assert_close(convert_landmarks(landmarks, 5), wanted)
    torch.testing.assert_close(keypoints_from_landmarks(landmarks), wanted[..., :2])


@pytest.mark.parametrize("count", [68, 98, 106, 468, 478])
def test_every_set_has_five_points_in_the_plane(count):
    for number in (0, 2):
        points = keypoints_from_landmarks(torch.rand(number, count, 3))
        assert points.shape == (number, 5, 2)


def test_five_points_of_a_mean_face_are_where_they_should_be():
    left, right, nose, left_mouth, right_mouth = keypoints_from_landmarks(FACE.mean[None])[0]
    assert left[0] < left_mouth[0] < nose[0] < right_mouth[0] < right[0]
    assert left[1] < nose[1] < left_mouth[1]
    torch.testing.assert_close(left * MIRRORED[:2], right, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("count", "wanted"), [(5, 68), (68, 98), (106, 68), (98, 106), (203, 5)])
def test_where_no_way_leads_both_sets_are_named(count, wanted):
    with pytest.raises(ValueError, match=rf"{count} landmarks.*turned into {wanted} landmarks"):
        convert_landmarks(torch.rand(1, count, 2), wanted)
