from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from faceloom.ops.face_regions import face_mask, part_mask, vertex_visibility
from faceloom.ops.filters import erode, gaussian_blur
from faceloom.ops.landmark_sets import CONTOURS, landmark_set
from faceloom.ops.mesh import vertex_weights_to_mask, warp_mesh
from faceloom.ops.reenact import carries_over, opening, reenact_mesh
from faceloom.ops.skin import skin_likeness

SIZE = 128
LEFT_CHEEK, RIGHT_CHEEK = 50, 280
LEFT_TONE, RIGHT_TONE = (0.75, 0.55, 0.45), (0.65, 0.50, 0.45)


@pytest.fixture(scope="module")
def halves(posed):
    """A frontal face whose left and right half differ by a little in tone."""
    face = posed()
    left, right = (torch.tensor(tone)[:, None, None] for tone in (LEFT_TONE, RIGHT_TONE))
    middle = torch.arange(SIZE) + 0.5 < SIZE / 2
    return face, torch.where(middle, left, right).expand(1, 3, SIZE, SIZE)


def reenacted(texture: Tensor, source: Tensor, target: Tensor, size: int = SIZE):
    return reenact_mesh(texture, skin_likeness(texture, source), source, target, size)


def show(texture: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """The plain warp, over grey: a photo of the textured head."""
    triangles = landmark_set(468).triangles
    image, cover = warp_mesh(
        texture, source[..., :2], target[..., :2], triangles, SIZE, target[..., 2]
    )
    return image + 0.3 * (1 - cover)


def around(image: Tensor, landmarks: Tensor, number: int, radius: int = 2) -> Tensor:
    x, y = landmarks[0, number, :2].int().tolist()
    return image[0, :, y - radius : y + radius, x - radius : x + radius]


def with_mouth(landmarks: Tensor, height: float) -> Tensor:
    """The inner mouth as an ellipse, its height over its width."""
    return with_contour(landmarks, "inner_mouth", height)


def with_contour(landmarks: Tensor, name: str, height: float) -> Tensor:
    """A contour bent to an ellipse about its own middle, starting at the same corner."""
    contour = list(CONTOURS[name])
    points = landmarks[:, contour, :2]
    middle, half = points.mean(1, keepdim=True), (points[:, 0] - points[:, len(contour) // 2]) / 2
    angle = torch.arange(len(contour)) * 2 * math.pi / len(contour)
    along, across = half[:, None], torch.stack([-half[:, 1], half[:, 0]], -1)[:, None]
    ellipse = angle.cos()[:, None] * along + height * angle.sin()[:, None] * across
    landmarks = landmarks.clone()
    landmarks[:, contour, :2] = middle + ellipse
    return landmarks


def test_shapes_and_no_faces(posed, skin):
    image, confidence = reenacted(skin, posed(), posed(20, size=96), 96)
    assert image.shape == (1, 3, 96, 96)
    assert confidence.shape == (1, 1, 96, 96)
    assert image.dtype == confidence.dtype == torch.float32
    assert confidence.min() == 0
    assert 0.99 < confidence.max() <= 1
    none = torch.zeros(0, 468, 3)
    image, confidence = reenacted(torch.zeros(0, 3, 16, 16), none, none, 24)
    assert image.shape == (0, 3, 24, 24)
    assert confidence.shape == (0, 1, 24, 24)
    assert opening(none, "eyes").shape == (0,)
    assert carries_over(none, none, "inner_mouth").shape == (0,)


def test_errors_say_what_came_and_what_was_wanted(posed, skin):
    face, all_skin = posed(), torch.ones(1, 1, SIZE, SIZE)
    with pytest.raises(ValueError, match=r"square textures \[N, 3, H, H\], got \[1, 3, 128, 64\]"):
        reenact_mesh(skin[..., :64], all_skin, face, face, SIZE)
    with pytest.raises(ValueError, match=r"skin \[N, 1, H, H\] .*, got \[1, 1, 64, 64\]"):
        reenact_mesh(skin, all_skin[..., :64, :64], face, face, SIZE)
    with pytest.raises(ValueError, match=r"source landmarks \[1, L, 3\].*got \[1, 468, 2\]"):
        reenact_mesh(skin, all_skin, face[..., :2], face, SIZE)
    with pytest.raises(ValueError, match=r"target landmarks \[1, L, 3\].*got \[2, 468, 3\]"):
        reenact_mesh(skin, all_skin, face, face.repeat(2, 1, 1), SIZE)
    with pytest.raises(ValueError, match=r"68 landmarks.*468 points"):
        reenact_mesh(skin, all_skin, face, face[:, :68], SIZE)
    with pytest.raises(ValueError, match="eyes, inner_mouth; got 'brows'"):
        opening(face, "brows")
    with pytest.raises(ValueError, match="got 'ears'"):
        carries_over(face, face, "ears")


@pytest.mark.parametrize("angles", [(0, 0, 0), (25, -10, 15)])
def test_same_pose_gives_the_texture(posed, skin, angles):
    face = posed(*angles)
    texture = gaussian_blur(skin, 1)  # without single pixels that might not pass for skin
    image, confidence = reenacted(texture, face, face, SIZE)
    triangles, seen = landmark_set(468).triangles, vertex_visibility(face)
    facing, _ = vertex_weights_to_mask(seen, face[..., :2], triangles, SIZE, face[..., 2])
    inside = erode(((facing > 0.999) & (confidence > 0.999)).float(), 2) > 0
    assert inside.sum() > 0.6 * (face_mask(face, SIZE, "face") > 0.5).sum()
    assert (image - texture).abs().amax(1, keepdim=True)[inside].max() < 1e-3


def test_confidence_is_0_outside_the_face(posed, skin):
    source, target = posed(10), posed(-15, 5, 10)
    _, confidence = reenacted(skin, source, target, SIZE)
    assert (confidence * (1 - (show(skin * 0 + 1, target, target)[:, :1] > 0.9).float())).max() == 0


def test_picture_goes_on_smoothly_beyond_the_face(posed, halves):
    face, texture = halves
    image, _ = reenacted(texture, face, face, SIZE)
    low, high = texture.amin((2, 3)), texture.amax((2, 3))
    assert (image.amin((2, 3)) > low - 0.01).all()
    assert (image.amax((2, 3)) < high + 0.01).all()


def test_hidden_half_comes_from_the_other_half(posed, halves):
    frontal, texture = halves
    turned = posed(yaw=50)  # to the image's right: the right half is hidden
    assert vertex_visibility(turned)[0, RIGHT_CHEEK] == 0
    photo = show(texture, frontal, turned)
    image, confidence = reenacted(photo, turned, frontal, SIZE)
    left = torch.tensor(LEFT_TONE)[:, None, None]
    for cheek in (LEFT_CHEEK, RIGHT_CHEEK):
        torch.testing.assert_close(
            around(image, frontal, cheek), left.expand(3, 4, 4), atol=0.03, rtol=0
        )
        assert around(confidence, frontal, cheek).min() > 0.95
    # Back in front, the visible half is what it was.
    seen = (gaussian_blur((texture[:, :1] > 0.7).float(), 1) > 0.99) & (confidence > 0.95)
    seen &= erode(face_mask(frontal, SIZE, "face"), 3) > 0.9
    assert seen.sum() > 1000
    assert (image - texture).abs().amax(1, keepdim=True)[seen].max() < 0.03


def test_mirrored_pose_takes_the_other_half(posed, halves):
    frontal, texture = halves
    turned = posed(yaw=-50)
    image, _ = reenacted(show(texture, frontal, turned), turned, frontal, SIZE)
    right = torch.tensor(RIGHT_TONE)[:, None, None].expand(3, 4, 4)
    for cheek in (LEFT_CHEEK, RIGHT_CHEEK):
        torch.testing.assert_close(around(image, frontal, cheek), right, atol=0.02, rtol=0)


def test_hair_over_a_cheek_is_replaced_by_the_other_cheek(posed, halves):
    face, texture = halves
    x, y = face[0, LEFT_CHEEK, :2].int().tolist()
    texture = texture.clone()
    texture[..., y - 5 : y + 5, x - 5 : x + 5] = 0.1
    image, confidence = reenacted(texture, face, posed(15), SIZE)
    right = torch.tensor(RIGHT_TONE)[:, None, None].expand(3, 4, 4)
    torch.testing.assert_close(around(image, posed(15), LEFT_CHEEK), right, atol=0.02, rtol=0)
    assert around(confidence, posed(15), LEFT_CHEEK).min() > 0.95


def test_hair_over_both_cheeks_is_not_trusted(posed, halves):
    face, texture = halves
    texture = texture.clone()
    for cheek in (LEFT_CHEEK, RIGHT_CHEEK):
        x, y = face[0, cheek, :2].int().tolist()
        texture[..., y - 6 : y + 6, x - 6 : x + 6] = 0.1
    image, confidence = reenacted(texture, face, face, SIZE)
    assert around(confidence, face, LEFT_CHEEK).max() < 0.05
    # Its colour is a continuation of the skin around, so that no blend picks up hair.
    assert around(image, face, LEFT_CHEEK).min() > 0.4


@pytest.mark.parametrize(
    ("before", "after", "kept"), [(0.02, 0.5, True), (0.5, 0.02, True), (0.5, 0.3, False)]
)
def test_shut_mouth_against_an_open_one_is_left_to_the_target(posed, skin, before, after, kept):
    source, target = (with_mouth(posed(), height) for height in (before, after))
    _, confidence = reenacted(skin, source, target, SIZE)
    inside = part_mask(target, SIZE, "inner_mouth")
    if kept:
        torch.testing.assert_close(confidence[inside > 0.2], 1 - inside[inside > 0.2])
    else:
        assert confidence[inside > 0.5].min() > 0.95
    assert around(confidence, target, LEFT_CHEEK).min() > 0.95


@pytest.mark.parametrize("height", [0.0, 0.2, 0.6])
def test_opening_is_that_of_an_ellipse(posed, height: float):
    # A polygon of n corners on an ellipse of half axes a, b has area n/2 sin(2 pi / n) a b.
    wanted = 20 / 2 * math.sin(2 * math.pi / 20) * height / 4
    for face in (posed(), posed(roll=40), posed() / 300):
        got = opening(with_mouth(face, height), "inner_mouth")
        assert got.tolist() == pytest.approx([wanted], abs=1e-4)
    eyes = with_contour(with_contour(posed(), "left_eye", height), "right_eye", 0.5)
    mean = 16 / 2 * math.sin(2 * math.pi / 16) * (height + 0.5) / 2 / 4
    assert opening(eyes[..., :2], "eyes").tolist() == pytest.approx([mean], abs=1e-4)


def test_openings_carry_over_when_both_are_open_or_both_shut(posed):
    # Heights whose openings are 0.02, 0.08, 0.12 and 0.4.
    area = 20 / 2 * math.sin(2 * math.pi / 20) / 4
    faces = {each: with_mouth(posed(), each / area) for each in (0.02, 0.08, 0.12, 0.4)}
    alike = {(0.02, 0.02), (0.02, 0.08), (0.08, 0.12), (0.12, 0.4), (0.4, 0.4)}
    other = {(0.02, 0.12), (0.02, 0.4), (0.08, 0.4)}
    for wanted, pairs in ((True, alike), (False, other)):
        for a, b in pairs:
            for one, two in ((a, b), (b, a)):
                assert carries_over(faces[one], faces[two], "inner_mouth").item() is wanted


def test_larger_output_shows_the_same_face(posed, skin):
    source = posed(10)
    small, trust = reenacted(skin, source, posed(), SIZE)
    large, large_trust = reenacted(skin, source, posed(size=2 * SIZE), 2 * SIZE)
    inside = erode(((trust > 0.95) & (F.avg_pool2d(large_trust, 2) > 0.95)).float(), 3) > 0
    assert inside.sum() > 3000
    smooth = gaussian_blur(small, 2), gaussian_blur(F.avg_pool2d(large, 2), 2)
    assert (smooth[0] - smooth[1]).abs().amax(1, keepdim=True)[inside].max() < 0.02


def test_batch_equals_each_alone(posed, skin):
    texture = torch.cat([skin, skin * 0.7, skin.flip(-1)])
    source = torch.cat([posed(), with_mouth(posed(30), 0.5), posed(-60, 10)])
    target = torch.cat([posed(40), posed(-20), posed()])
    triples = zip(texture.split(1), source.split(1), target.split(1), strict=True)
    alone = [reenacted(*each, SIZE) for each in triples]
    together = reenacted(texture, source, target, SIZE)
    for got, wanted in zip(together, zip(*alone, strict=True), strict=True):
        torch.testing.assert_close(got, torch.cat(wanted), atol=2e-3, rtol=0)
