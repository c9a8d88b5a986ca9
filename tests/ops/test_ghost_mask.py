from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from faceloom.ops.geometry import fit_pose_template, transform_points
from faceloom.ops.ghost_mask import GROWTHS, ghost_mask, growth_of, jaw_offset
from faceloom.ops.landmark_sets import convert_landmarks, keypoints_from_landmarks

# InsightFace's 106 points: the jaw from the left ear to the chin, and from there to the right ear.
JAW_106 = [1, *range(9, 17), *range(2, 9), 0, *range(24, 17, -1), *range(32, 24, -1), 17]
TOPS_106, LIDS_106 = [43, 48, 49, 51, 50, 102, 103, 104, 105, 101], [35, 41, 40, 42, 39]
LIDS_106 = [*LIDS_106, 89, 95, 94, 96, 93]
TOPS_98, LIDS_98 = [*range(33, 38), *range(42, 47)], [*range(60, 65), *range(68, 73)]
TOPS_468 = [70, 63, 105, 66, 107, 336, 296, 334, 293, 300]
LIDS_468 = [33, 161, 159, 157, 133, 362, 384, 386, 388, 263]
POSES = [(0, 0, 0), (35, 5, -8), (-20, -12, 6), (10, 10, 0)]


@pytest.fixture
def mesh(posed):
    """Makes the mean face [1, 468, 3] as GHOST aligns it, in a crop of `size` px."""

    def make(yaw=0.0, pitch=0.0, roll=0.0, size=224, wide=1.0, down=0.0):
        points = posed(yaw, pitch, roll)
        matrix, _ = fit_pose_template(keypoints_from_landmarks(points), size)
        points = transform_points(matrix, points)
        points[..., 0] = (points[..., 0] - size / 2) * wide + size / 2
        points[..., 1] += down * size
        return points

    return make


def sparser(mesh, count):
    """The 106, 98 or 68 points at the same places of a face; those inside the hull on the nose."""
    if count == 468:
        return mesh
    sparse = convert_landmarks(mesh, 68)[..., :2]
    if count == 68:
        return sparse
    points = sparse[:, 30:31].repeat(1, count, 1)
    # Both sets have a point between every two of the jaw's 17.
    jaw = torch.empty(len(mesh), 33, 2)
    jaw[:, 0::2] = sparse[:, :17]
    jaw[:, 1::2] = (sparse[:, 1:17] + sparse[:, :16]) / 2
    places = (JAW_106, TOPS_106, LIDS_106) if count == 106 else (list(range(33)), TOPS_98, LIDS_98)
    for where, what in zip(places, (jaw, mesh[:, TOPS_468], mesh[:, LIDS_468]), strict=True):
        points[:, where] = what[..., :2]
    return points


def published_mask(points, shrink, sigma_x, sigma_y, lift):
    """GHOST's recipe for 106 points [106, 2] in a crop of 224 px, with cv2, as it is specified."""
    corners = (points.numpy() - 0.5).astype(np.int32)  # cv2's pixel centres are whole numbers
    above = corners[TOPS_106] - corners[LIDS_106]
    corners[TOPS_106] = corners[TOPS_106] + lift * 0.5 * above
    mask = np.zeros((224, 224), np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(corners), 255)
    square = np.ones((abs(shrink), abs(shrink)), np.uint8)
    mask = cv2.erode(mask, square) if shrink > 0 else cv2.dilate(mask, square)
    inside = np.zeros_like(mask)
    border = slice(2 * sigma_y, -2 * sigma_y)
    inside[border, border] = mask[border, border]
    return cv2.GaussianBlur(inside, (0, 0), sigmaX=sigma_x, sigmaY=sigma_y) / 255


def draw(landmarks, row, size=224):
    return ghost_mask(landmarks, size, torch.full((len(landmarks),), row))


def test_rows_of_the_table():
    offsets = torch.tensor([6.01, 6.0, 3.01, 3.0, -3.0, -3.01])
    rows = [GROWTHS[row] for row in growth_of(offsets).tolist()]
    assert [row[:3] for row in rows] == [
        *((15, 15, 10), (10, 10, 8), (10, 10, 8)),
        *((5, 5, 5), (5, 5, 5), (-5, 5, 10)),
    ]
    assert [row.lift for row in rows] == [2.7, 2.0, 2.0, 2.0, 2.0, 0.5]


@pytest.mark.parametrize("row", range(4))
def test_masks_are_the_published_ones(mesh, row):
    # The original's coordinates are cut to whole pixels, so each edge is off by up to half a pixel.
    errors = []
    for down in (0.0, 0.011, -0.023):
        for pose in POSES:
            points = sparser(mesh(*pose, down=down), 106)
            published = published_mask(points[0], *GROWTHS[row])
            errors.append(np.abs(draw(points, row)[0, 0].numpy() - published))
    assert np.mean(errors) < 0.004
    assert np.max(errors) < 0.12


