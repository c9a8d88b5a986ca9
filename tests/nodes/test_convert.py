from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from faceloom.nodes import (
    BoundingBoxesToFaces,
    DetectorToBBoxDetector,
    FacesToBoundingBoxes,
    FacesToSegs,
    SegsToFaces,
)


def to_segs(faces, frame=0, image=None, crop_factor=1.0):
    (segs,) = FacesToSegs.execute(faces, crop_factor, frame, image).args
    return segs


def test_boxes_there_and_back(image, faces):
    (boxes,) = FacesToBoundingBoxes.execute(faces).args
    assert [len(found) for found in boxes] == [2, 0, 2]
    (back,) = BoundingBoxesToFaces.execute(image, boxes).args
    assert torch.equal(back.frame, faces.frame)
    torch.testing.assert_close(back.box, faces.box)
    torch.testing.assert_close(back.score, faces.score)
    assert (back.frames, back.image_size) == (3, (80, 128))


def test_no_boxes_there_and_back(image, no_faces):
    (boxes,) = FacesToBoundingBoxes.execute(no_faces).args
    assert boxes == [[], [], []]
    assert len(BoundingBoxesToFaces.execute(image, boxes)[0]) == 0


def test_boxes_with_any_kind_of_picture(image, as_kind):
    box = {"x": 4, "y": 5, "width": 6, "height": 7}
    (faces,) = BoundingBoxesToFaces.execute(as_kind(image), box).args
    assert faces.box.tolist() == [[4, 5, 10, 12]] * 3


@pytest.mark.parametrize(
    "boxes", ["x", [[{"x": 1}]], [["box"]], [[], [], [], []], [[{"x": 0, "y": 0}]]]
)
def test_what_are_no_boxes_is_refused_by_name(image, boxes):
    with pytest.raises(ValueError, match=r"^Bounding Boxes to Faces: (A box|BOUNDING_BOX)"):
        BoundingBoxesToFaces.execute(image, boxes)


def test_segs_hold_the_faces_of_one_frame(image, faces):
    (height, width), found = to_segs(faces, 2, image)
    assert (height, width) == (80, 128)
    assert [seg.bbox for seg in found] == [tuple(box) for box in faces.box[2:].tolist()]
    x0, y0, x1, y1 = found[0].crop_region
    assert torch.equal(found[0].cropped_image, image[2:, y0:y1, x0:x1])
    assert to_segs(faces, 1, image) == ((80, 128), [])
    (back,) = SegsToFaces.execute(((height, width), found)).args
    torch.testing.assert_close(back.box, faces.box[2:])


def test_segs_without_a_picture(faces, no_faces):
    assert [seg.cropped_image for seg in to_segs(faces)[1]] == [None, None]
    assert to_segs(no_faces) == ((80, 128), [])
    assert len(SegsToFaces.execute(to_segs(no_faces))[0]) == 0


def test_segs_of_any_kind_of_picture(image, faces, kind, as_kind):
    _, found = to_segs(faces, 0, as_kind(image))
    assert found[0].cropped_image.shape[-1] == 3
    assert found[0].cropped_image.dtype == torch.float32
    if kind == "8-bit":
        assert found[0].cropped_image.max() <= 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda image: image * torch.nan, "image holds NaN"),
        (lambda image: image[:, :50], "Connect the image that Detect Faces was given"),
        (lambda image: image[:1], "Connect the image that Detect Faces was given"),
        (lambda image: image[0], "connect an IMAGE"),
    ],
)
def test_segs_refuse_another_picture(image, faces, change, message):
    with pytest.raises(ValueError, match=f"^Faces to SEGS: .*{message}"):
        to_segs(faces, 0, change(image))


def test_segs_of_a_missing_frame_are_refused(image, faces):
    for picture in (None, image):
        with pytest.raises(ValueError, match=r"^Faces to SEGS: There is no frame 3 in a"):
            to_segs(faces, 3, picture)


@pytest.mark.parametrize(
    "segs", ["x", ((8, 8),), ((0, 0), []), ((8, 8), [SimpleNamespace(bbox=(1, 2), confidence=1)])]
)
def test_what_are_no_segs_is_refused_by_name(segs):
    with pytest.raises(ValueError, match=r"^SEGS to Faces: "):
        SegsToFaces.execute(segs)


def test_detector_serves_the_impact_pack(image, detector):
    (bbox_detector,) = DetectorToBBoxDetector.execute(detector).args
    _, found = bbox_detector.detect(image[:1], 0.5, 0, 2.0)
    assert len(found) == 2
    assert bbox_detector.detect_combined(image[:1], 0.85, 0).sum() == 44 * 56
    assert bbox_detector.detect(image[1:2], 0.5, 0, 2.0)[1] == []


def test_detector_serves_any_kind_of_picture_and_refuses_nan(image, detector, as_kind):
    (bbox_detector,) = DetectorToBBoxDetector.execute(detector).args
    assert len(bbox_detector.detect(as_kind(image[:1]), 0.5, 0, 2.0)[1]) == 2
    with pytest.raises(ValueError, match="Detector to BBOX Detector: image holds NaN"):
        bbox_detector.detect(image[:1] * torch.nan, 0.5, 0, 2.0)
