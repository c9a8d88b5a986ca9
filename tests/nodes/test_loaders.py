from __future__ import annotations

import os

import pytest
import torch
from safetensors.torch import save_file

from faceloom import models
from faceloom.host.session import Session, using
from faceloom.models.facemesh.network import FaceMeshNetwork
from faceloom.models.yunet.network import YuNetNetwork
from faceloom.nodes import DetectFaces, FindLandmarks, LoadFaceDetector, LoadFaceLandmarker

DETECTOR, LANDMARKER = (
    next(name for name in models.usual_files(role) if name.endswith(".safetensors"))
    for role in ("detector", "landmarker")
)
LOADERS = [(LoadFaceDetector, DETECTOR), (LoadFaceLandmarker, LANDMARKER)]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The only folder of weights there is."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("FACELOOM_MODELS", raising=False)
    place = tmp_path / "models"
    place.mkdir()
    with using(Session(device=torch.device("cpu"), model_folders=(place,))):
        yield place


@pytest.fixture
def filled(folder):
    """The folder with a small random network of each role under its usual name."""
    torch.manual_seed(0)
    networks = {
        DETECTOR: YuNetNetwork([4, 6, 8, 8, 8, 8], shared=2),
        LANDMARKER: FaceMeshNetwork([4, 6, 8, 8, 8], hidden=5),
    }
    for name, network in networks.items():
        save_file(network.state_dict(), folder / name)
    return folder


@pytest.mark.parametrize(("loader", "name"), LOADERS)
@pytest.mark.parametrize("auto", [True, False])
def test_model_is_found_and_knows_its_role(filled, loader, name, auto):
    (model,) = loader.execute("auto" if auto else name).args
    assert loader.GET_SCHEMA().outputs[0].display_name == model.role
    assert name in loader.GET_SCHEMA().inputs[0].options


def test_loaded_networks_run_and_find_nothing_in_nothing(filled, image):
    (detector,) = LoadFaceDetector.execute("auto").args
    (landmarker,) = LoadFaceLandmarker.execute("auto").args
    for frames in (image, image[:0]):
        faces, count = DetectFaces.execute(frames, detector, 0.99, 64).args
        assert faces.frames == len(frames)
        assert len(FindLandmarks.execute(frames, faces, landmarker)[0]) == count


def test_landmarks_of_a_loaded_network(filled, image, faces):
    (landmarker,) = LoadFaceLandmarker.execute("auto").args
    (found,) = FindLandmarks.execute(image, faces, landmarker).args
    assert found.landmarks.shape == (4, 468, 3)


@pytest.mark.parametrize(("loader", "name"), LOADERS)
def test_missing_file_says_where_to_put_it(folder, loader, name):
    for choice in ("auto", name):
        with pytest.raises((models.CheckpointError, FileNotFoundError), match=name) as error:
            loader.execute(choice)
        assert str(folder) in str(error.value)


def test_a_model_of_the_other_role_is_refused(filled):
    with pytest.raises(models.CheckpointError, match="Load Face Landmarker"):
        LoadFaceDetector.execute(LANDMARKER)


@pytest.mark.parametrize("content", [b"", b"no weights", b"\x00" * 64])
def test_damaged_file_is_named(filled, content):
    (filled / DETECTOR).write_bytes(content)
    with pytest.raises(models.CheckpointError, match=DETECTOR):
        LoadFaceDetector.execute("auto")


def test_fingerprint_changes_with_the_file(filled):
    before = LoadFaceDetector.fingerprint_inputs("auto")
    assert LoadFaceDetector.fingerprint_inputs("auto") == before
    os.utime(filled / DETECTOR, (1, 1))
    assert LoadFaceDetector.fingerprint_inputs("auto") != before
    (filled / DETECTOR).unlink()
    assert LoadFaceDetector.fingerprint_inputs("auto") != before
    assert LoadFaceDetector.fingerprint_inputs("../x.onnx") is not None
