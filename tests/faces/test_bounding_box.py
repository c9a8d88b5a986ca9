"""BOUNDING_BOX: the layout of ComfyUI core's detectors, both ways."""

from __future__ import annotations

import pytest
import torch

from faceloom.faces import Faces, faces_from_boxes, from_bounding_boxes, to_bounding_boxes

IMAGE_SIZE = (100, 200)

# scikit-image's astronaut (public domain), box and points as OpenCV's YuNet gives them:
#   detector = cv2.FaceDetectorYN.create("yunet_n_dynamic.onnx", "", (512, 512))
#   rows = detector.detect(cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2BGR))[1]
ASTRONAUT_BOX = [178.1, 64.9, 269.5, 176.4]
ASTRONAUT_POINTS = [[203.3, 103.6], [247.5, 104.4], [224.1, 127.7], [204.0, 143.1], [242.9, 143.7]]
BOX = {"x": 10, "y": 20.5, "width": 30, "height": 40}


def random_faces(seed, count=9, frames=4):
    generator = torch.Generator().manual_seed(seed)
    # a little outside the picture too
    corner = torch.rand(count, 2, generator=generator) * 120 - 20
    side = torch.rand(count, 2, generator=generator) * 60
    frame = torch.randint(frames, (count,), generator=generator).sort().values
    score = torch.rand(count, generator=generator)
    return faces_from_boxes(torch.cat([corner, corner + side], 1), score, frame, IMAGE_SIZE, frames)


def test_the_layout_is_core_s():
    # comfy_extras/nodes_rtdetr.py: one list per image of dicts of Python floats and a str label
    faces = from_bounding_boxes([[BOX | {"score": 0.5}], [], [BOX, BOX]], IMAGE_SIZE, 3)
    frames = to_bounding_boxes(faces)
    assert [len(frame) for frame in frames] == [1, 0, 2]
    sides = {"x": 10.0, "y": 20.5, "width": 30.0, "height": 40.0}
    assert frames[0] == [sides | {"label": "face", "score": 0.5}]
    assert list(frames[0][0]) == ["x", "y", "width", "height", "label", "score"]
    assert {type(value) for value in frames[0][0].values()} == {float, str}


@pytest.mark.parametrize("seed", range(5))
def test_a_round_trip_changes_no_box_score_or_frame(seed):
    faces = random_faces(seed)
    back = from_bounding_boxes(to_bounding_boxes(faces), IMAGE_SIZE, faces.frames)
    for field in ("box", "score", "frame", "keypoints", "track"):
        assert torch.equal(getattr(back, field), getattr(faces, field)), field


def test_boxes_go_to_their_frames_in_any_order_of_faces():
    faces = random_faces(0)
    mixed = faces[torch.randperm(len(faces), generator=torch.Generator().manual_seed(1))]
    for frame, boxes in enumerate(to_bounding_boxes(mixed)):
        assert [box["score"] for box in boxes] == mixed.in_frame(frame).score.tolist()


@pytest.mark.parametrize(
    ("value", "frame"),
    [
        (BOX, [0, 1, 2]),
        ([BOX, BOX], [0, 0, 1, 1, 2, 2]),
        ([[BOX], [BOX, BOX]], [0, 1, 1, 2, 2]),
        ([[BOX], [], [BOX]], [0, 2]),
        ([[BOX], []], [0]),
        ((BOX,), [0, 1, 2]),
        ([], []),
        ([[]], []),
    ],
)
def test_each_legal_form_is_read_and_the_last_list_repeats(value, frame):
    faces = from_bounding_boxes(value, IMAGE_SIZE, 3)
    assert faces.frame.tolist() == frame
    assert (faces.frames, faces.image_size) == (3, IMAGE_SIZE)
    assert faces.box.tolist() == [[10.0, 20.5, 40.0, 60.5]] * len(frame)
    assert faces.score.tolist() == [1.0] * len(frame)
    assert faces.track.tolist() == [-1] * len(frame)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (None, TypeError, "must be a dict, a list of dicts .* got NoneType"),
        ("10,20", TypeError, "got str"),
        ([BOX, [BOX]], TypeError, "frame 0 must be a list of dicts, got dict"),
        ([[BOX], 3], TypeError, "frame 1 must be a list of dicts, got int"),
        ([[(10, 20, 30, 40)]], TypeError, r"got tuple: \(10, 20, 30, 40\)"),
        ({"x": 1, "y": 2, "width": 3}, ValueError, "lacks height"),
        (BOX | {"width": "30"}, ValueError, "must be finite numbers"),
        (BOX | {"score": None}, ValueError, "must be finite numbers"),
        (BOX | {"x": float("nan")}, ValueError, "must be finite numbers"),
        (BOX | {"height": -1}, ValueError, "must not be negative"),
        ([[BOX]] * 4, ValueError, "boxes for 4 frames, but the batch has 3"),
    ],
)
def test_a_malformed_value_is_refused(value, error, message):
    with pytest.raises(error, match=message):
        from_bounding_boxes(value, IMAGE_SIZE, 3)


def test_estimated_keypoints_lie_where_a_detector_finds_them():
    box = torch.tensor([ASTRONAUT_BOX])
    found = torch.tensor([ASTRONAUT_POINTS])
    faces = faces_from_boxes(box, torch.ones(1), torch.zeros(1).long(), (512, 512), 1)
    off = (faces.keypoints - found).norm(dim=2) / (box[:, 2] - box[:, 0])
    assert off.max() < 0.08
    # mirror-symmetric in the box
    centre = (box[0, 0] + box[0, 2]) / 2
    mirrored = faces.keypoints[0, [1, 0, 2, 4, 3]]
    assert torch.allclose(mirrored[:, 0] - centre, centre - faces.keypoints[0, :, 0])


def test_empty_faces_give_an_empty_list_for_each_frame():
    assert to_bounding_boxes(Faces.empty(IMAGE_SIZE, 3)) == [[], [], []]
