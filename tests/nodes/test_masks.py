from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from faceloom.nodes import FaceMask, GrowFeatherMask
from faceloom.ops.face_regions import PARTS
from faceloom.ops.geometry import transform_points

SHAPES = FaceMask.GET_SCHEMA().inputs[1].options


def face_mask(crops, shape="below brow line", skin_only=False, kept=()):
    choices = {f"keep_{part}": part in kept for part in PARTS}
    masked, mask = FaceMask.execute(crops, shape=shape, skin_only=skin_only, **choices).args
    return masked, mask


@pytest.mark.parametrize("skin_only", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_mask_covers_the_face_and_not_the_corners(crops, shape, skin_only):
    masked, mask = face_mask(crops, shape, skin_only)
    assert torch.equal(masked.mask[:, 0], mask)
    assert masked.image is crops.image
    assert mask.shape == (4, 64, 64)
    assert mask.min() >= 0
    assert mask.max() <= 1
    nose = transform_points(crops.matrix, crops.faces.keypoints)[:, 2].long()
    assert (mask[range(4), nose[:, 1], nose[:, 0]] > 0.9).all()
    assert mask[:, [0, 0, -1, -1], [0, -1, 0, -1]].max() < 0.05


def test_shapes_grow_from_brow_line_to_hull(crops):
    below, face, hull = (face_mask(crops, shape)[1].sum((1, 2)) for shape in SHAPES[:3])
    assert (below < face).all()
    assert (face < hull).all()


@pytest.mark.parametrize(
    ("part", "landmark"),
    [("eyes", 159), ("brows", 105), ("nose", 4), ("lips", 0), ("inner_mouth", 13)],
)
def test_kept_parts_are_left_out(crops, part, landmark):
    whole, kept = face_mask(crops, "hull")[1], face_mask(crops, "hull", kept=[part])[1]
    assert (kept <= whole).all()
    assert (kept.sum((1, 2)) < whole.sum((1, 2))).all()
    x, y = transform_points(crops.matrix, crops.faces.landmarks)[:, landmark, :2].long().unbind(1)
    assert (kept[range(4), y, x] < 0.6).all()


def test_skin_only_leaves_out_what_covers_the_skin(crops):
    covered = crops.image.clone()
    covered[:, :, 34:44, 22:28] = torch.tensor([0.1, 0.8, 0.2])[:, None, None]
    covered = replace(crops, image=covered)
    without, with_skin = (face_mask(covered, skin_only=choice)[1] for choice in (False, True))
    assert (without[:, 37:41, 24:26] > 0.9).all()
    assert (with_skin[:, 37:41, 24:26] < 0.1).all()


def test_mask_stays_inside_the_one_the_crops_have(crops):
    left = torch.zeros(4, 1, 64, 64)
    left[..., :32] = 0.5
    _, mask = face_mask(replace(crops, mask=left), "hull")
    assert mask[..., 32:].max() == 0
    assert mask.max() == 0.5


@pytest.mark.parametrize("skin_only", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_no_face_gives_one_black_mask(no_crops, shape, skin_only):
    masked, mask = face_mask(no_crops, shape, skin_only, kept=PARTS)
    assert masked.mask.shape == (0, 1, 64, 64)
    assert torch.equal(mask, torch.zeros(1, 64, 64))


def test_faces_without_landmarks_get_a_box_or_a_word(bare_crops):
    assert face_mask(bare_crops, "box", skin_only=True)[1].mean() > 0.5
    with pytest.raises(ValueError, match=r"^Face Mask: .* Put Find Landmarks between"):
        face_mask(bare_crops)


def test_other_landmarks_have_a_hull_or_a_word(few_points):
    assert face_mask(few_points, "hull")[1].shape == (4, 64, 64)
    with pytest.raises(ValueError, match=r"^Face Mask: .*gives the 468 points"):
        face_mask(few_points)


@pytest.mark.parametrize("count", [5, 68, 98, 106])
def test_sets_without_a_mesh_are_named(crops, count):
    landmarks = crops.faces.landmarks[:, :count, :2]
    sparse = replace(crops, faces=replace(crops.faces, landmarks=landmarks))
    with pytest.raises(ValueError, match=rf"^Face Mask: .*{count} landmarks \(.*468 points"):
        face_mask(sparse)


def test_irises_after_the_mesh_change_nothing(crops):
    landmarks = torch.cat([crops.faces.landmarks, crops.faces.landmarks[:, :10] * 0], 1)
    irises = replace(crops, faces=replace(crops.faces, landmarks=landmarks))
    for shape in ("hull", "below brow line"):
        assert torch.equal(face_mask(irises, shape)[1], face_mask(crops, shape)[1])


# ---- Grow/Feather Mask ----


def soften(mask, grow=0.0, feather=0.0):
    (softened,) = GrowFeatherMask.execute(mask, grow, feather).args
    return softened


@pytest.fixture
def square():
    mask = torch.zeros(2, 40, 60)
    mask[:, 10:30, 20:40] = 1
    return mask


def test_nothing_to_do_changes_nothing(square):
    assert torch.equal(soften(square), square)


@pytest.mark.parametrize(("pixels", "side"), [(5, 30), (-5, 10), (-100, 0)])
def test_grow_moves_the_edge(square, pixels, side):
    grown = soften(square, pixels)
    assert grown.shape == square.shape
    assert (grown[:, 20] > 0.5).sum(1).tolist() == [side, side]


def test_growing_beyond_the_picture_fills_it(square):
    assert soften(square, 512.0).min() == 1


def test_feather_softens_inwards_only(square):
    soft = soften(square, 0.0, 0.2)
    assert (soft <= square).all()
    assert ((soft > 0.05) & (soft < 0.95)).any()
    assert soft[:, 20, 30].min() > 0.9


@pytest.mark.parametrize(
    "mask",
    [
        torch.ones(5, 7),
        torch.full((1, 5, 7), 255, dtype=torch.uint8),
        torch.full((1, 5, 7), 9.0),
        torch.ones(1, 5, 7, dtype=torch.bool),
        torch.ones(1, 5, 7).half(),
    ],
)
def test_any_kind_of_mask(mask):
    assert torch.equal(soften(mask, 2.0), torch.ones(1, 5, 7))


def test_no_mask_at_all_stays_none():
    assert soften(torch.zeros(0, 8, 9), 3.0, 0.1).shape == (0, 8, 9)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (torch.full((1, 4, 4), torch.nan), "holds NaN"),
        (torch.zeros(1, 4, 4, 3), "connect a MASK"),
        (torch.zeros(4), "connect a MASK"),
        (None, "connect a MASK"),
    ],
)
def test_what_is_no_mask_is_refused_by_name(mask, message):
    with pytest.raises((TypeError, ValueError), match=f"^Grow/Feather Mask: mask .*{message}"):
        soften(mask, 1.0, 0.1)
