from __future__ import annotations

import pytest
import torch

from faceloom.nodes import DetectFaces, FindLandmarks
from faceloom.ops.landmark_sets import keypoints_from_landmarks


def detect(image, detector, threshold=0.6, size=640):
    return DetectFaces.execute(image, detector, threshold, size).args


def test_faces_of_every_frame_are_found(image, detector):
    faces, count = detect(image, detector)
    assert count == len(faces) == 4
    assert faces.frame.tolist() == [0, 0, 2, 2]
    assert (faces.frames, faces.image_size) == (3, (80, 128))


def test_threshold_and_size_reach_the_network(image, detector):
    _, count = detect(image, detector, 0.85, 320)
    assert count == 2
    assert detector.use().calls == [(3, 0.85, 320)]


def test_long_clips_go_in_pieces_with_their_frames_in_order(image, detector):
    clip = image.repeat(7, 1, 1, 1)
    faces, count = detect(clip, detector)
    assert [call[0] for call in detector.use().calls] == [8, 8, 5]
    assert count == 28
    assert faces.frames == 21
    assert faces.frame.unique().tolist() == [frame for frame in range(21) if frame % 3 != 1]


def test_views_reach_the_network_and_are_off_by_default(image, detector):
    faces, _ = detect(image, detector)
    assert detector.use().calls == [(3, 0.6, 640)]
    twice, count = DetectFaces.execute(image, detector, 0.6, 640, "off", 320).args
    assert detector.use().calls[1:] == [(3, 0.6, 640), (3, 0.6, 320)]
    assert count == len(faces)
    assert torch.equal(twice.box, faces.box)
    copies = "90, 180 and 270 degrees"
    empty, count = DetectFaces.execute(image[1:2], detector, 0.6, 640, copies).args
    assert len(detector.use().calls) == 3 + 4
    assert (count, empty.frames, empty.image_size) == (0, 1, (80, 128))


def test_no_face_and_no_frame_are_fine(image, detector, landmarker):
    for frames in (image[1:2], image[:0]):
        faces, count = detect(frames, detector)
        assert count == len(faces) == 0
        assert faces.frames == len(frames)
        (found,) = FindLandmarks.execute(frames, faces, landmarker).args
        assert found.frames == len(frames)
    # Networks refuse an empty batch, so they are not asked.
    assert len(detector.use().calls) == 1
    assert landmarker.use().calls == []


def test_any_kind_of_picture(image, detector, landmarker, as_kind):
    frames = as_kind(image)
    faces, count = detect(frames, detector)
    assert count == 4
    (found,) = FindLandmarks.execute(frames, faces, landmarker).args
    assert found.landmarks.shape == (4, 468, 3)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_nan_is_refused_by_name(image, detector, landmarker, faces, bad):
    image[2, 5, 5, 0] = bad
    with pytest.raises(ValueError, match="Detect Faces: image holds NaN or infinite values"):
        detect(image, detector)
    with pytest.raises(ValueError, match="Find Landmarks: image holds NaN or infinite values"):
        FindLandmarks.execute(image, faces, landmarker)


@pytest.mark.parametrize(
    "wrong", [None, torch.zeros(8, 8, 3), torch.zeros(1, 8, 8, 2), torch.zeros(1, 0, 8, 3)]
)
def test_what_is_no_picture_is_refused(wrong, detector):
    with pytest.raises((TypeError, ValueError), match=r"^Detect Faces: .*connect an IMAGE"):
        detect(wrong, detector)


def test_landmarks_join_the_faces_in_pieces(image, detector, landmarker):
    clip = image.repeat(3, 1, 1, 1)
    faces, _ = detect(clip, detector)
    (found,) = FindLandmarks.execute(clip, faces, landmarker).args
    assert landmarker.use().calls == [8, 4]
    assert torch.equal(found.box, faces.box)
    low, high = found.landmarks[..., :2].amin(1), found.landmarks[..., :2].amax(1)
    torch.testing.assert_close(torch.cat([low, high], 1), faces.box, atol=1e-3, rtol=0)


def test_landmarks_of_another_picture_are_refused(image, faces, landmarker):
    with pytest.raises(ValueError, match=r"Find Landmarks: .* Connect the image that Detect Faces"):
        FindLandmarks.execute(image[:, :, :64], faces, landmarker)


def test_the_five_points_are_those_of_the_landmarks_where_wanted(image, faces, landmarker):
    (kept,) = FindLandmarks.execute(image, faces, landmarker, False).args
    assert torch.equal(kept.keypoints, faces.keypoints)
    (refined,) = FindLandmarks.execute(image, faces, landmarker, True).args
    assert torch.equal(refined.keypoints, keypoints_from_landmarks(refined.landmarks))
    assert torch.equal(refined.box, faces.box)