@pytest.mark.parametrize("row", range(4))
def test_a_face_on_whole_pixels_is_exactly_the_published_one(row):
    # A rectangle whose corners fall half-way between cv2's pixel centres, cut down to them, and
    # brows without a way to the lids. It reaches into the border, which is emptied.
    points = torch.full((1, 106, 2), 100.0)
    points[0, [0, 1, 2, 3]] = torch.tensor([[12.0, 40], [181, 40], [181, 203], [12, 203]])
    published = published_mask(points[0], *GROWTHS[row])
    # cv2 blurs in 8 bits, and rounds twice.
    assert np.abs(draw(points, row)[0, 0].numpy() - published).max() < 2.5 / 255


def test_offset_adds_up_the_jaw_s_three_points():
    target, result = torch.zeros(2, 106, 2), torch.zeros(2, 106, 2)
    result[0, [1, 2, 13], 0] = torch.tensor([1.0, 2.0, 4.0])
    result[0, [17, 18, 29], 0] = torch.tensor([-1.0, -1.0, 1.0])
    result[1, [1, 2, 13], 0] = -3.0
    result[1, [17, 18, 29], 0] = torch.tensor([-2.0, -2.5, 0.5])
    assert jaw_offset(result, target, 224).tolist() == [7.0, 4.0]
    assert jaw_offset(result, target, 448).tolist() == [3.5, 2.0]


@pytest.mark.parametrize("pose", POSES)
@pytest.mark.parametrize("count", [68, 98, 468, 478])
def test_other_sets_give_the_mask_of_106(mesh, count, pose):
    face, narrow = mesh(*pose), mesh(*pose, wide=0.97)
    other, narrower = (
        torch.cat([x, x[:, :10]], 1) if count == 478 else sparser(x, count) for x in (face, narrow)
    )
    wanted = jaw_offset(sparser(narrow, 106), sparser(face, 106), 224)
    torch.testing.assert_close(jaw_offset(narrower, other, 224), wanted)
    for row in range(4):
        mask, whole = draw(other, row), draw(sparser(face, 106), row)
        assert float(mask.sum()) == pytest.approx(float(whole.sum()), rel=0.01)
        assert (mask - whole).abs().max() < 0.1


def test_the_mask_ends_above_the_brows_and_inside_the_jaw(mesh):
    face = mesh()
    mask = draw(face, 2)[0, 0]

    def at(landmark):
        x, y = face[0, landmark, :2].long().tolist()
        return float(mask[y, x])

    assert min(at(point) for point in (105, 334, 4, 13, 17)) > 0.5
    assert at(10) < 0.1  # the hairline's middle
    assert mask[[0, 0, -1, -1], [0, -1, 0, -1]].max() < 0.01
    # A face that fills the crop still ends before its border.
    close = draw((face - 112) * 2 + 112, 2)[0, 0]
    assert max(close[0].max(), close[-1].max(), close[:, 0].max(), close[:, -1].max()) < 0.1


def test_narrower_faces_get_smaller_masks(mesh):
    # Only below the eyes: above them, the brows rise the more the rest shrinks.
    areas = [float(draw(mesh(), row)[..., 112:, :].sum()) for row in range(4)]
    assert areas == sorted(set(areas))


@pytest.mark.parametrize("size", [64, 256, 512])
def test_masks_of_other_sizes_cover_the_same_share(mesh, size):
    share, wanted = draw(mesh(size=size), 1, size), draw(mesh(), 1)
    assert share.shape == (1, 1, size, size)
    assert float(share.mean()) == pytest.approx(float(wanted.mean()), rel=0.01)


def test_each_face_has_its_own_row(mesh):
    faces = torch.cat([mesh(), mesh(20), mesh(-20)])
    together = ghost_mask(faces, 224, torch.tensor([3, 0, 3]))
    for index, row in enumerate((3, 0, 3)):
        torch.testing.assert_close(together[index : index + 1], draw(faces[[index]], row))


@pytest.mark.parametrize("count", [68, 98, 106, 468, 478])
def test_no_faces(count):
    none = torch.zeros(0, count, 2)
    assert jaw_offset(none, none, 224).shape == (0,)
    assert draw(none, 0, 256).shape == (0, 1, 256, 256)


@pytest.mark.parametrize("count", [5, 71, 203])
def test_other_sets_are_refused_by_number(count):
    points = torch.zeros(1, count, 2)
    message = f"cannot be drawn from {count} landmarks. Use a landmarker that gives"
    with pytest.raises(ValueError, match=message):
        draw(points, 0)
    with pytest.raises(ValueError, match=message):
        jaw_offset(points, points, 224)


def test_landmarks_that_are_no_numbers_give_an_empty_mask():
    assert draw(torch.full((1, 68, 2), torch.nan), 1).max() == 0
