"""Faces, Crops, Identity: what they refuse, how they are indexed, moved and joined."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from faceloom.faces import Crops, Faces, Identity

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
IMAGE_SIZE = (90, 120)


def make_faces(frame=(0, 0, 2), frames=3, landmarks=4, depth=False, seed=0):
    generator = torch.Generator().manual_seed(seed)
    count = len(frame)
    corner = torch.rand(count, 2, generator=generator) * 50
    side = torch.rand(count, 2, generator=generator) * 30 + 5
    return Faces(
        frame=torch.tensor(frame, dtype=torch.int64),
        box=torch.cat([corner, corner + side], dim=1),
        score=torch.rand(count, generator=generator),
        keypoints=torch.rand(count, 5, 2, generator=generator) * 80,
        track=torch.arange(count),
        image_size=IMAGE_SIZE,
        frames=frames,
        landmarks=torch.rand(count, landmarks, 3 if depth else 2, generator=generator) * 80,
    )


def make_crops(faces=None, size=8, masked=True, seed=0, template="arcface"):
    faces = make_faces() if faces is None else faces
    generator = torch.Generator().manual_seed(seed)
    count = len(faces)
    return Crops(
        image=torch.rand(count, 3, size, size, generator=generator),
        matrix=torch.randn(count, 2, 3, generator=generator),
        faces=faces,
        template=template,
        mask=torch.rand(count, 1, size, size, generator=generator) if masked else None,
    )


def make_identity(crops=None, length=6, encoder="arcface"):
    crops = make_crops() if crops is None else crops
    embedding = torch.arange(len(crops) * length).reshape(len(crops), length).float()
    return Identity(embedding=embedding, encoder=encoder, reference=crops)


MAKERS = {"Faces": make_faces, "Crops": make_crops, "Identity": make_identity}


def tensors_of(value):
    """Every tensor a value holds, by dotted name."""
    found = {}
    for name, item in vars(value).items():
        if isinstance(item, torch.Tensor):
            found[name] = item
        elif isinstance(item, Faces | Crops):
            found |= {f"{name}.{inner}": tensor for inner, tensor in tensors_of(item).items()}
    return found


WRONG_SHAPES = [
    ("Faces", "frame", (3, 1), "[N]"),
    ("Faces", "box", (3, 5), "[3, 4]"),
    ("Faces", "box", (2, 4), "[3, 4]"),
    ("Faces", "score", (3, 1), "[3]"),
    ("Faces", "keypoints", (3, 10), "[3, 5, 2]"),
    ("Faces", "track", (4,), "[3]"),
    ("Faces", "landmarks", (3, 68), "[3, L, 2 or 3]"),
    ("Faces", "landmarks", (3, 68, 4), "[3, L, 2 or 3]"),
    ("Faces", "landmarks", (2, 68, 2), "[3, L, 2 or 3]"),
    ("Crops", "image", (3, 1, 8, 8), "[3, 3, S, S]"),
    ("Crops", "image", (3, 3, 6, 8), "[3, 3, 8, 8]"),
    ("Crops", "image", (8,), "[3, 3, S, S]"),
    ("Crops", "matrix", (3, 3, 3), "[3, 2, 3]"),
    ("Crops", "mask", (3, 8, 8), "[3, 1, 8, 8]"),
    ("Crops", "mask", (3, 1, 4, 4), "[3, 1, 8, 8]"),
    ("Identity", "embedding", (6,), "[K, D]"),
]


@pytest.mark.parametrize(("owner", "field", "shape", "wanted"), WRONG_SHAPES)
def test_a_wrong_shape_is_refused_with_field_wanted_and_received(owner, field, shape, wanted):
    value = MAKERS[owner]()
    wrong = torch.zeros(shape, dtype=getattr(value, field).dtype)
    with pytest.raises(ValueError) as error:  # noqa: PT011  (the text is checked below)
        replace(value, **{field: wrong})
    assert str(error.value) == f"{owner}.{field} must have shape {wanted}, got {list(shape)}."


@pytest.mark.parametrize(
    ("owner", "field", "message"),
    [
        ("Faces", "frame", "must hold integers, got torch.float64"),
        ("Faces", "track", "must hold integers, got torch.float64"),
        ("Faces", "box", "must hold floating-point numbers, got torch.int32"),
        ("Faces", "score", "must hold floating-point numbers, got torch.int32"),
        ("Faces", "keypoints", "must hold floating-point numbers, got torch.int32"),
        ("Faces", "landmarks", "must hold floating-point numbers, got torch.int32"),
        ("Crops", "image", "must hold floating-point numbers, got torch.int32"),
        ("Crops", "matrix", "must hold floating-point numbers, got torch.int32"),
        ("Crops", "mask", "must hold floating-point numbers, got torch.int32"),
        ("Identity", "embedding", "must hold floating-point numbers, got torch.int32"),
    ],
)
def test_the_wrong_kind_of_number_is_refused(owner, field, message):
    value = MAKERS[owner]()
    tensor = getattr(value, field)
    other = tensor.int() if tensor.is_floating_point() else tensor.double()
    with pytest.raises(TypeError, match=f"{owner}.{field} {message}"):
        replace(value, **{field: other})


@pytest.mark.parametrize(
    ("owner", "field", "wrong", "message"),
    [
        ("Faces", "frame", [0, 0, 2], "Faces.frame must be a tensor, got list"),
        ("Faces", "box", None, "Faces.box must be a tensor, got NoneType"),
        ("Crops", "image", None, "Crops.image must be a tensor, got NoneType"),
        ("Crops", "faces", 3, "Crops.faces must be Faces, got int"),
        ("Identity", "reference", 3, "Identity.reference must be Crops or None, got int"),
    ],
)
def test_another_type_is_refused(owner, field, wrong, message):
    with pytest.raises(TypeError, match=message):
        replace(MAKERS[owner](), **{field: wrong})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frame": torch.tensor([0, 1, 3])}, r"Faces.frame must lie in 0\.\.2, got 0\.\.3"),
        ({"frame": torch.tensor([-1, 1, 2])}, r"Faces.frame must lie in 0\.\.2, got -1\.\.2"),
        ({"frames": -1}, "Faces.frames must be 0 or more, got -1"),
        ({"image_size": [90, 120]}, r"Faces.image_size must be a tuple .* got \[90, 120\]"),
        ({"image_size": (3, 90, 120)}, r"Faces.image_size must .* got \(3, 90, 120\)"),
        ({"image_size": (0, 120)}, r"Faces.image_size must .* got \(0, 120\)"),
        ({"box": torch.zeros(3, 4, device="meta")}, "Faces.box must be on cpu .* got meta"),
    ],
)
def test_faces_outside_their_batch_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(make_faces(), **change)


def test_an_identity_has_as_many_references_as_embeddings():
    with pytest.raises(ValueError, match="must hold 3 crops, one for each embedding, got 2"):
        replace(make_identity(), reference=make_crops()[:2])


INDICES = [
    (1, [1]),
    (-1, [2]),
    (slice(1, None), [1, 2]),
    (slice(None, None, -1), [2, 1, 0]),
    (slice(3, None, -2), [2, 0]),
    (slice(5, 9), []),
    ([2, 0], [2, 0]),
    ((), []),
    ([True, False, True], [0, 2]),
    (torch.tensor([False, True, True]), [1, 2]),
    (torch.tensor([2, 2, -3]), [2, 2, 0]),
    (torch.tensor(1), [1]),
]


@pytest.mark.parametrize("owner", MAKERS)
@pytest.mark.parametrize(("index", "rows"), INDICES)
def test_every_kind_of_index_keeps_the_batch_dimension(owner, index, rows):
    value = MAKERS[owner]()
    kept = value[index]
    assert len(kept) == len(rows)
    for name, tensor in tensors_of(value).items():
        expected = torch.stack([tensor[row] for row in rows]) if rows else tensor[:0]
        assert torch.equal(tensors_of(kept)[name], expected), name


@pytest.mark.parametrize("owner", MAKERS)
@pytest.mark.parametrize("index", [3, -4, [0, 3], [True, False], torch.tensor([False, True])])
def test_an_index_outside_is_an_index_error(owner, index):
    with pytest.raises(IndexError):
        MAKERS[owner]()[index]


def test_iterating_gives_one_face_at_a_time():
    assert [face.track.tolist() for face in make_faces()] == [[0], [1], [2]]


@pytest.mark.parametrize("owner", MAKERS)
def test_values_compare_and_hash_as_the_objects_they_are(owner):
    value = MAKERS[owner]()
    assert value == value
    assert value != MAKERS[owner]()
    assert len({value, value}) == 1


@pytest.mark.parametrize("device", [*DEVICES, "meta"])
@pytest.mark.parametrize("owner", MAKERS)
def test_to_moves_every_tensor(owner, device):
    moved = MAKERS[owner]().to(device)
    assert moved.device.type == device
    assert {tensor.device.type for tensor in tensors_of(moved).values()} == {device}
    assert moved[1:].device.type == device


def test_in_frame_keeps_the_batch():
    faces = make_faces().in_frame(2)
    assert faces.track.tolist() == [2]
    assert faces.frames == 3


@pytest.mark.parametrize("frames", [0, 4])
def test_empty_faces_are_like_any(frames):
    empty = Faces.empty(IMAGE_SIZE, frames)
    assert (len(empty), empty.frames, empty.image_size) == (0, frames, IMAGE_SIZE)
    assert len(empty[[]]) == len(empty[:2]) == len(empty.in_frame(0)) == 0


@pytest.mark.parametrize("owner", MAKERS)
def test_cat_undoes_a_split(owner):
    value = MAKERS[owner]()
    joined = type(value).cat([value[:1], value[1:1], value[1:]])
    if isinstance(value, Identity):
        value = replace(value, reference=value.reference.as_frames())
    for name, tensor in tensors_of(value).items():
        assert torch.equal(tensors_of(joined)[name], tensor), name


@pytest.mark.parametrize("owner", MAKERS)
def test_cat_of_nothing_is_refused(owner):
    with pytest.raises(ValueError, match=f"{owner}.cat needs at least one"):
        MAKERS[owner]().cat([])


@pytest.mark.parametrize("owner", MAKERS)
def test_cat_of_empties_is_empty(owner):
    empty = MAKERS[owner]()[[]]
    assert len(type(empty).cat([empty, empty])) == 0


def test_cat_of_faces_takes_empties_without_landmarks():
    faces = make_faces()
    joined = Faces.cat([Faces.empty(IMAGE_SIZE, 3), faces])
    assert torch.equal(joined.landmarks, faces.landmarks)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (make_faces(frames=4), "same frames: 3 of .* and 4 of"),
        (replace(make_faces(), image_size=(10, 10)), r"\(90, 120\) and 3 of \(10, 10\) differ"),
        (make_faces(landmarks=5), r"same kind of landmarks in all, got \[4, 2\] and \[5, 2\]"),
        (make_faces(depth=True), r"got \[4, 2\] and \[4, 3\]"),
        (replace(make_faces(), landmarks=None), r"got \[4, 2\] and none"),
    ],
)
def test_cat_of_unlike_faces_is_refused(other, message):
    with pytest.raises(ValueError, match=message):
        Faces.cat([make_faces(), other])


def test_cat_frames_numbers_the_frames_on():
    joined = Faces.cat_frames([make_faces(), Faces.empty(IMAGE_SIZE, 2), make_faces((1,), 2)])
    assert joined.frame.tolist() == [0, 0, 2, 6]
    assert joined.frames == 7


def test_cat_of_crops_fills_missing_masks_with_ones():
    bare, masked = make_crops(masked=False), make_crops()
    joined = Crops.cat([bare, masked])
    assert torch.equal(joined.mask[:3], torch.ones(3, 1, 8, 8))
    assert torch.equal(joined.mask[3:], masked.mask)
    assert Crops.cat([bare, bare]).mask is None


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (make_crops(size=4), "got 4 px 'arcface' and 8 px 'arcface'"),
        (make_crops(template="ffhq"), "got 8 px 'arcface' and 8 px 'ffhq'"),
        (make_crops(make_faces(frames=4)), "same frames"),
    ],
)
def test_cat_of_unlike_crops_is_refused(other, message):
    with pytest.raises(ValueError, match=message):
        Crops.cat([make_crops(), other])


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (make_identity(encoder="adaface"), r"got 'adaface' \[6\] and 'arcface' \[6\]"),
        (make_identity(length=4), r"got 'arcface' \[4\] and 'arcface' \[6\]"),
        (replace(make_identity(), reference=None), "got them in 1 of 2"),
    ],
)
def test_cat_of_unlike_identities_is_refused(other, message):
    with pytest.raises(ValueError, match=message):
        Identity.cat([make_identity(), other])


def test_identity_of_another_encoder_is_refused_with_both_names():
    identity = make_identity()
    identity.require_space(identity.encoder, "Swap Faces", "x.onnx")
    with pytest.raises(ValueError, match="Swap Faces: this generator wants") as error:
        identity.require_space("arcface_w600k_r50", "Swap Faces", "w600k_r50.onnx")
    for name in (identity.encoder, "arcface_w600k_r50", "w600k_r50.onnx in Load Face Encoder"):
        assert name in str(error.value)


def test_identities_of_different_pictures_join_with_their_crops_as_frames():
    portrait = replace(make_faces((0,), 1), image_size=(400, 300))
    other = make_identity(make_crops(portrait))
    joined = Identity.cat([make_identity(), other])
    faces = joined.reference.faces
    assert (faces.frames, faces.image_size, faces.frame.tolist()) == (4, (8, 8), [0, 1, 2, 3])
    assert torch.equal(joined.reference.image[3], other.reference.image[0])
    assert torch.equal(joined.embedding[3], other.embedding[0])


def test_as_frames_moves_the_faces_into_crop_pixels():
    # a quarter turn, (x, y) -> (-y, x), at twice the size, then a shift by (100, 10)
    matrix = torch.tensor([[[0.0, -2.0, 100.0], [2.0, 0.0, 10.0]]])
    faces = replace(
        make_faces((1,), depth=True),
        box=torch.tensor([[10.0, 20.0, 30.0, 50.0]]),
        keypoints=torch.tensor([[[10.0, 20.0]] * 5]),
        landmarks=torch.tensor([[[30.0, 50.0, 7.0]]]),
    )
    own = replace(make_crops(faces), matrix=matrix).as_frames()
    assert own.faces.box.tolist() == [[0.0, 30.0, 60.0, 70.0]]
    assert own.faces.keypoints[0, 0].tolist() == [60.0, 30.0]
    assert own.faces.landmarks.flatten().tolist() == pytest.approx([0.0, 70.0, 14.0])
    assert own.matrix.tolist() == [[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]
    assert (own.faces.frame.tolist(), own.faces.frames) == ([0], 1)
    assert math.prod(own.faces.image_size) == own.size**2
