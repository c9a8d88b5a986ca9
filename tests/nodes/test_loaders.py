from __future__ import annotations

import hashlib
import os
import pickle
from dataclasses import replace

import pytest
import torch
from onnx import TensorProto, helper
from safetensors.torch import save_file

from faceloom import models
from faceloom.headless.graph import Node, WorkflowError
from faceloom.headless.nodeclass import NodeClass
from faceloom.headless.widgets import coerce
from faceloom.host.download import DownloadError
from faceloom.host.session import Session, using
from faceloom.models import registry
from faceloom.models.catalog import Entry
from faceloom.models.classical import WITHOUT_WEIGHTS
from faceloom.models.facemesh.network import FaceMeshNetwork
from faceloom.models.yunet.network import YuNetNetwork
from faceloom.nodes import (
    NODES,
    DetectFaces,
    FindLandmarks,
    LoadFaceDetector,
    LoadFaceLandmarker,
    LoadFaceRefiner,
    LoadHeadPose,
    choices,
)
from faceloom.nodes.loaders import _Loader

LOADERS = [node for node in NODES if issubclass(node, _Loader)]
DETECTOR, LANDMARKER = "yunet_n.safetensors", "facemesh468.safetensors"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The only folder of weights there is."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("FACELOOM_MODELS", raising=False)
    place = tmp_path / "models"
    place.mkdir()
    with using(Session(device=torch.device("cpu"), model_folders=(place,))):
        yield place


@pytest.fixture
def filled(folder):
    """The folder with a small random network of two roles."""
    torch.manual_seed(0)
    networks = {
        DETECTOR: YuNetNetwork([4, 6, 8, 8, 8, 8], shared=2),
        LANDMARKER: FaceMeshNetwork([4, 6, 8, 8, 8], hidden=5),
    }
    for name, network in networks.items():
        save_file(network.state_dict(), folder / name)
    return folder


