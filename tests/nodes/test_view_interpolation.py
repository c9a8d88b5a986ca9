from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from faceloom.faces import AppearanceMap, Crops
from faceloom.host.memory import Hosted
from faceloom.nodes import ReenactFace, ViewInterpolation
from faceloom.nodes.poses import poses_of_crops

from .conftest import CROP


class Painter:
    """A reenactor that shows the source's first pixel everywhere, and counts its passes."""

    name, role, licence, size, templates, margin, points = (
        "painter", "reenactor", "none", CROP, ("ffhq_512",), 1.5, 68,
    )  # fmt: skip

    def __init__(self):
        self.network, self.passes = torch.nn.Identity(), []

    def prepare(self, source):
        return source

    def reenact(self, source, landmarks, size):
        self.passes.append(len(source))
        colour = source.image[:, :, :1, :1].expand(-1, -1, size, size)
        return colour, torch.ones_like(colour[:, :1])


def views(crops, *poses):
    """A map of as many views, each of another grey."""
    faces = crops[[0] * len(poses)].as_frames()
    shades = torch.linspace(0.2, 0.8, len(poses))[:, None, None, None]
    faces = replace(faces, image=shades.expand_as(faces.image).clone())
    return AppearanceMap(faces, torch.tensor(poses))


def interpolate(appearance_map, target, reenactor=None):
    return ViewInterpolation.execute(appearance_map, target, reenactor).args


@pytest.fixture
def pose(crops):
    """How the heads of the crops are turned, all alike."""
    return poses_of_crops(crops[:1], None, "test")[0].tolist()


def test_one_view_is_plain_reenactment(source, crops):
    alone = AppearanceMap(source.as_frames(), torch.zeros(1, 3))
    image, mask = interpolate(alone, crops)
    wanted, wanted_mask = ReenactFace.execute(source, crops, shape=0.0).args
    torch.testing.assert_close(image.image, wanted.image, atol=2e-3, rtol=0)
    torch.testing.assert_close(mask, wanted_mask, atol=2e-3, rtol=0)


def test_views_add_up_by_their_weights(crops, pose):
    yaw, pitch, roll = pose
    # The target lies in the middle between two views: half of each.
    painter = Painter()
    pair = views(crops, [yaw - 10, pitch, roll], [yaw + 10, pitch, roll])
    image, mask = interpolate(pair, crops, Hosted(painter))
    torch.testing.assert_close(image.image, torch.full_like(image.image, 0.5), atol=5e-3, rtol=0)
    assert mask.min() == 1
    assert painter.passes == [8]


def test_views_of_no_weight_cost_nothing(crops, pose):
    yaw, pitch, roll = pose
    painter = Painter()
    three = views(crops, [yaw, pitch, roll], [yaw + 30, pitch, roll], [yaw, pitch + 30, roll])
    image, _ = interpolate(three, crops, Hosted(painter))
    torch.testing.assert_close(image.image, torch.full_like(image.image, 0.2), atol=1e-3, rtol=0)
    assert painter.passes == [4]


def test_an_empty_map_or_no_target(source, crops, no_crops):
    empty = AppearanceMap(source.as_frames()[:0], torch.zeros(0, 3))
    with pytest.raises(ValueError, match="the map is empty, because no face was found"):
        interpolate(empty, crops)
    for some in (empty, AppearanceMap(source.as_frames(), torch.zeros(1, 3))):
        image, mask = interpolate(some, no_crops)
        assert len(image) == 0
        assert mask.shape == (1, CROP, CROP)


def test_crops_and_landmarks_must_be_the_reenactors(source, crops, bare_crops):
    painter = Painter()
    with pytest.raises(ValueError, match="Reenact Face: these crops carry no landmarks"):
        ReenactFace.execute(source, bare_crops, 1, Hosted(painter))
    painter.size = 256
    with pytest.raises(ValueError, match="painter wants crops of 256 px aligned to ffhq_512") as e:
        ReenactFace.execute(source, crops, 1, Hosted(painter))
    assert "Align Faces" in str(e.value)


def test_a_network_goes_through_the_poses_in_between(source, crops):
    painter = Painter()
    ReenactFace.execute(source, crops, 3, Hosted(painter))
    assert painter.passes == [4, 4, 4]
    flat = replace(crops, faces=replace(crops.faces, landmarks=crops.faces.landmarks[..., :2]))
    with pytest.raises(ValueError, match="steps above 1 need landmarks with depth"):
        ReenactFace.execute(source, flat, 3, Hosted(painter))


def test_views_of_many_faces_go_in_pieces(crops, pose):
    painter = Painter()
    many = Crops.cat([crops] * 3)
    image, _ = interpolate(views(crops, pose), many, Hosted(painter))
    assert len(image) == 12
    assert painter.passes == [8, 4]
