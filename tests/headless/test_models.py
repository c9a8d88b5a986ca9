from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from faceloom.headless import cli, models
from faceloom.models import registry
from faceloom.models.catalog import find_entry
from faceloom.models.yunet.network import YuNetNetwork
from faceloom.nodes import choices


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The user's own folder of weights, the only one there is."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    monkeypatch.delenv("FACELOOM_MODELS", raising=False)
    place = tmp_path / "cache" / "faceloom" / "models"
    place.mkdir(parents=True)
    return place


@pytest.fixture
def fetched(monkeypatch):
    """What would be fetched: (address, target, sha256, size)."""
    calls = []

    def download(address, target, sha256, size):
        calls.append((address, target, sha256, size))
        return target

    monkeypatch.setattr(choices, "download", download)
    return calls


def listed(capsys, *options):
    assert cli.main(["models", *options]) == 0
    out = capsys.readouterr().out
    blocks, folders = out.split("Folders searched")
    assert max(map(len, blocks.splitlines())) <= 100
    return " ".join(blocks.split()), folders


def test_the_list_tells_what_can_be_got(capsys, folder, fetched):
    text, folders = listed(capsys)
    assert "== detector ==" in text
    assert "to get det_10g 16.9 MB no SCRFD 10G, 5 points; non-commercial research only" in text
    assert "to get xseg_1 70.3 MB yes XSeg 1 of FaceFusion; GPL-3.0" in text
    assert "by hand pfld no PFLD" in text
    assert str(folder) in folders
    assert fetched == []


def test_the_list_tells_what_is_on_disk(capsys, folder):
    entry = find_entry("blazeface")
    (folder / entry.file).write_bytes(bytes(entry.size))
    save_file(YuNetNetwork([4, 6, 8, 8, 8, 8], shared=2).state_dict(), folder / "mine.safetensors")
    (folder / "page.onnx").write_bytes(b"<html>Sign in</html>")
    save_file({"a": torch.ones(1)}, folder / "another network of nobody knows.safetensors")
    text, _ = listed(capsys)
    assert "on disk blazeface.pth 0.4 MB yes BlazeFace, front camera, 6 points, 128 px;" in text
    assert "to get blazeface " not in text
    assert "on disk mine.safetensors 0.0 MB ? yunet by its content" in text
    others = text[text.index("== not for FaceLoom ==") :]
    assert "on disk page.onnx 0.0 MB ? this is a web page" in others
    wanted = "on disk another network of nobody knows.safetensors 0.0 MB ? no known architecture"
    assert wanted in others


def test_the_list_tells_what_only_serves_training(capsys, folder):
    text, _ = listed(capsys)
    generators = text[text.index("== generator ==") :]
    assert "by hand stylegan2_ffhq no StyleGAN2 config F of FFHQ" in generators
    (folder / "stylegan2-ffhq-config-f.pt").write_bytes(b"on disk now")
    assert "on disk stylegan2-ffhq-config-f.pt 0.0 MB no StyleGAN2" in listed(capsys)[0]


def test_the_list_tells_what_is_built_in(capsys, monkeypatch, tmp_path):
    (tmp_path / "weights.safetensors").write_bytes(bytes(600_000))
    own = replace(
        registry.ARCHITECTURES[0],
        name="loom_detector",
        role="detector",
        built_in=tmp_path / "weights.safetensors",
    )
    monkeypatch.setattr(models, "ARCHITECTURES", (own,))
    text, _ = listed(capsys)
    assert "built-in loom_detector 0.6 MB no FaceLoom's own detector" in text
    assert "loom_parser" not in text  # it comes with FaceLoom, or not at all


def test_other_folders_can_be_named(capsys, tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "net.pth").write_bytes(b"no weights")
    assert "on disk net.pth" in listed(capsys, "--models", str(tmp_path / "more"))[0]


def test_large_unknown_files_are_not_looked_into(capsys, folder, monkeypatch):
    monkeypatch.setattr(models, "LARGEST", 5)
    (folder / "net.pth").write_bytes(b"no weights")
    assert "too large to be looked into" in listed(capsys)[0]


def test_get_fetches_into_the_users_folder(capsys, folder, fetched):
    assert cli.main(["models", "get", "xseg_1"]) == 0
    entry = find_entry("xseg_1")
    assert fetched == [(entry.address, folder / "xseg_1.onnx", entry.sha256, entry.size)]
    assert capsys.readouterr().out == f"{folder / 'xseg_1.onnx'}\n"


def test_get_fetches_where_it_is_told(capsys, tmp_path, fetched):
    assert cli.main(["models", "get", "xseg_1.onnx", "--to", str(tmp_path / "new")]) == 0
    assert fetched[0][1] == tmp_path / "new" / "xseg_1.onnx"


def test_get_leaves_what_is_there(capsys, folder, fetched):
    entry = find_entry("blazeface")
    (folder / entry.file).write_bytes(bytes(entry.size))
    for options in ([], ["--to", str(folder)]):
        assert cli.main(["models", "get", "blazeface", *options]) == 0
        assert capsys.readouterr().out == f"{folder / entry.file}\n"
    assert fetched == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nix", "faceloom: 'nix' is not in the catalogue; it knows "),
        ("pfld", "faceloom: pfld.pth has no address that it could be fetched from. Get it from "),
        ("loom_parser", "faceloom: loom_parser comes with FaceLoom and is not fetched."),
    ],
)
def test_what_cannot_be_fetched_says_why(capsys, name, message):
    assert cli.main(["models", "get", name]) == 1
    err = capsys.readouterr().err
    assert err.startswith(message)
    assert err.count("\n") == 1