@pytest.fixture
def shipped(filled, monkeypatch, tmp_path):
    """The same networks as built-in ones, in no model folder."""
    shipped = {}
    for name in (DETECTOR, LANDMARKER):
        shipped[name] = (filled / name).rename(tmp_path / name)
    entries = [
        replace(entry, built_in=shipped[name])
        for entry in models.ARCHITECTURES
        for name in [{"yunet": DETECTOR, "facemesh": LANDMARKER}.get(entry.name)]
        if name
    ]
    monkeypatch.setattr(registry, "ARCHITECTURES", tuple(entries))
    return shipped


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A catalogue of one detector, and a network that it can be fetched from."""
    save_file(YuNetNetwork([4, 6, 8, 8, 8, 8], shared=2).state_dict(), tmp_path / "served")
    content = (tmp_path / "served").read_bytes()
    entry = Entry(
        name="net",
        role="detector",
        file="net.safetensors",
        what="a net",
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        address="https://example.org/net",
        licence="MIT",
        commercial=True,
        project="https://example.org",
        kept_in=("pack/other.safetensors",),
    )
    fetched = []

    def download(address, target, sha256, size):
        assert (address, sha256, size) == (entry.address, entry.sha256, entry.size)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        fetched.append(target)
        return target

    monkeypatch.setattr(choices, "download", download)
    monkeypatch.setattr(choices, "catalog", lambda: (entry,))
    monkeypatch.setattr("faceloom.models.catalog.catalog", lambda: (entry,))
    return fetched


def options(loader):
    (socket,) = loader.GET_SCHEMA().inputs
    return socket.options


def offer(loader, name):
    return next(option for option in options(loader) if option.startswith(f"download: {name}"))


# ---- what is offered ----


def test_there_is_a_loader_for_every_role():
    names = {loader.role: loader.GET_SCHEMA().display_name for loader in LOADERS}
    assert names == models.LOADER_NODES


@pytest.mark.parametrize("loader", LOADERS)
def test_an_empty_machine_offers_built_in_and_downloads(folder, loader):
    first, *others = options(loader)
    assert first == ("built-in" if loader.has_built_in else "none on disk")
    assert loader.GET_SCHEMA().inputs[0].default == first
    # Nobody has published HEAR-Net's weights, nor FSGAN's at an address with a hash.
    assert bool(others) is (loader.role not in ("refiner", "reenactor", "inpainter", "blender"))
    assert all(option.startswith("download: ") for option in others)
    assert all(loader.validate_inputs(option) is True for option in others)


def test_what_is_on_disk_comes_before_the_downloads(filled):
    (filled / "insightface").mkdir()
    (filled / "insightface" / "mine.onnx").touch()
    offered = options(LoadFaceDetector)
    assert offered[:3] == ["built-in", "insightface/mine.onnx", DETECTOR]
    assert offered[3].startswith("download: ")


def test_files_known_to_play_another_role_are_left_out(filled):
    (filled / "det_10g.onnx").touch()
    detectors, landmarkers = options(LoadFaceDetector), options(LoadFaceLandmarker)
    assert {DETECTOR, "det_10g.onnx"} <= set(detectors)
    assert LANDMARKER not in detectors
    assert LANDMARKER in landmarkers
    assert not {DETECTOR, "det_10g.onnx"} & set(landmarkers)


def test_a_download_says_its_licence_and_size(folder):
    wanted = "download: det_10g.onnx (non-commercial research only, 16.9 MB)"
    assert offer(LoadFaceDetector, "det_10g.onnx") == wanted


# ---- built-in ----


@pytest.mark.parametrize("loader", [LoadFaceDetector, LoadFaceLandmarker])
def test_built_in_models_load(shipped, loader):
    assert loader.validate_inputs("built-in") is True
    (model,) = loader.execute("built-in").args
    assert loader.GET_SCHEMA().outputs[0].display_name == model.role


def test_workflows_of_version_0_1_mean_built_in_by_auto(shipped):
    assert LoadFaceDetector.validate_inputs("auto") is True
    (model,) = LoadFaceDetector.execute("auto").args
    assert model.role == "detector"
    assert LoadFaceDetector.fingerprint_inputs("auto") == "built-in"


def test_loaded_networks_run_and_find_nothing_in_nothing(shipped, image):
    (detector,) = LoadFaceDetector.execute("built-in").args
    (landmarker,) = LoadFaceLandmarker.execute("built-in").args
    for frames in (image, image[:0]):
        faces, count = DetectFaces.execute(frames, detector, 0.99, 64).args
        assert faces.frames == len(frames)
        assert len(FindLandmarks.execute(frames, faces, landmarker)[0]) == count


def test_landmarks_of_a_loaded_network(shipped, image, faces):
    (landmarker,) = LoadFaceLandmarker.execute("built-in").args
    (found,) = FindLandmarks.execute(image, faces, landmarker).args
    assert found.landmarks.shape == (4, 468, 3)


@pytest.mark.parametrize("loader", LOADERS)
def test_a_role_without_built_in_weights_says_so(monkeypatch, loader):
    if loader.role in WITHOUT_WEIGHTS:
        assert loader.validate_inputs("built-in") is True
        return
    monkeypatch.setattr(registry, "ARCHITECTURES", ())
    with pytest.raises(models.CheckpointError, match=f"no built-in {loader.role}"):
        loader.execute("built-in")
    assert "choose a file" in loader.validate_inputs("built-in")


# ---- on disk ----


@pytest.mark.parametrize(
    ("loader", "name"), [(LoadFaceDetector, DETECTOR), (LoadFaceLandmarker, LANDMARKER)]
)
def test_a_file_loads_wherever_it_lies(filled, loader, name):
    for choice in (name, f"another/machine\\{name}"):
        assert loader.validate_inputs(choice) is True
        (model,) = loader.execute(choice).args
        assert loader.GET_SCHEMA().outputs[0].display_name == model.role


def test_a_missing_file_says_where_to_put_it(folder):
    with pytest.raises(FileNotFoundError, match=r"mine\.onnx") as error:
        LoadFaceDetector.execute("mine.onnx")
    assert str(folder) in str(error.value)
    assert LoadFaceDetector.validate_inputs("mine.onnx") == str(error.value)


def test_a_missing_file_that_can_be_fetched_says_so(folder):
    verdict = LoadFaceDetector.validate_inputs("buffalo_l/det_10g.onnx")
    assert verdict.endswith(f"Or choose {offer(LoadFaceDetector, 'det_10g.onnx')!r}.")


def test_nothing_on_disk_says_what_to_choose(folder):
    for loader, hint in (
        (LoadHeadPose, "no head pose on this machine yet: choose a download"),
        (LoadFaceRefiner, "no refiner on this machine yet: none is published"),
    ):
        with pytest.raises(models.CheckpointError, match=hint):
            loader.execute("none on disk")
        assert str(folder) in loader.validate_inputs("none on disk")


def test_fingerprint_changes_with_the_file(filled):
    before = LoadFaceDetector.fingerprint_inputs(DETECTOR)
    assert LoadFaceDetector.fingerprint_inputs(DETECTOR) == before
    os.utime(filled / DETECTOR, (1, 1))
    assert LoadFaceDetector.fingerprint_inputs(DETECTOR) != before
    (filled / DETECTOR).unlink()
    assert LoadFaceDetector.fingerprint_inputs(DETECTOR) == "missing"
    assert LoadFaceDetector.fingerprint_inputs("../x.onnx") == "missing"


def test_a_value_over_a_wire_is_judged_when_it_comes():
    assert LoadFaceDetector.validate_inputs(None) is True


# ---- downloads ----


def test_only_running_fetches_and_only_once(folder, server, tmp_path):
    choice = offer(LoadFaceDetector, "net.safetensors")
    assert choice == f"download: net.safetensors (MIT, {choices.catalog()[0].size / 1e6:.1f} MB)"
    assert LoadFaceDetector.validate_inputs(choice) is True
    mark = LoadFaceDetector.fingerprint_inputs(choice)
    assert server == []
    (model,) = LoadFaceDetector.execute(choice).args
    assert model.role == "detector"
    assert server == [tmp_path / "cache" / "faceloom" / "models" / "net.safetensors"]
    # The saved workflow keeps its value, which the list no longer has.
    assert choice not in options(LoadFaceDetector)
    assert "net.safetensors" in options(LoadFaceDetector)
    assert LoadFaceDetector.validate_inputs(choice) is True
    LoadFaceDetector.execute(choice)
    assert len(server) == 1
    assert LoadFaceDetector.fingerprint_inputs(choice) == mark


def test_what_another_pack_has_is_not_fetched_again(folder, server, tmp_path):
    choice = offer(LoadFaceDetector, "net.safetensors")
    (folder / "pack").mkdir()
    (tmp_path / "served").rename(folder / "pack" / "Other.safetensors")
    LoadFaceDetector.execute(choice)
    assert server == []
    assert options(LoadFaceDetector) == ["built-in", "pack/Other.safetensors"]


def test_a_file_of_another_size_is_not_taken_for_it(folder, server):
    (folder / "net.safetensors").write_bytes(b"cut short")
    LoadFaceDetector.execute(offer(LoadFaceDetector, "net.safetensors"))
    assert len(server) == 1


def test_a_download_of_another_role_names_its_loader(folder, server):
    choice = offer(LoadFaceDetector, "net.safetensors")
    assert "use Load Face Detector" in LoadFaceLandmarker.validate_inputs(choice)
    assert "not in the catalogue" in LoadFaceLandmarker.validate_inputs("download: gone.onnx (MIT)")
    assert LoadFaceDetector.fingerprint_inputs("download: gone.onnx") == "missing"


def test_what_has_no_address_is_got_by_hand(folder):
    message = r"pfld\.pth has no address.*https://github\.com/polarisZhao.*faceloom"
    with pytest.raises(models.CheckpointError, match=message):
        LoadFaceLandmarker.execute("download: pfld.pth")


def test_a_failed_download_is_the_nodes_error(folder, server, monkeypatch):
    def download(*_):
        raise DownloadError("net.safetensors could not be fetched: offline.")

    choice = offer(LoadFaceDetector, "net.safetensors")
    monkeypatch.setattr(choices, "download", download)
    with pytest.raises(DownloadError, match="offline"):
        LoadFaceDetector.execute(choice)


# ---- stand-alone runs take the node's own judgement for the list's ----


def test_a_saved_value_that_is_not_listed_runs(filled):
    loader = NodeClass(LoadFaceDetector)
    socket = loader.spec.find_input("model")
    for value in (f"another/machine/{DETECTOR}", "gone.onnx"):
        assert value not in socket.choices
        assert coerce(socket, value) == value
    nodes = [Node(name, "", "Loader", {"model": name}) for name in (DETECTOR, "gone.onnx")]
    loader.validate(nodes[0])
    with pytest.raises(WorkflowError, match=r"Loader \(#gone\.onnx\): Model 'gone\.onnx' was not"):
        loader.validate(nodes[1])


# ---- bad files: one clear line ----


class Hostile:
    def __reduce__(self):
        return os.mkdir, ("ran",)


def unknown_graph():
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("a", "b")]
    graph = helper.make_graph([helper.make_node("Abs", ["a"], ["b"])], "g", values[:1], values[1:])
    return helper.make_model(graph).SerializeToString()


BAD = {
    "empty.onnx": (b"", "is empty"),
    "page.onnx": (b"<!DOCTYPE html><html>404</html>", "web page"),
    "page.safetensors": (b"<html>Sign in</html>", "web page"),
    "noise.pth": (bytes(64), "damaged"),
    "hostile.pth": (pickle.dumps({"hook": Hostile()}), "runs no code"),
    "hostile.ckpt": (pickle.dumps(Hostile(), protocol=2), "runs no code"),
    "unknown.onnx": (unknown_graph(), "no known architecture"),
}


@pytest.mark.parametrize("name", [*BAD, "cut.safetensors", "cut.onnx", "unknown.pth"])
@pytest.mark.parametrize("loader", LOADERS)
def test_bad_files_are_refused_in_one_line(filled, loader, name, monkeypatch):
    monkeypatch.chdir(filled)
    content, reason = BAD.get(name, (None, "damaged or cut short"))
    if name == "cut.safetensors":
        content = (filled / DETECTOR).read_bytes()[:-100]
    elif name == "cut.onnx":
        content = unknown_graph()[:-9]
    elif name == "unknown.pth":
        torch.save({"a": torch.ones(1)}, filled / name)
        content, reason = (filled / name).read_bytes(), "no known architecture"
    (filled / name).write_bytes(content)
    with pytest.raises(models.CheckpointError, match=reason) as error:
        loader.execute(name)
    assert str(error.value).startswith(f"{filled / name}: ")
    assert "\n" not in str(error.value)
    assert (filled / name).read_bytes() == content
    assert not (filled / "ran").exists()


@pytest.mark.parametrize("loader", LOADERS)
def test_weights_of_another_role_name_their_loader(filled, loader):
    name = LANDMARKER if loader.role == "detector" else DETECTOR
    wanted = "Load Face Landmarker" if loader.role == "detector" else "Load Face Detector"
    with pytest.raises(models.CheckpointError, match=f"where (an? )?{loader.role} .*use {wanted}"):
        loader.execute(name)
