from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from faceloom.faces import Faces
from faceloom.nodes import AlignFaces, CropsToImage, GrowFeatherMask, ImageToCrops, PasteFaces
from faceloom.ops.geometry import fit_pose_template, fit_similarity, transform_points
from faceloom.ops.templates import TEMPLATES, template_points

EVERY_TEMPLATE = AlignFaces.GET_SCHEMA().inputs[2].options


def align(image, faces, template="ffhq_512", size=64, margin=1.5):
    (crops,) = AlignFaces.execute(image, faces, template, size, margin).args
    return crops


@pytest.mark.parametrize("template", EVERY_TEMPLATE)
def test_crops_show_the_place_that_their_matrix_says(faces, template):
    # Every pixel's colour is its own place, so a crop says where it was cut from.
    y, x = torch.meshgrid(torch.arange(80) + 0.5, torch.arange(128) + 0.5, indexing="ij")
    image = torch.stack([x / 128, y / 80, 0 * x], -1).expand(3, -1, -1, -1)
    crops = align(image, faces, template)
    assert crops.template == template
    assert crops.image.shape == (4, 3, 64, 64)
    middle = crops.image[:, :2, 31:33, 31:33].mean((2, 3)) * torch.tensor([128, 80])
    back = transform_points(crops.matrix, middle[:, None])
    torch.testing.assert_close(back, torch.full((4, 1, 2), 32.0), atol=0.1, rtol=0)
    placed = transform_points(crops.matrix, faces.keypoints)
    assert ((placed > 0) & (placed < 64)).all()


@pytest.mark.parametrize("template", list(TEMPLATES))
def test_templates_put_the_points_into_their_places(image, faces, template):
    wanted = template_points(template, 128, faces.device)
    fitting = replace(faces, keypoints=(wanted / 3 + torch.tensor([30.0, 20.0])).expand(4, -1, -1))
    placed = transform_points(align(image, fitting, template, 128).matrix, fitting.keypoints)
    torch.testing.assert_close(placed, wanted.expand(4, -1, -1), atol=1e-3, rtol=0)


def test_margin_widens_the_square_box_only(image, faces):
    narrow, wide = (align(image, faces, "square_box", 64, margin) for margin in (1.0, 2.0))
    torch.testing.assert_close(narrow.matrix[:, 0, 0], 2 * wide.matrix[:, 0, 0])
    others = [align(image, faces, "ffhq_512", 64, margin).matrix for margin in (1.0, 2.0)]
    assert torch.equal(*others)


@pytest.mark.parametrize(
    ("size", "multiple", "wanted"),
    [(64, 8, 64), (65, 8, 72), (65, 64, 128), (65, 1, 65), (65, None, 65)],
)
def test_size_grows_to_a_multiple(image, faces, size, multiple, wanted):
    (crops,) = AlignFaces.execute(image, faces, "ffhq_512", size, 1.5, multiple).args
    same = align(image, faces, "ffhq_512", wanted)
    assert torch.equal(crops.image, same.image)
    assert torch.equal(crops.matrix, same.matrix)


@pytest.mark.parametrize("template", EVERY_TEMPLATE)
def test_no_faces_make_no_crops(image, no_faces, template):
    assert align(image, no_faces, template).image.shape == (0, 3, 64, 64)


def test_crops_of_any_kind_of_picture(image, faces, kind, as_kind):
    crops = align(as_kind(image), faces)
    assert crops.image.dtype == torch.float32
    assert crops.image.isfinite().all()
    if kind in ("RGBA", "half", "8-bit", "16-bit"):
        torch.testing.assert_close(crops.image, align(image, faces).image, atol=3e-3, rtol=0)


def test_another_pictures_faces_are_refused(image, faces):
    with pytest.raises(ValueError, match="Align Faces: image holds 2 frames of 128x80"):
        align(image[:2], faces)
    with pytest.raises(ValueError, match=r"128x40, .* Connect the image that Detect Faces was"):
        align(image[:, :40], faces)


def test_nan_is_refused_by_name(image, faces):
    image[0, 0, 0, 0] = torch.nan
    with pytest.raises(ValueError, match="Align Faces: image holds NaN"):
        align(image, faces)


def test_a_face_without_size_gives_a_crop_and_no_nan(image, faces):
    flat = replace(faces, box=torch.zeros(4, 4), keypoints=torch.full((4, 5, 2), 20.0))
    for template in EVERY_TEMPLATE:
        assert align(image, flat, template).image.isfinite().all()


def wavering_faces(count):
    """A face a frame, half-way between two poses and a little nearer to one of them by turns."""
    frontal, turned = (
        template_points("ghost_frontal", 64),
        template_points("ghost_right_three_quarter", 64),
    )
    share = torch.tensor([0.45, 0.55]).repeat(count)[:count, None, None]
    return Faces(
        frame=torch.arange(count),
        box=torch.tensor([[20.0, 20, 60, 60]]).repeat(count, 1),
        score=torch.ones(count),
        keypoints=torch.lerp(frontal, turned, share) + 10,
        track=torch.full((count,), -1),
        image_size=(80, 90),
        frames=count,
    )


def test_pose_templates_are_held_over_frames_in_any_order():
    faces, frames = wavering_faces(6), torch.zeros(6, 80, 90, 3)
    held = align(frames, faces, "ghost_best_pose").matrix
    frontal = fit_similarity(faces.keypoints, template_points("ghost_frontal", 64))
    torch.testing.assert_close(held, frontal)
    rows = torch.tensor([3, 5, 0, 1, 4, 2])
    assert torch.equal(align(frames, faces[rows], "ghost_best_pose").matrix, held[rows])


