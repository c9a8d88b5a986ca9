"""SEGS and BBOX_DETECTOR: the layouts of the Impact Pack."""

from __future__ import annotations

from collections import namedtuple

import numpy as np
import pytest
import torch

from faceloom.faces import (
    SEG,
    BBoxDetector,
    Faces,
    above_score,
    faces_from_boxes,
    from_segs,
    to_segs,
)

HEIGHT, WIDTH = 60, 80
FIELDS = (
    "cropped_image",
    "cropped_mask",
    "confidence",
    "crop_region",
    "bbox",
    "label",
    "control_net_wrapper",
)


def faces_of(*boxes, frames=1, size=(HEIGHT, WIDTH)):
    box = torch.tensor(boxes, dtype=torch.float32).reshape(len(boxes), 4)
    score = torch.linspace(0.9, 0.5, len(boxes))
    return faces_from_boxes(box, score, torch.zeros(len(boxes)).long(), size, frames)


def random_faces(seed, count=8):
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=generator) * 80 - 20
    side = torch.rand(count, 2, generator=generator) * 40
    return faces_of(*torch.cat([corner, corner + side], dim=1).tolist())


def picture(seed=0, channels=3):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(1, HEIGHT, WIDTH, channels, generator=generator)


def test_a_seg_has_the_fields_of_impact_s():
    # impact/core.py: SEG = namedtuple("SEG", [...], defaults=[None])
    assert SEG._fields == FIELDS
    assert SEG._field_defaults == {"control_net_wrapper": None}
    assert SEG.__name__ == "SEG"
    assert issubclass(SEG, tuple)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("crop_factor", [1.0, 1.7, 3.0, 50.0])
def test_the_layout_holds_for_any_face(seed, crop_factor):
    faces, image = random_faces(seed), picture(seed)
    size, segs = to_segs(faces, image, crop_factor)
    assert size == (HEIGHT, WIDTH)
    assert len(segs) == len(faces)
    for seg, box, score in zip(segs, faces.box.tolist(), faces.score.tolist(), strict=True):
        x1, y1, x2, y2 = seg.crop_region
        assert type(seg.crop_region) is list
        assert {type(edge) for edge in seg.crop_region} == {int}
        assert 0 <= x1 < x2 <= WIDTH
        assert 0 <= y1 < y2 <= HEIGHT
        # all of the box that is in the picture is in the crop
        assert x1 <= max(box[0], 0) or x2 == WIDTH
        assert x2 >= min(box[2], WIDTH) or x1 == 0
        assert y1 <= max(box[1], 0) or y2 == HEIGHT
        assert y2 >= min(box[3], HEIGHT) or y1 == 0
        assert isinstance(seg.cropped_mask, np.ndarray)
        assert seg.cropped_mask.dtype == np.float32
        assert seg.cropped_mask.shape == (y2 - y1, x2 - x1)
        assert torch.equal(seg.cropped_image, image[:, y1:y2, x1:x2])
        assert seg.bbox == tuple(box)
        assert (seg.confidence, seg.label, seg.control_net_wrapper) == (score, "face", None)


@pytest.mark.parametrize("seed", range(4))
def test_the_mask_is_one_where_a_pixel_centre_is_in_the_box(seed):
    faces = random_faces(seed)
    for seg in to_segs(faces)[1]:
        x1, y1, x2, y2 = seg.crop_region
        left, top, right, bottom = seg.bbox
        slow = [
            [float(left <= x + 0.5 < right and top <= y + 0.5 < bottom) for x in range(x1, x2)]
            for y in range(y1, y2)
        ]
        assert seg.cropped_mask.tolist() == slow


def test_the_crop_region_is_centred_and_shifts_into_the_picture():
    faces = faces_of([30, 20, 40, 30], [0, 50, 10, 60], [-5, -5, 100, 100])
    regions = [seg.crop_region for seg in to_segs(faces, crop_factor=2.0)[1]]
    assert regions == [[25, 15, 45, 35], [0, 40, 20, 60], [0, 0, WIDTH, HEIGHT]]


def test_a_mask_intersects_the_boxes():
    mask = torch.zeros(HEIGHT, WIDTH)
    mask[:, 35:] = 0.25
    mask[:, 38:] = 7.0
    (seg,) = to_segs(faces_of([30, 20, 40, 30]), crop_factor=1.0, mask=mask)[1]
    assert seg.cropped_mask.tolist() == [[0.0] * 5 + [0.25] * 3 + [1.0] * 2] * 10


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_grey_and_rgba_pictures_give_rgb_crops(channels):
    image = picture(channels=channels)
    (seg,) = to_segs(faces_of([30, 20, 40, 30]), image, 1.0)[1]
    assert seg.cropped_image.shape == (1, 10, 10, 3)
    assert torch.equal(seg.cropped_image[..., 0], image[:, 20:30, 30:40, 0])


