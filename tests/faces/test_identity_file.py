"""Files of identities: ReActor's nine tensors, our own, and what is refused."""

from __future__ import annotations

import pickle

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load, save_file

from faceloom.faces import Identity
from faceloom.faces.identity_file import (
    FORMAT,
    KEY,
    REACTOR_SPACE,
    identity_bytes,
    is_reactors,
    read_identity,
)

# What `save_face_model` of ReActor writes of an InsightFace face (reactor_utils.py:184-208), as
# listed in its own repository: names, and shapes of InsightFace's fields.
REACTORS = {
    "bbox": [4],
    "kps": [5, 2],
    "det_score": [],
    "landmark_3d_68": [68, 3],
    "pose": [3],
    "landmark_2d_106": [106, 2],
    "embedding": [512],
    "gender": [],
    "age": [],
}
INTEGERS = {"gender", "age"}


def identity(length=512, space=REACTOR_SPACE, count=1, reference=None):
    random = torch.Generator().manual_seed(3)
    return Identity(torch.randn(count, length, generator=random), space, reference, "ab" * 32)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lena.safetensors"


def read_as_reactor(path):
    """`load_face_model` of ReActor: every tensor, as NumPy, is a field."""
    with safe_open(path, framework="pt") as file:
        return {key: file.get_tensor(key).numpy() for key in file.keys()}  # noqa: SIM118


def test_reactor_gets_its_nine_tensors(path, crops_of):
    one = identity(reference=crops_of(1))
    path.write_bytes(identity_bytes(one))
    fields = read_as_reactor(path)
    assert {name: list(value.shape) for name, value in fields.items()} == REACTORS
    assert {name for name, value in fields.items() if value.dtype == "int64"} == INTEGERS
    assert all(v.dtype == "float32" for name, v in fields.items() if name not in INTEGERS)
    assert torch.equal(torch.from_numpy(fields["embedding"]), one.embedding[0])
    # InsightFace's pixel centres lie at integers.
    assert fields["bbox"].tolist() == [2.5, 4.5, 22.5, 24.5]
    assert fields["kps"].tolist()[1] == [4.5, 7.5]
    assert fields["det_score"] == 0.75
    assert fields["gender"] == fields["age"] == -1
    for name in ("landmark_3d_68", "pose", "landmark_2d_106"):
        assert not fields[name].any()


def test_without_reference_crops_the_places_are_zero():
    fields = load(identity_bytes(identity()))
    assert {name: list(value.shape) for name, value in fields.items()} == REACTORS
    assert not any(fields[name].any() for name in ("bbox", "kps", "det_score"))


def test_reactor_finds_no_embedding_of_another_space():
    for one in (identity(128, "mobilefacenet"), identity(512, "auraface")):
        assert not is_reactors(one)
        assert list(load(identity_bytes(one))) == [KEY]
    assert is_reactors(identity())


@pytest.mark.parametrize(("length", "space"), [(512, REACTOR_SPACE), (128, "mobilefacenet")])
def test_round_trip(path, length, space, crops_of):
    one = identity(length, space, reference=crops_of(1))
    path.write_bytes(identity_bytes(one))
    read = read_identity(path)
    assert torch.equal(read.embedding, one.embedding)
    assert (read.encoder, read.sha256, read.reference) == (space, "ab" * 32, None)
    with safe_open(path, framework="pt") as file:
        assert file.metadata() == {"format": FORMAT, "encoder": space, "sha256": "ab" * 32}


def test_a_file_of_reactor_is_of_its_space(path):
    fields = {name: torch.ones(shape) for name, shape in REACTORS.items()}
    fields |= {name: torch.tensor(1) for name in INTEGERS}
    save_file(fields, path)
    read = read_identity(path)
    assert (read.encoder, read.sha256) == (REACTOR_SPACE, "")
    assert torch.equal(read.embedding, torch.ones(1, 512))


def test_a_header_names_the_encoder_of_any_embedding(path):
    save_file({"embedding": torch.ones(512).half()}, path, {"encoder": "auraface"})
    read = read_identity(path)
    assert read.encoder == "auraface"
    assert read.embedding.dtype == torch.float32


@pytest.mark.parametrize("count", [0, 2])
def test_a_file_takes_one_identity(count):
    with pytest.raises(ValueError, match=rf"one identity, got {count}\. .*'mean of all'"):
        identity_bytes(identity(count=count))


def test_a_vector_of_the_wrong_length_is_not_saved_as_reactors():
    with pytest.raises(ValueError, match=r"\[256\], wanted .*\[512\]"):
        identity_bytes(identity(256))


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_a_vector_without_direction_is_not_saved(value):
    with pytest.raises(ValueError, match="zero, infinite or NaN"):
        identity_bytes(Identity(torch.full((1, 512), value), REACTOR_SPACE))


PAGE = b"<!DOCTYPE html><html>404</html>" * 30
BAD_BYTES = [b"", b"x", PAGE, pickle.dumps({"embedding": [0.1] * 512}), b"\xff" * 64]


@pytest.mark.parametrize("content", BAD_BYTES, ids=["empty", "byte", "page", "pickle", "ff"])
def test_what_is_no_safetensors_file_is_refused_in_one_line(path, content):
    path.write_bytes(content)
    assert_refused(path, "not a readable .safetensors file")


def test_a_truncated_file_is_refused_in_one_line(path):
    path.write_bytes(identity_bytes(identity())[:-700])
    assert_refused(path, "not a readable .safetensors file")


def test_a_missing_file_and_a_folder_are_refused_in_one_line(path):
    assert_refused(path, "not a readable .safetensors file")
    path.mkdir()
    assert_refused(path, "not a readable .safetensors file")


@pytest.mark.parametrize(
    ("tensors", "header", "text"),
    [
        ({"weight": torch.ones(3)}, None, "holds no identity; wanted a face model of ReActor"),
        ({"embedding": torch.ones(128)}, None, r"float32 \[128\], wanted .*\[512\]"),
        ({"embedding": torch.ones(1, 512)}, None, r"float32 \[1, 512\], wanted .*\[512\]"),
        ({"embedding": torch.ones(512).int()}, None, r"int32 \[512\]"),
        ({"embedding": torch.zeros(512)}, None, "zero, infinite or NaN"),
        ({"embedding": torch.full((512,), float("nan"))}, None, "zero, infinite or NaN"),
        ({KEY: torch.ones(128)}, None, "header names no encoder"),
        ({KEY: torch.tensor(1.0)}, {"encoder": "x"}, r"float32 \[\], wanted .*\[D\]"),
        ({KEY: torch.ones(2, 9)}, {"encoder": "x"}, r"float32 \[2, 9\], wanted .*\[D\]"),
        ({KEY: torch.ones(0)}, {"encoder": "x"}, "zero, infinite or NaN"),
    ],
)
def test_a_file_without_a_usable_identity_is_refused_in_one_line(path, tensors, header, text):
    save_file(tensors, path, header)
    assert_refused(path, text)


def assert_refused(path, text):
    with pytest.raises(ValueError, match=text) as error:
        read_identity(path)
    message = str(error.value)
    assert path.name in message
    assert "\n" not in message
