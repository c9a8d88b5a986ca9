from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from faceloom.host.memory import Hosted
from faceloom.nodes import HeadPose, SelectFacesByAttributes
from faceloom.ops.head_pose import head_pose


class FakePose:
    """A head looks as far to the right as its box begins."""

    name, role, licence = "fake pose", "head pose", "MIT"

    def __init__(self):
        self.network = nn.Identity()
        self.calls = []

    def pose(self, frames, faces):
        self.calls.append((len(frames), len(faces)))
        return faces.box[:, :1] * torch.tensor([1.0, 0, 0]) + torch.tensor([0.0, -20, 5])


class FakeAttributes:
    """Boxes that begin left of x = 50 are women of 30.4, the others men of 50.6."""

    name, role, licence = "fake attributes", "attributes", "MIT"

    def __init__(self):
        self.network = nn.Identity()
        self.calls = []

    def guess(self, frames, faces):
        self.calls.append((len(frames), len(faces)))
        male = (faces.box[:, 0] > 50).float()
        return 0.1 + 0.65 * male, 30.4 + 20.2 * male


@pytest.fixture
def attributes():
    return Hosted(FakeAttributes())


def select(image, faces, attributes, gender="any", youngest=0, oldest=120):
    return SelectFacesByAttributes.execute(image, faces, attributes, gender, youngest, oldest).args


def clip(image, faces, times):
    """The frames several times over, with their faces."""
    frame = torch.cat([faces.frame + len(image) * turn for turn in range(times)])
    repeated = faces[list(range(len(faces))) * times]
    return image.repeat(times, 1, 1, 1), replace(repeated, frame=frame, frames=len(image) * times)


def test_landmarks_tell_the_pose_without_a_model(image, faces):
    yaw, pitch, roll, text = HeadPose.execute(image, faces).args
    wanted = head_pose(faces.landmarks)
    assert [yaw, pitch, roll] == pytest.approx(wanted[0].tolist())
    assert all(isinstance(angle, float) for angle in (yaw, pitch, roll))
    assert [line.split(":")[0] for line in text.split("\n")] == [
        "frame 0, face 0",
        "frame 0, face 1",
        "frame 2, face 0",
        "frame 2, face 1",
    ]


def test_a_model_tells_the_pose_in_pieces(image, faces):
    model = Hosted(FakePose())
    image, faces = clip(image, replace(faces, landmarks=None), 3)
    yaw, pitch, roll, text = HeadPose.execute(image, faces, model).args
    assert (yaw, pitch, roll) == (8.0, -20.0, 5.0)
    assert model.use().calls == [(9, 8), (9, 4)]
    assert text.split("\n")[1] == "frame 0, face 1: yaw +72.0, pitch -20.0, roll +5.0"
    assert len(text.split("\n")) == 12


def test_no_faces_have_no_pose(image, no_faces):
    model = Hosted(FakePose())
    for faces in (no_faces, replace(no_faces, landmarks=None)):
        assert HeadPose.execute(image, faces, model).args == (0.0, 0.0, 0.0, "no faces")
        assert HeadPose.execute(image, faces).args == (0.0, 0.0, 0.0, "no faces")
    assert model.use().calls == []


def test_faces_without_a_mesh_are_told_what_to_connect(image, faces):
    with pytest.raises(ValueError, match=r"^Head Pose: .*no landmarks\. Put Find Landmarks after"):
        HeadPose.execute(image, replace(faces, landmarks=None))
    with pytest.raises(ValueError, match=r"^Head Pose: .* got \[4, 468, 2\]"):
        HeadPose.execute(image, replace(faces, landmarks=faces.landmarks[..., :2]))


@pytest.mark.parametrize(
    ("gender", "youngest", "oldest", "kept"),
    [
        ("any", 0, 120, [0, 1, 2, 3]),
        ("female", 0, 120, [0, 2]),
        ("male", 0, 120, [1, 3]),
        ("any", 40, 120, [1, 3]),
        ("any", 30, 30, [0, 2]),
        ("any", 51, 51, [1, 3]),
        ("female", 40, 120, []),
    ],
)
def test_faces_of_a_gender_and_an_age_are_kept(
    image, faces, attributes, gender, youngest, oldest, kept
):
    selected, count, text = select(image, faces, attributes, gender, youngest, oldest)
    assert count == len(selected) == len(kept)
    assert torch.equal(selected.box, faces.box[kept])
    assert torch.equal(selected.landmarks, faces.landmarks[kept])
    assert selected.frames == 3
    assert [row for row, line in enumerate(text.split("\n")) if line.endswith("kept")] == kept


def test_the_text_tells_of_every_face(image, faces, attributes):
    _, _, text = select(image, faces, attributes, "male")
    assert text.split("\n") == [
        "frame 0, face 0: female (90%), 30 years, dropped",
        "frame 0, face 1: male (75%), 51 years, kept",
        "frame 2, face 0: female (90%), 30 years, dropped",
        "frame 2, face 1: male (75%), 51 years, kept",
    ]


def test_long_clips_go_in_pieces(image, faces, attributes):
    image, faces = clip(image, faces, 3)
    _, count, _ = select(image, faces, attributes)
    assert count == 12
    assert attributes.use().calls == [(9, 8), (9, 4)]


def test_no_faces_stay_none(image, no_faces, attributes):
    selected, count, text = select(image, no_faces, attributes)
    assert (len(selected), selected.frames, count, text) == (0, 3, 0, "no faces")
    assert attributes.use().calls == []


def test_a_range_upside_down_is_refused(image, faces, attributes):
    wanted = "Select Faces by Gender or Age: minimum_age 40 is above maximum_age 30"
    with pytest.raises(ValueError, match=wanted):
        select(image, faces, attributes, "any", 40, 30)


def test_faces_of_another_picture_are_refused(image, faces, attributes):
    for run in (HeadPose.execute, lambda *given: select(*given, attributes)):
        with pytest.raises(ValueError, match=r"Connect the image that Detect Faces was given"):
            run(image[:, :, :64], faces)