def test_without_a_picture_or_a_face():
    assert to_segs(faces_of([30, 20, 40, 30]))[1][0].cropped_image is None
    assert to_segs(Faces.empty((HEIGHT, WIDTH), 1), picture()) == ((HEIGHT, WIDTH), [])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"faces": faces_of([0, 0, 9, 9], frames=2)}, "of 2 frames; select one frame first"),
        ({"image": torch.zeros(2, HEIGHT, WIDTH, 3)}, r"image must have shape \[1, 60, 80, 3\]"),
        ({"image": torch.zeros(1, 3, HEIGHT, WIDTH)}, r"got \[1, 3, 60, 80\]"),
        ({"mask": torch.zeros(8, 8)}, r"mask must have shape \[60, 80\], got \[8, 8\]"),
        ({"crop_factor": 0.5}, "crop_factor must be 1 or more, got 0.5"),
        ({"crop_factor": float("nan")}, "crop_factor must be 1 or more, got nan"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        to_segs(**({"faces": faces_of([0, 0, 9, 9])} | arguments))


@pytest.mark.parametrize("seed", range(4))
def test_a_round_trip_changes_no_box_or_score(seed):
    faces = random_faces(seed)
    back = from_segs(to_segs(faces))
    for field in ("box", "score", "frame", "keypoints", "track"):
        assert torch.equal(getattr(back, field), getattr(faces, field)), field
    assert (back.image_size, back.frames) == (faces.image_size, 1)


def test_segs_of_other_packs_are_read_and_apply_to_every_frame():
    # another pack's class, with the numbers of numpy that detectors leave in it
    other = namedtuple("SEG", FIELDS, defaults=[None])
    seg = other(None, np.zeros((4, 4)), np.float32(0.75), (0, 0, 4, 4), np.arange(1, 5), "A")
    faces = from_segs([[HEIGHT, WIDTH], (seg, seg)], frames=3)
    assert faces.frame.tolist() == [0, 0, 1, 1, 2, 2]
    assert faces.box.tolist() == [[1.0, 2.0, 3.0, 4.0]] * 6
    assert faces.score.tolist() == [0.75] * 6
    assert len(from_segs(((HEIGHT, WIDTH), []), frames=3)) == 0


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (([],), TypeError, r"SEGS must be \(\(H, W\), \[SEG, ...\]\), got tuple of 1"),
        (None, TypeError, "got NoneType"),
        (((60,), []), TypeError, "got tuple of 2"),
        (((60, 80), [(1, 2, 3, 4)]), TypeError, "must have bbox and confidence, got tuple"),
        (
            ((60, 80), [SEG(None, np.zeros((1, 1)), 1.0, [0, 0, 1, 1], (1, 2, 3), "A")]),
            ValueError,
            "SEG.bbox must hold four finite numbers",
        ),
    ],
)
def test_malformed_segs_are_refused(value, error, message):
    with pytest.raises(error, match=message):
        from_segs(value)


def detector(faces):
    return BBoxDetector(lambda image, threshold: above_score(faces, threshold))


def test_the_detector_gives_segs_of_the_faces_that_pass():
    faces = faces_of([30, 20, 40, 30], [5, 5, 25, 8], [40, 40, 60, 60], [0, 0, 30, 30])
    size, segs = detector(faces).detect(picture(), 0.6, 0, 2.0, drop_size=3)
    # the second is 3 px high, the fourth scores 0.5
    assert [seg.bbox for seg in segs] == [(30, 20, 40, 30), (40, 40, 60, 60)]
    assert segs[0].crop_region == [25, 15, 45, 35]
    assert size == (HEIGHT, WIDTH)


@pytest.mark.parametrize(("dilation", "side"), [(0, 10), (4, 14), (-4, 6), (-40, 0), (400, 20)])
def test_dilation_grows_the_mask_inside_the_crop(dilation, side):
    (seg,) = detector(faces_of([30, 20, 40, 30])).detect(picture(), 0.5, dilation, 2.0)[1]
    assert seg.cropped_mask.shape == (20, 20)
    assert seg.cropped_mask.sum() == side**2


def test_the_combined_mask_is_the_union_of_the_boxes():
    faces = faces_of([10, 10, 30, 30], [20, 20, 40, 40])
    mask = detector(faces).detect_combined(picture(), 0.5, 0)
    assert mask.shape == (HEIGHT, WIDTH)
    assert mask.dtype == torch.float32
    assert mask.sum() == 400 + 400 - 100
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    assert detector(faces).detect_combined(picture(), 0.95, 4).sum() == 0


def test_a_hook_may_change_the_regions_and_the_result():
    class Hook:
        def post_crop_region(self, width, height, bbox, region):
            assert (width, height) == (WIDTH, HEIGHT)
            return tuple(np.array(region) + 1.5)

        def post_detection(self, segs):
            return segs[0], segs[1][::-1]

    faces = faces_of([30, 20, 40, 30], [10, 10, 20, 20])
    arguments = (picture(), 0.5, 0, 2.0)
    segs = detector(faces).detect(*arguments, detailer_hook=Hook())[1]
    assert [seg.crop_region for seg in segs] == [[6, 6, 26, 26], [26, 16, 46, 36]]
    assert [seg.cropped_mask.sum() for seg in segs] == [100, 100]


def test_the_detector_takes_one_picture_and_ignores_prompts():
    wrapped = detector(faces_of())
    assert wrapped.setAux("a face") is None
    assert wrapped.detect(picture(), 0.5, 0, 3.0) == ((HEIGHT, WIDTH), [])
    with pytest.raises(ValueError, match=r"takes one picture .* got \[2, 4, 4, 3\]; split"):
        wrapped.detect(torch.zeros(2, 4, 4, 3), 0.5, 0, 3.0)