def test_pose_templates_of_single_pictures_are_the_best():
    faces = wavering_faces(2)
    for frame in range(2):
        single = replace(faces[frame], frame=torch.tensor([0]), frames=1)
        found = align(torch.zeros(1, 80, 90, 3), single, "ghost_best_pose").matrix
        assert torch.equal(found, fit_pose_template(single.keypoints, 64)[0])
    # Two people of one frame do not follow each other either.
    pair = replace(faces, frame=torch.tensor([0, 0]), frames=1)
    found = align(torch.zeros(1, 80, 90, 3), pair, "ghost_best_pose").matrix
    assert torch.equal(found, fit_pose_template(faces.keypoints, 64)[0])


# ---- Crops to Image, Image to Crops ----


def test_crops_go_out_as_picture_and_mask(crops):
    picture, mask = CropsToImage.execute(crops).args
    assert torch.equal(picture, crops.image.permute(0, 2, 3, 1))
    assert torch.equal(mask, torch.ones(4, 64, 64))
    half = torch.full((4, 1, 64, 64), 0.5)
    assert torch.equal(CropsToImage.execute(replace(crops, mask=half))[1], half[:, 0])


def test_there_and_back_is_the_same(crops):
    picture, mask = CropsToImage.execute(crops).args
    (back,) = ImageToCrops.execute(crops, picture, mask).args
    assert torch.equal(back.image, crops.image)
    assert torch.equal(back.matrix, crops.matrix)
    assert (back.mask == 1).all()


def test_no_crops_go_out_as_one_black_picture_that_does_not_come_back(no_crops):
    picture, mask = CropsToImage.execute(no_crops).args
    assert picture.shape == (1, 64, 64, 3)
    assert mask.shape == (1, 64, 64)
    assert picture.max() == mask.max() == 0
    assert ImageToCrops.execute(no_crops, picture + 1, mask + 1)[0] is no_crops


def test_edited_pictures_may_have_another_size(crops):
    picture = torch.rand(4, 1, 1, 3).expand(4, 90, 70, 3)
    mask = torch.ones(1, 20, 30)
    (back,) = ImageToCrops.execute(crops, picture, mask).args
    wanted = picture[:, :1, :1].permute(0, 3, 1, 2).expand(4, 3, 64, 64)
    torch.testing.assert_close(back.image, wanted)
    assert torch.equal(back.mask, torch.ones(4, 1, 64, 64))
    assert back.faces is crops.faces


@pytest.mark.parametrize("side", [32, 64, 96, 128])
def test_a_feathered_mask_survives_another_size(image, crops, side):
    """A VAE, an upscaler or a sampler in between may work at another size."""
    square = torch.zeros(4, 64, 64)
    square[:, 12:52, 16:48] = 1
    (soft,) = GrowFeatherMask.execute(square, 0.0, 0.1).args
    assert ((soft > 0.02) & (soft < 0.98)).float().mean() > 0.1
    (masked,) = ImageToCrops.execute(crops, None, soft).args
    picture, mask = CropsToImage.execute(masked).args
    edited, sized = (
        functional.interpolate(
            value, (side, side), mode="bilinear", align_corners=False, antialias=True
        )
        for value in (picture.movedim(-1, 1), mask[:, None])
    )
    (back,) = ImageToCrops.execute(masked, 1 - edited.movedim(1, -1), sized[:, 0]).args
    assert back.mask.shape == masked.mask.shape
    difference = (back.mask - masked.mask).abs()
    assert difference.max() < 0.12
    assert difference.mean() < 0.012
    pasted, changed = PasteFaces.execute(image, back).args
    # The frame changes as little by little as the mask does: no step along its edge.
    assert torch.equal(pasted[changed == 0], image[changed == 0])
    half = (changed > 0.4) & (changed < 0.6)
    assert half.any()
    wanted = image + changed[..., None] * (1 - 2 * image)
    assert (pasted - wanted)[half].abs().mean() < 0.05


def test_what_is_not_connected_stays(crops):
    masked = replace(crops, mask=torch.full((4, 1, 64, 64), 0.25))
    (back,) = ImageToCrops.execute(masked).args
    assert back.image is masked.image
    assert back.mask is masked.mask


def test_edited_pictures_of_any_kind(crops, as_kind):
    picture, _ = CropsToImage.execute(crops).args
    (back,) = ImageToCrops.execute(crops, as_kind(picture)).args
    assert back.image.shape == crops.image.shape
    assert back.image.isfinite().all()


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        ({"image": torch.zeros(3, 64, 64, 3)}, "image holds 3 pictures for 4 crops"),
        ({"image": torch.full((4, 8, 8, 3), torch.nan)}, "image holds NaN"),
        ({"image": torch.zeros(4, 8, 8)}, "connect an IMAGE"),
        ({"mask": torch.zeros(3, 64, 64)}, "mask holds 3 masks for 4 crops"),
        ({"mask": torch.full((1, 8, 8), torch.inf)}, "mask holds NaN or infinite"),
        ({"mask": torch.zeros(4, 64, 64, 3)}, "connect a MASK"),
    ],
)
def test_edits_that_do_not_fit_are_refused(crops, edits, message):
    with pytest.raises(ValueError, match=f"^Image to Crops: .*{message}"):
        ImageToCrops.execute(crops, **edits)
