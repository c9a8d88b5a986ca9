from __future__ import annotations

import os
import pickle
import warnings

import pytest
import torch
from safetensors.torch import save, save_file

from faceloom import models
from faceloom.models import CheckpointError
from faceloom.models.loading import canonical
from faceloom.models.registry import ARCHITECTURES


class Hostile:
    """Runs code where it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


def failure(path, **options):
    """The message that loading ends with: one paragraph that begins with the path."""
    with pytest.raises(CheckpointError) as caught:
        models.load(path, **options)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".ckpt", ".safetensors"])
def test_every_container_loads(suffix, tmp_path, yunet_state):
    path = tmp_path / f"any name{suffix}"
    if suffix == ".safetensors":
        save_file(yunet_state, path)
    else:
        torch.save(yunet_state, path)
    loaded = models.load(str(path)).network.state_dict()
    torch.testing.assert_close(loaded, yunet_state)
    torch.testing.assert_close(models.read_state_dict(path), yunet_state)


def test_old_pickles_load(tmp_path, yunet_state):
    torch.save(yunet_state, tmp_path / "a.pth", _use_new_zipfile_serialization=False)
    assert models.load(tmp_path / "a.pth").name == "yunet"


@pytest.mark.parametrize("wrapper", ["state_dict", "params_ema", "params", "model"])
def test_wrappers_and_prefixes_are_taken_off(wrapper):
    weights = torch.ones(2)
    wrapped = {"epoch": 3, wrapper: {"module.a": weights, "module.b": weights, "note": "x"}}
    assert list(canonical(wrapped)) == ["a", "b"]


def test_exponential_average_is_preferred():
    chosen = canonical({"params": {"a": torch.zeros(1)}, "params_ema": {"a": torch.ones(1)}})
    assert chosen["a"].item() == 1


def test_a_prefix_of_some_keys_stays():
    assert list(canonical({"module.a": torch.ones(1), "b": torch.ones(1)})) == ["module.a", "b"]


def test_network_is_frozen_float32_and_independent(yunet_state):
    half = {k: v.half() if v.is_floating_point() else v for k, v in yunet_state.items()}
    network = models.load(half).network
    assert not network.training
    assert not any(weight.requires_grad for weight in network.parameters())
    assert {weight.dtype for weight in network.parameters()} == {torch.float32}
    own = models.load(yunet_state).network.get_parameter("backbone.model0.conv1.weight")
    assert own.data_ptr() != yunet_state["backbone.model0.conv1.weight"].data_ptr()


def test_loading_draws_no_random_numbers(yunet_state):
    before = torch.get_rng_state()
    models.load(yunet_state)
    assert torch.equal(torch.get_rng_state(), before)


def test_loading_changes_nothing_on_disk(tmp_path, yunet_state):
    path = tmp_path / "a.safetensors"
    save_file(yunet_state, path)
    before = path.read_bytes(), path.stat().st_mtime_ns
    models.load(path)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert os.listdir(tmp_path) == ["a.safetensors"]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.safetensors", b"", "is empty"),
        ("a.onnx", b"", "is empty"),
        ("a.bin", b"abc", "must be in a file of .safetensors, .pth, .pt, .ckpt, .onnx"),
        ("a.onnx", b"\n<!DOCTYPE html><html>404</html>", "web page"),
        ("a.safetensors", b"<html><body>Sign in</body></html>", "web page"),
        ("a.pth", b"<HTML>", "web page"),
        ("a.onnx", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git-lfs"),
        ("a.safetensors", b"abc", "damaged or cut short"),
        ("a.safetensors", b"\xff" * 64, "damaged or cut short"),
        ("a.pth", b"hello world", "damaged"),
        ("a.pth", bytes(64), "damaged"),
        ("a.onnx", b"hello world", "damaged or cut short, or no ONNX graph"),
        ("a.onnx", bytes(64), "damaged or cut short, or no ONNX graph"),
    ],
)
def test_what_is_no_checkpoint_is_named(name, content, reason, tmp_path):
    (tmp_path / name).write_bytes(content)
    assert reason in failure(tmp_path / name)


def test_missing_files_and_folders(tmp_path):
    assert "there is no such file" in failure(tmp_path / "a.pth")
    (tmp_path / "b.pth").mkdir()
    assert "this is a folder" in failure(tmp_path / "b.pth")


@pytest.mark.parametrize("part", [0.01, 0.5, 0.99])
@pytest.mark.parametrize("kind", ["safetensors", "zip", "old pickle"])
def test_truncated_files(kind, part, tmp_path, yunet_state):
    path = tmp_path / ("a.safetensors" if kind == "safetensors" else "a.pth")
    if kind == "safetensors":
        path.write_bytes(save(yunet_state))
    else:
        torch.save(yunet_state, path, _use_new_zipfile_serialization=kind == "zip")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    assert "damaged" in failure(path)


@pytest.mark.parametrize("protocol", [2, 4])
def test_code_in_a_pickle_never_runs(protocol, tmp_path, yunet_state):
    trace, plain, zipped = tmp_path / "ran", tmp_path / "plain.pth", tmp_path / "zip.pth"
    content = {"state_dict": yunet_state, "hook": Hostile(trace)}
    plain.write_bytes(pickle.dumps({"hook": Hostile(trace)}, protocol=protocol))
    torch.save(content, zipped, pickle_protocol=protocol)
    for path in (plain, zipped):
        message = failure(path)
        assert "runs no code from checkpoints" in message
        assert "weights_only" not in message
    assert not trace.exists()


def test_whole_modules_and_scripts_are_refused(tmp_path):
    torch.save(torch.nn.Linear(1, 1), tmp_path / "module.pth")
    message = failure(tmp_path / "module.pth")
    assert "holds code (torch.nn.modules.linear.Linear)" in message
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer torch deprecates scripts, which users still have
        torch.jit.script(torch.nn.Linear(1, 1)).save(str(tmp_path / "script.pt"))
    assert "TorchScript" in failure(tmp_path / "script.pt")


@pytest.mark.parametrize(
    ("content", "reason"),
    [([1, 2], "holds a list"), (torch.ones(1), "holds a Tensor"), ({"epoch": 3}, "no tensors")],
)
def test_files_without_named_tensors(content, reason, tmp_path):
    torch.save(content, tmp_path / "a.pth")
    assert reason in failure(tmp_path / "a.pth")


def test_unknown_weights_show_what_is_known(tmp_path):
    save_file({f"layer{i}.weight": torch.ones(1) for i in range(9)}, tmp_path / "a.safetensors")
    message = failure(tmp_path / "a.safetensors")
    assert "9 tensors, the first ones layer0.weight, layer1.weight" in message
    known = ", ".join(f"{entry.name} ({entry.role})" for entry in ARCHITECTURES)
    assert message.endswith(f"Known: {known}.")


def test_differences_are_listed_all_and_sorted(tmp_path, yunet_state):
    state = {**yunet_state, "z.extra": torch.ones(1), "a.extra": torch.ones(1)}
    del state["neck.lateral_convs.1.bn.bias"], state["backbone.model0.bn1.bias"]
    state["backbone.model1.conv1.conv1.bias"] = torch.ones(5)
    save_file(state, tmp_path / "a.safetensors")
    assert failure(tmp_path / "a.safetensors").endswith(
        "the tensors do not fit the network; "
        "missing: backbone.model0.bn1.bias, neck.lateral_convs.1.bn.bias; "
        "unexpected: a.extra, z.extra; "
        "of another shape: backbone.model1.conv1.conv1.bias is [5], wanted [4]."
    )


def test_wrong_role_names_the_node_to_use(tmp_path, yunet_state):
    save_file(yunet_state, tmp_path / "a.safetensors")
    message = failure(tmp_path / "a.safetensors", role="landmarker")
    assert "this is yunet, a detector, where a landmarker is wanted" in message
    assert "use Load Face Detector" in message
    assert models.load(tmp_path / "a.safetensors", "detector").role == "detector"


def test_state_dicts_have_no_path_to_name(yunet_state):
    with pytest.raises(CheckpointError, match=r"^no known architecture; 1 tensors"):
        models.load({"a": torch.ones(1)})
