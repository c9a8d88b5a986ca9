"""Where identities are saved and found, stand-alone."""

from __future__ import annotations

import pytest

from faceloom.host.folders import model_files, user_model_folder
from faceloom.host.identities import (
    find_identity,
    identity_files,
    identity_folders,
    write_identity,
)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("FACELOOM_MODELS", raising=False)
    return tmp_path / "cache" / "faceloom"


def test_folders_lie_in_the_users_cache_and_may_be_missing(cache):
    assert identity_folders() == {"reactor": cache / "reactor", "faceloom": cache / "identities"}
    assert identity_files() == []
    assert not cache.exists()


def test_what_is_written_is_listed_and_found(cache):
    assert write_identity(b"1", "lena", "faceloom", False) == "faceloom/lena.safetensors"
    assert write_identity(b"2", "anna", "reactor", False) == "reactor/anna.safetensors"
    assert identity_files() == ["faceloom/lena.safetensors", "reactor/anna.safetensors"]
    assert find_identity("reactor/anna.safetensors").read_bytes() == b"2"
    assert find_identity("reactor\\anna.safetensors").read_bytes() == b"2"


def test_only_visible_safetensors_files_are_listed(cache):
    folder = cache / "identities"
    folder.mkdir(parents=True)
    for name in ("a.safetensors", "B.SafeTensors", ".hidden.safetensors", "c.part", "notes.txt"):
        (folder / name).touch()
    assert identity_files() == ["faceloom/B.SafeTensors", "faceloom/a.safetensors"]


def test_a_name_in_use_gets_a_number_unless_it_is_to_be_replaced(cache):
    write = [write_identity(bytes([n]), "lena", "faceloom", False) for n in range(3)]
    assert write == [f"faceloom/lena{n}.safetensors" for n in ("", "_2", "_3")]
    assert find_identity(write[0]).read_bytes() == b"\0"
    assert write_identity(b"new", "lena", "faceloom", True) == write[0]
    assert find_identity(write[0]).read_bytes() == b"new"
    assert len(list((cache / "identities").iterdir())) == 3


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("../../lena", "lena"),
        ("/etc/lena", "lena"),
        ("C:\\people\\lena", "lena"),
        ("lena.safetensors", "lena"),
        (" .lena. ", "lena"),
        ('le<n>a:*?"|\n\0', "lena"),
        ("Léna Müller-2 (old)", "Léna Müller-2 (old)"),
        ("小林", "小林"),
        ("v1.5", "v1.5"),
        ("x" * 300, "x" * 100),
    ],
)
def test_names_lose_folders_and_what_file_systems_refuse(cache, name, stem):
    assert write_identity(b"", name, "faceloom", False) == f"faceloom/{stem}.safetensors"
    assert [path.name for path in (cache / "identities").iterdir()] == [f"{stem}.safetensors"]


@pytest.mark.parametrize("name", ["", " ", "..", "../", "???", ".safetensors"])
def test_a_name_of_nothing_is_refused(name):
    with pytest.raises(ValueError, match="wanted one like lena"):
        write_identity(b"", name, "faceloom", False)


@pytest.mark.parametrize(
    "name",
    [
        "none",
        "lena.safetensors",
        "other/lena.safetensors",
        "faceloom/../lena.safetensors",
        "faceloom//etc/lena.safetensors",
        "faceloom/C:lena.safetensors",
        "faceloom/sub/lena.safetensors",
        "faceloom/lena.pt",
        "",
    ],
)
def test_names_that_lead_elsewhere_are_refused(name):
    with pytest.raises(ValueError, match=r"wanted one like faceloom/name.safetensors"):
        find_identity(name)


def test_a_missing_file_says_where_it_was_looked_for(cache):
    with pytest.raises(FileNotFoundError, match="Save Identity") as error:
        find_identity("faceloom/lena.safetensors")
    assert str(cache / "identities") in str(error.value)


def test_a_failed_write_leaves_the_old_file_and_no_rest(cache, monkeypatch):
    write_identity(b"old", "lena", "faceloom", False)
    with pytest.raises(TypeError):
        write_identity("text", "lena", "faceloom", True)
    folder = cache / "identities"
    assert [path.name for path in folder.iterdir()] == ["lena.safetensors"]
    assert (folder / "lena.safetensors").read_bytes() == b"old"


def test_a_folder_that_cannot_be_written_is_said(cache):
    cache.mkdir(parents=True, exist_ok=True)
    (cache / "identities").write_text("a file where the folder should be")
    with pytest.raises(ValueError, match=r"'lena' could not be saved in .* writable") as error:
        write_identity(b"1", "lena", "faceloom", False)
    assert str(cache / "identities") in str(error.value)


def test_identities_are_not_offered_as_weights(tmp_path):
    folder = user_model_folder() / "identities"
    folder.mkdir(parents=True)
    (folder / "lena.safetensors").touch()
    (folder.parent / "net.safetensors").touch()
    assert model_files() == ["net.safetensors"]
