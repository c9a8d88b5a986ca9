from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from faceloom.faces import Crops, Faces
from faceloom.host.memory import Hosted
from faceloom.nodes import GhostMask
from faceloom.ops.ghost_mask import ghost_mask
from faceloom.ops.landmark_sets import convert_landmarks, landmark_set

SIZE = 112
WIDE, SAME, NARROW, NARROWEST = 1.05, 1.0, 0.975, 0.9  # of the target's width, rows 3 to 0


class Measuring:
    """Finds faces as wide as their pictures are bright; a picture of 0.5 has the box's width."""

    name, role, licence = "fake", "landmarker", "MIT"

    def __init__(self, points=468):
        self.network = nn.Identity()
        self.points = points
        self.calls = []

    def find(self, frames, faces):
        assert len(frames) == faces.frames == len(faces)
        self.calls.append(len(faces))
        mean = landmark_set(468).mean[:, :2]
        low, high = mean.amin(0), mean.amax(0)
        points = (mean - (low + high) / 2) / (high - low)
        corner, opposite = faces.box[:, None, :2], faces.box[:, None, 2:]
        scale = torch.ones(len(faces), 1, 2)
        scale[..., 0] = 2 * frames.mean((1, 2, 3))[faces.frame, None]
        landmarks = points * scale * (opposite - corner) + (corner + opposite) / 2
        if self.points == 5:
            return replace(faces, landmarks=landmarks[:, :5])
        return replace(faces, landmarks=convert_landmarks(landmarks, self.points))


def crops_of(frames, widths, left=0.0, count=None):
    """A crop a frame of a face at one place, as bright as it is wide."""
    number = torch.tensor(frames)
    box = torch.tensor([[20.0, 16, 92, 100]]).repeat(len(frames), 1)
    faces = Faces(
        frame=number,
        box=box + torch.tensor([left, 0, left, 0]),
        score=torch.ones(len(frames)),
        keypoints=torch.zeros(len(frames), 5, 2),
        track=torch.full((len(frames),), -1),
        image_size=(SIZE, 500),
        frames=count or int(number.max()) + 1,
    )
    image = (torch.tensor(widths) / 2).view(-1, 1, 1, 1).expand(-1, 3, SIZE, SIZE)
    matrix = torch.tensor([[[1.0, 0, -left], [0, 1.0, 0]]]).repeat(len(frames), 1, 1)
    return Crops(image, matrix, faces, "ghost_best_pose")


def target_of(crops):
    return replace(crops, image=torch.full_like(crops.image, 0.5))


def mask(crops, landmarker=None, target=None, hold=True):
    target = target_of(crops) if target is None else target
    return GhostMask.execute(crops, target, Hosted(landmarker or Measuring()), hold).args


def drawn(crops, rows):
    """The masks of these rows of the table, for the landmarks of the crops themselves."""
    views = crops.as_frames()
    points = Measuring().find(views.image, views.faces).landmarks
    return ghost_mask(points, SIZE, torch.tensor(rows))[:, 0]


def test_widths_choose_the_row_of_the_table():
    crops = crops_of([0, 2, 4, 6], [NARROWEST, NARROW, SAME, WIDE])
    masked, found = mask(crops)
    torch.testing.assert_close(found, drawn(crops, [0, 1, 2, 3]))
    assert torch.equal(masked.mask[:, 0], found)
    assert masked.image is crops.image
    assert found.min() >= 0
    assert found.max() <= 1
    assert found[:, 50:60, 50:60].min() > 0.95


def test_rows_are_held_while_a_face_stays_in_view():
    crops = crops_of([0, 1, 2, 3, 5, 6], [SAME, NARROWEST, NARROW, WIDE, NARROWEST, SAME])
    _, found = mask(crops)
    # Missing in frame 4, it is measured anew in frame 5.
    torch.testing.assert_close(found, drawn(crops, [2, 2, 2, 2, 0, 0]))
    _, each = mask(crops, hold=False)
    torch.testing.assert_close(each, drawn(crops, [2, 0, 1, 3, 0, 2]))


def test_two_faces_at_once_have_their_own_rows():
    one = crops_of([0, 1, 2], [SAME, NARROWEST, NARROWEST])
    other = crops_of([0, 1, 2], [NARROWEST, SAME, WIDE], left=200.0)
    both = Crops.cat([one, other])[[0, 3, 4, 1, 2, 5]]
    _, found = mask(both)
    torch.testing.assert_close(found, drawn(both, [2, 0, 0, 2, 2, 0]))


def test_the_target_is_looked_at_once_a_face():
    landmarker = Measuring()
    crops = Crops.cat([crops_of([*range(20)], [SAME] * 20)])
    assert len(mask(crops, landmarker)[1]) == 20
    assert sum(landmarker.calls) == 21
    assert max(landmarker.calls) < 20  # many crops go in pieces


def test_masks_stay_inside_those_the_crops_carry():
    crops = crops_of([0], [SAME])
    half = torch.zeros(1, 1, SIZE, SIZE)
    half[..., :56] = 0.5
    masked, found = mask(replace(crops, mask=half))
    torch.testing.assert_close(found, 0.5 * drawn(crops, [2]) * (half[:, 0] > 0))
    assert torch.equal(masked.mask[:, 0], found)


@pytest.mark.parametrize("carried", [False, True])
def test_no_crops(carried):
    none = crops_of([0], [SAME], count=3)[[]]
    if carried:
        none = replace(none, mask=torch.ones(0, 1, SIZE, SIZE))
    masked, found = mask(none)
    assert masked.mask.shape == (0, 1, SIZE, SIZE)
    assert torch.equal(found, torch.zeros(1, SIZE, SIZE))


@pytest.mark.parametrize("points", [68, 468])
def test_landmarkers_of_other_sets(points):
    crops = crops_of([0, 2], [NARROWEST, WIDE])
    torch.testing.assert_close(mask(crops, Measuring(points))[1], drawn(crops, [0, 3]))


def test_five_points_are_too_few():
    message = r"^GHOST Mask: .* from 5 landmarks\. Use a landmarker that gives"
    with pytest.raises(ValueError, match=message):
        mask(crops_of([0], [SAME]), Measuring(5))


def test_targets_that_do_not_fit_are_refused():
    crops = crops_of([0, 1], [SAME, SAME])
    with pytest.raises(ValueError, match="GHOST Mask: crops holds 2 crops of 112 px, target 1 of"):
        mask(crops, target=crops[:1])
    with pytest.raises(ValueError, match="GHOST Mask: crops and target were not cut from the same"):
        mask(crops, target=replace(crops, matrix=crops.matrix + 1))


def test_a_drawn_face_from_end_to_end(crops, landmarker):
    _, found = GhostMask.execute(crops, crops, landmarker).args
    assert found.shape == (4, 64, 64)
    assert found.isfinite().all()
    assert (found[:, 32, 32] > 0.9).all()
