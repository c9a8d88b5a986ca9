"""Where saved identities live: ReActor's face models and our own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path, PureWindowsPath
from uuid import uuid4

from . import inside_comfyui
from .folders import IDENTITIES, KIND, user_model_folder

SUFFIX = ".safetensors"
REACTOR, OWN = "reactor", KIND
LONGEST = 100  # characters of a name


def identity_folders() -> dict[str, Path]:
    """Give the folders of identities by the name that goes before their files' names.

    Inside ComfyUI `models/reactor/faces`, which ReActor's nodes list, and
    `models/faceloom/identities`; stand-alone `reactor` and `identities` in the user's
    `~/.cache/faceloom`. They may not exist.
    """
    if inside_comfyui():
        import folder_paths

        models = Path(folder_paths.models_dir)
        return {REACTOR: models / "reactor" / "faces", OWN: models / KIND / IDENTITIES}
    cache = user_model_folder().parent
    return {REACTOR: cache / "reactor", OWN: cache / IDENTITIES}


def identity_files() -> list[str]:
    """List the saved identities as `folder/name.safetensors`, sorted."""
    return sorted(
        f"{label}/{name}"
        for label, folder in identity_folders().items()
        for name in _names_in(folder)
    )


def find_identity(name: str) -> Path:
    """Find a file by a name from `identity_files`.

    Raises:
        ValueError: it is no such name, or leads out of the folders.
        FileNotFoundError: there is no such file; the message says where it was looked for.
    """
    label, _, file = name.replace("\\", "/").partition("/")
    folders = identity_folders()
    if (
        label not in folders
        or not file.lower().endswith(SUFFIX)
        or PureWindowsPath(file).name != file
    ):
        raise ValueError(
            f"{name!r} names no saved identity; wanted one like {OWN}/name{SUFFIX}. {_advice()}"
        )
    path = folders[label] / file
    if not path.is_file():
        raise FileNotFoundError(f"Identity {name!r} was not found. {_advice()}")
    return path


def write_identity(content: bytes, name: str, label: str, overwrite: bool) -> str:
    """Write the file of an identity whole or not at all.

    Args:
        content: what to write.
        name: a name for people; folders and characters that file systems refuse are left out.
        label: which folder, a key of `identity_folders`.
        overwrite: replace a file of that name; otherwise a number is added to the name.

    Returns:
        The name under which `identity_files` lists the file.

    Raises:
        ValueError: nothing is left of the name, or the folder cannot be written.
    """
    stem, folder = _clean(name), identity_folders()[label]
    try:
        return _write(content, stem, folder, label, overwrite)
    except OSError as error:
        raise ValueError(
            f"the identity {stem!r} could not be saved in {folder}: {error.strerror or error}. "
            "Make that folder writable, or give the disk room, and run again."
        ) from error


def _write(content: bytes, stem: str, folder: Path, label: str, overwrite: bool) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}{SUFFIX}"
    numbers = count(2)
    while path.exists() and not overwrite:
        path = folder / f"{stem}_{next(numbers)}{SUFFIX}"
    part = folder / f".{uuid4().hex}.part"
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return f"{label}/{path.name}"


def _clean(name: str) -> str:
    last = PureWindowsPath(name.strip()).name.removesuffix(SUFFIX)
    # Letters of any script, but nothing that a file system or a shell reads as more than a name.
    stem = re.sub(r"[^\w \-.()]+", "", last).strip(" .")[:LONGEST].strip(" .")
    if not stem:
        raise ValueError(f"{name!r} leaves no name for a file; wanted one like lena.")
    return stem


def _names_in(folder: Path) -> Iterator[str]:
    try:
        yield from (
            path.name
            for path in folder.iterdir()
            if path.suffix.lower() == SUFFIX and not path.name.startswith(".")
        )
    except OSError:  # missing or unreadable, as `folders.model_files` skips them
        return


def _advice() -> str:
    places = " and ".join(f"{folder} ({label}/)" for label, folder in identity_folders().items())
    return f"Identities are in {places}. Save one with Save Identity, then reload the page."
