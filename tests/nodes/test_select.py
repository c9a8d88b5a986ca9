from __future__ import annotations

import pytest

from faceloom.nodes import SelectFaces

DEFAULTS = {socket.id: socket.default for socket in SelectFaces.GET_SCHEMA().inputs[1:-1]}


def select(faces, **rules):
    kept, count = SelectFaces.execute(faces, **DEFAULTS | rules).args
    assert count == len(kept)
    assert kept.frames == faces.frames
    return list(zip(kept.frame.tolist(), kept.box[:, 0].tolist(), strict=True))


LEFT, RIGHT = 8.0, 72.0  # where the boxes of each frame begin; the right one is larger


@pytest.mark.parametrize(
    ("rules", "kept"),
    [
        ({}, [(0, LEFT), (0, RIGHT), (2, LEFT), (2, RIGHT)]),
        ({"order": "right-left"}, [(0, RIGHT), (0, LEFT), (2, RIGHT), (2, LEFT)]),
        ({"indices": "0"}, [(0, LEFT), (2, LEFT)]),
        ({"indices": " -1 "}, [(0, RIGHT), (2, RIGHT)]),
        ({"indices": "5"}, []),
        ({"order": "large-small", "indices": "0"}, [(0, RIGHT), (2, RIGHT)]),
        ({"largest_only": True}, [(0, RIGHT), (2, RIGHT)]),
        ({"largest_only": True, "indices": "0"}, [(0, LEFT), (2, LEFT)]),
        ({"minimum_score": 0.85}, [(0, LEFT), (2, LEFT)]),
        ({"minimum_size": 45}, [(0, RIGHT), (2, RIGHT)]),
        ({"maximum_size": 45}, [(0, LEFT), (2, LEFT)]),
        ({"minimum_size": 45, "indices": "0"}, [(0, RIGHT), (2, RIGHT)]),
        ({"frames": "1-2"}, [(2, LEFT), (2, RIGHT)]),
        ({"frames": "1"}, []),
        ({"frames": "0", "largest_only": True}, [(0, RIGHT)]),
        ({"frames": " , ", "indices": ","}, [(0, LEFT), (0, RIGHT), (2, LEFT), (2, RIGHT)]),
    ],
)
def test_rules_apply_in_each_frame_in_the_said_order(faces, rules, kept):
    assert select(faces, **rules) == kept


@pytest.mark.parametrize("rules", [{}, {"indices": "0"}, {"largest_only": True, "frames": "0"}])
def test_nothing_in_nothing_out(no_faces, rules):
    assert select(no_faces, **rules) == []


@pytest.mark.parametrize("rules", [{"indices": "first"}, {"frames": "2-1"}, {"frames": "0;1"}])
def test_lists_that_cannot_be_read_are_refused_by_name(faces, rules):
    with pytest.raises(ValueError, match=r"^Select Faces: .*wanted"):
        select(faces, **rules)


def view(faces, image, **rules):
    output = SelectFaces.execute(faces, **DEFAULTS | rules, image=image)
    (shown,) = output.ui["faceloom_picker"]
    assert shown.pop("pictures") == []  # nobody to show them to, stand-alone
    return shown


def test_page_gets_the_boxes_of_the_first_frame_with_faces_by_number(faces, image):
    boxes = faces.in_frame(0).box.tolist()
    size = {"width": image.shape[2], "height": image.shape[1]}
    assert view(faces, image) == size | {"frame": 0, "boxes": boxes}
    assert view(faces, image, order="right-left", indices="1")["boxes"] == boxes[::-1]
    assert view(faces, image, frames="1-2")["frame"] == 2
    assert view(faces, image, minimum_size=45)["boxes"] == boxes[1:]


def test_no_face_is_a_view_and_no_image_is_none(faces, no_faces, image):
    assert view(no_faces, image)["boxes"] == []
    assert SelectFaces.execute(faces, **DEFAULTS).ui is None


def test_another_picture_is_refused(faces, image):
    with pytest.raises(ValueError, match="Select Faces: image holds 1 frames"):
        view(faces, image[:1])
