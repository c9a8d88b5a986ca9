from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage
from scipy.spatial.distance import cdist
from torch import Tensor

from faceloom.ops.face_regions import face_mask, features_mask, part_mask
from faceloom.ops.filters import close, dilate
from faceloom.ops.landmark_sets import CONTOURS
from faceloom.ops.skin import skin_likeness

SIZE = 128
LEFT_CHEEK, RIGHT_CHEEK = 50, 280
HAIR = (0.25, 0.15, 0.1)


def square(landmarks: Tensor, number: int, radius: int) -> tuple[slice, slice]:
    """Rows and columns around a landmark."""
    x, y = landmarks[0, number, :2].int().tolist()
    return slice(y - radius, y + radius), slice(x - radius, x + radius)


def painted(image: Tensor, where: tuple, colour) -> Tensor:
    image = image.clone()
    image[(..., *where)] = torch.tensor(colour)[:, None, None]
    return image


def test_skin_of_one_face_is_skin(posed, skin):
    face = posed()
    likeness = skin_likeness(skin, face)
    assert likeness.shape == (1, 1, SIZE, SIZE)
    assert likeness.dtype == torch.float32
    assert likeness.min() >= 0
    assert likeness.max() <= 1
    assert likeness[face_mask(face, SIZE, "face") > 0].min() > 0.95


def test_hair_is_found_and_skin_of_another_tone_is_not(posed, skin):
    face = posed()
    hair, mole = square(face, LEFT_CHEEK, 6), square(face, RIGHT_CHEEK, 6)
    image = painted(painted(skin, hair, HAIR), mole, (0.70, 0.50, 0.40))
    likeness = skin_likeness(image, face)[0, 0]
    assert likeness[square(face, LEFT_CHEEK, 4)].max() == 0
    assert likeness[square(face, RIGHT_CHEEK, 4)].min() > 0.95


def judged(landmarks: Tensor) -> Tensor:
    """Where skin is looked at: between brows and chin, off the features."""
    features = dilate(close(features_mask(landmarks, SIZE), 0.06 * SIZE), 0.02 * SIZE)
    return face_mask(landmarks, SIZE, "below brow line") * (1 - features)


@pytest.mark.parametrize("colour", [(0.0, 0.0, 0.0), (0.2, 0.5, 0.2), (1.0, 1.0, 1.0)])
def test_a_strip_over_the_side_of_the_face_is_found(posed, skin, colour):
    face = posed()
    weight = judged(face)[0, 0]
    columns = weight.sum(0).cumsum(0) / weight.sum()
    x = int((columns < 0.08).sum())  # of the skin, 8 % lie to the left
    image = painted(skin, (slice(None), slice(0, x)), colour)
    likeness = skin_likeness(image, face)[0, 0]
    clear = weight > 0.99
    clear[:, x - 3 : x + 3] = False
    assert likeness[:, :x][clear[:, :x]].median() == 0
    assert likeness[:, :x][clear[:, :x]].mean() < 0.1  # some of it touches lids and lips
    assert likeness[:, x:][clear[:, x:]].min() > 0.95


def test_features_always_count(posed, skin):
    face = posed()
    features = features_mask(face, SIZE)
    blue = torch.tensor([0.1, 0.2, 0.9])[:, None, None]
    image = torch.where(features > 0.7, blue, skin)
    # Teeth are no skin either.
    image = torch.where(part_mask(face, SIZE, "inner_mouth") > 0.5, 1.0, image)
    likeness = skin_likeness(image, face)
    assert likeness[features > 0.7].min() > 0.85
    assert likeness[part_mask(face, SIZE, "inner_mouth") > 0.5].min() > 0.99
    assert likeness[judged(face) > 0.5].mean() > 0.98


def test_painted_lids_count_under_raised_brows(posed, skin):
    face = posed().clone()
    face[:, [*CONTOURS["left_brow"], *CONTOURS["right_brow"]], 1] -= 5
    x, y = ((face[0, 159] + face[0, 52]) / 2)[:2].int().tolist()  # lid and the brow above it
    lid = (slice(y - 1, y + 2), slice(x - 3, x + 4))
    image = painted(skin, lid, (0.1, 0.2, 0.6))
    assert skin_likeness(image, face)[0, 0][lid].min() > 0.7  # a brow is thin here, and soft


def test_likeness_is_the_mahalanobis_distance_of_numpy(posed, skin):
    face = posed(yaw=20)
    image = painted(skin, square(face, LEFT_CHEEK, 8), HAIR)
    weight = judged(face)[0, 0].double().numpy().ravel()
    smooth = ndimage.gaussian_filter(
        image[0].double().numpy(), (0, 0.004 * SIZE, 0.004 * SIZE), mode="nearest"
    )
    colours = smooth.reshape(3, -1).T
    distance = np.zeros(len(colours))
    for _ in range(3):  # all, then without outliers, then without those of the rest
        share = weight * (distance < 3)
        mean = np.average(colours, axis=0, weights=share)
        spread = np.cov(colours.T, aweights=share, ddof=0) + 0.04**2 * np.eye(3)
        distance = cdist(colours, mean[None], "mahalanobis", VI=np.linalg.inv(spread))[:, 0]
    wanted = np.interp(distance, [4, 7], [1, 0]).reshape(SIZE, SIZE)
    got = skin_likeness(image, face)[0, 0].numpy()
    features = close(features_mask(face, SIZE), 0.06 * SIZE)
    far = dilate(features, 10)[0, 0].numpy() == 0
    np.testing.assert_allclose(got[far], wanted[far], atol=2e-3)
    assert (wanted[far] < 0.5).any()


def test_an_even_picture_is_skin_all_over(posed):
    assert skin_likeness(torch.full((1, 3, SIZE, SIZE), 0.5), posed()).min() == 1


def test_batch_equals_each_alone(posed, skin):
    faces = torch.cat([posed(), posed(40), posed() + 3 * SIZE])  # the last is out of the picture
    images = torch.cat([painted(skin, square(faces, LEFT_CHEEK, 9), HAIR), skin * 0.4, skin])
    alone = [skin_likeness(*pair) for pair in zip(images.split(1), faces.split(1), strict=True)]
    together = skin_likeness(images, faces)
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-3, rtol=0)
    assert together.isfinite().all()


def test_no_faces():
    empty = skin_likeness(torch.zeros(0, 3, 16, 16), torch.zeros(0, 468, 3))
    assert empty.shape == (0, 1, 16, 16)


def test_errors_say_what_came_and_what_was_wanted(posed, skin):
    face = posed()
    wanted = r"\[N, 3, S, S\] and landmarks \[N, L, 2 or 3\], got "
    with pytest.raises(ValueError, match=wanted + r"\[1, 3, 128, 64\] and \[1, 468, 3\]"):
        skin_likeness(skin[..., :64], face)
    with pytest.raises(ValueError, match=wanted + r"\[2, 3, 128, 128\] and \[1, 468, 3\]"):
        skin_likeness(skin.repeat(2, 1, 1, 1), face)
    with pytest.raises(ValueError, match=wanted + r"\[3, 128, 128\]"):
        skin_likeness(skin[0], face)
    with pytest.raises(ValueError, match="68 landmarks"):
        skin_likeness(skin, face[:, :68])
