"""Where weights are looked for, stand-alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from faceloom.host.folders import (
    download_folder,
    find_model,
    input_dir,
    model_files,
    model_folders,
    output_dir,
    user_model_folder,
)
from faceloom.host.session import Session, using


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Four folders, first match first: the session's, the variable's, the user's, InsightFace's."""
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    monkeypatch.setenv("FACELOOM_MODELS", f"{tmp_path / 'variable'}{os.pathsep}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    user = tmp_path / "cache" / "faceloom" / "models"
    with using(Session(model_folders=(tmp_path / "session",))):
        insightface = tmp_path / "home" / ".insightface" / "models"
        yield tmp_path / "session", tmp_path / "variable", user, insightface


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_folders_are_searched_in_order(folders):
    assert model_folders() == list(folders)
    user = touch(folders[2] / "a.pth")
    assert find_model("a.pth") == user
    session = touch(folders[0] / "a.pth")
    assert find_model("a.pth") == session
    assert model_files() == ["a.pth"]


def test_insightfaces_own_files_are_used_where_they_are(folders):
    path = touch(folders[3] / "buffalo_l" / "det_10g.onnx")
    assert model_files() == ["buffalo_l/det_10g.onnx"]
    assert find_model("buffalo_l/det_10g.onnx") == path


def test_downloads_go_to_the_users_folder(folders):
    assert download_folder() == folders[2]


def test_a_file_that_lies_in_another_folder_is_found(folders):
    path = touch(folders[0] / "Nets" / "A.onnx")
    assert find_model("models/faces/a.onnx") == path
    exact = touch(folders[1] / "models" / "faces" / "a.onnx")
    assert find_model("models/faces/a.onnx") == exact


def test_only_weights_are_listed_sorted_and_with_their_folder(folders):
    for name in (
        "z.pt",
        "y.ckpt",
        "sub/b.ONNX",
        "a.safetensors",
        "notes.txt",
        ".git/c.pt",
        ".d.pt",
    ):
        touch(folders[0] / name)
    touch(folders[1] / "c.pth")
    assert model_files() == ["a.safetensors", "c.pth", "sub/b.ONNX", "y.ckpt", "z.pt"]


def test_a_name_saved_on_windows_is_found(folders):
    path = touch(folders[1] / "sub" / "a.pt")
    assert find_model("sub\\a.pt") == path


def test_a_link_back_up_is_walked_once(folders):
    touch(folders[0] / "a.pt")
    (folders[0] / "loop").symlink_to(folders[0], target_is_directory=True)
    assert model_files() == ["a.pt"]


def test_a_linked_folder_is_followed(folders, tmp_path):
    touch(tmp_path / "elsewhere" / "a.pt")
    folders[0].mkdir()
    (folders[0] / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert model_files() == ["linked/a.pt"]


def test_missing_folders_are_skipped(folders):
    assert not any(folder.exists() for folder in folders)
    assert model_files() == []


def test_a_folder_that_is_a_file_is_skipped(folders):
    touch(folders[0])
    touch(folders[1] / "a.pt")
    assert model_files() == ["a.pt"]
    assert find_model("a.pt") == folders[1] / "a.pt"


def test_a_missing_model_says_where_it_was_looked_for(folders):
    with pytest.raises(FileNotFoundError, match=r"'a\.pt' was not found") as error:
        find_model("a.pt")
    assert all(str(folder) in str(error.value) for folder in folders)
    assert "--models" in str(error.value)


OUTSIDE = ["../a.pt", "/etc/a.pt", "C:\\a.pt", "C:a.pt", "sub\\..\\..\\a.pt"]


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_name_may_not_leave_the_folders(folders, name):
    with pytest.raises(ValueError, match="must be a name inside a model folder"):
        find_model(name)


@pytest.mark.parametrize("name", ["", "notes.txt", "a.pkl"])
def test_a_name_must_be_of_a_weight_file(folders, name):
    with pytest.raises(ValueError, match=r"must end in one of \.safetensors"):
        find_model(name)


@pytest.mark.parametrize("cache", ["", "relative"])
def test_without_a_usable_cache_variable_it_is_in_the_home(monkeypatch, tmp_path, cache):
    monkeypatch.setenv("XDG_CACHE_HOME", cache)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert user_model_folder() == tmp_path / ".cache" / "faceloom" / "models"


def test_pictures_come_from_the_session_and_go_to_it(tmp_path):
    with using(Session(input_dir=tmp_path / "in", output_dir=tmp_path / "out")):
        assert (input_dir(), output_dir()) == (tmp_path / "in", tmp_path / "out")
