"""The choices of a loader node: built-in, on disk, to download; and the file behind each."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from .. import models
from ..host.download import download
from ..host.folders import advice, download_folder, find_model, model_files
from ..models.catalog import Entry, base_name, catalog, entries_of, find_entry, megabytes

BUILT_IN = "built-in"
# As workflows of version 0.1 call it, which took the first file that it found.
BUILT_IN_NAMES = (BUILT_IN, "auto")
NOTHING = "none on disk"
DOWNLOAD = "download: "


def choices(role: models.Role, has_built_in: bool) -> list[str]:
    """List what a loader of a role offers, the default first.

    Files that are known to play another role are left out; unknown ones stay, because content
    decides what a file is.
    """
    files = model_files()
    first = [BUILT_IN] if has_built_in else []
    kept = [file for file in files if _may_be(file, role)]
    known = [entry for entry in catalog() if entry.role == role and entry.address]
    missing = [label(entry) for entry in known if on_disk(entry, files) is None]
    # Without it the first download would be the default, and run unasked.
    return [*(first or ([] if kept else [NOTHING])), *kept, *missing]


def find_weights(choice: str, role: models.Role) -> Path:
    """Find the file behind a choice; a download that is not on disk yet is fetched.

    Raises:
        CheckpointError: there is no such built-in network or download.
        ValueError: the name leads out of the model folders, or is not a weight file's.
        FileNotFoundError: no folder has the file.
        DownloadError: it could not be fetched.
    """
    if choice == NOTHING:
        downloads = any(entry.role == role and entry.address for entry in catalog())
        hint = "choose a download" if downloads else "none is published, so it must be your own"
        raise models.CheckpointError(f"There is no {role} on this machine yet: {hint}. {advice()}")
    if not choice.startswith(DOWNLOAD):
        return find_model(choice)
    entry = find_download(choice)
    return on_disk(entry, model_files()) or fetch(entry, download_folder())


def load_choice(choice: str, role: models.Role) -> models.Model:
    """Load what a loader's choice stands for.

    Raises:
        CheckpointError: as `models.load`, and as `find_weights` with its other errors.
    """
    if choice in BUILT_IN_NAMES:
        return models.load_built_in(role)
    return models.load(find_weights(choice, role), role)


def verdict(choice: str, role: models.Role) -> bool | str:
    """Judge a choice before anything runs: True, or what is wrong and what to do.

    A workflow may come from a machine with other files, or name a download that is on disk by now.
    """
    try:
        if choice in BUILT_IN_NAMES:
            models.load_built_in(role)
        elif not choice.startswith(DOWNLOAD):
            find_weights(choice, role)
        elif (entry := find_download(choice)).role != role:
            return f"{entry.file} is no {role}; {models.where_to_load(entry.role)}."
    except FileNotFoundError as error:
        offers = [label(entry) for entry in entries_of(choice) if entry.address]
        return f"{error} Or choose {offers[0]!r}." if offers else str(error)
    except (OSError, ValueError) as error:
        return str(error)
    return True


def fingerprint(choice: str, role: models.Role) -> str:
    """Give a text that changes when the file behind a choice does."""
    try:
        if choice.startswith(DOWNLOAD):
            return str(find_download(choice).sha256)
        if choice in BUILT_IN_NAMES:
            return BUILT_IN
        path = find_weights(choice, role)
        return f"{path} {path.stat().st_mtime_ns}"
    except (OSError, ValueError):  # reported when the node runs
        return "missing"


def label(entry: Entry) -> str:
    """Give the choice that fetches an entry."""
    return f"{DOWNLOAD}{entry.file} ({entry.licence}, {megabytes(entry.size)})"


def find_download(choice: str) -> Entry:
    """Find the entry of a `label`; licence and size in it do not matter.

    Raises:
        CheckpointError: the catalogue has no such file.
    """
    return find_entry(choice.removeprefix(DOWNLOAD).partition(" (")[0])


def on_disk(entry: Entry, files: Iterable[str]) -> Path | None:
    """Find an entry's file, under any of its names, among those that `model_files` lists.

    Name and size are compared: hashing gigabytes would take minutes.
    """
    for file in files:
        if base_name(file) in entry.names:
            path = find_model(file)
            if entry.size in (None, path.stat().st_size):
                return path
    return None


def fetch(entry: Entry, folder: Path) -> Path:
    """Download an entry's file into a folder.

    Raises:
        CheckpointError: no address of it is known.
        DownloadError: it could not be fetched.
    """
    if entry.address is None or entry.sha256 is None:
        pin = f", check that its SHA-256 is {entry.sha256}" if entry.sha256 else ""
        raise models.CheckpointError(
            f"{entry.file} has no address that it could be fetched from. Get it from "
            f"{entry.project}{pin}, and put it into {folder}."
            if entry.project
            else f"{entry.name} comes with FaceLoom and is not fetched."
        )
    return download(entry.address, folder / entry.file, entry.sha256, entry.size)


def _may_be(file: str, role: models.Role) -> bool:
    roles = {entry.role for entry in entries_of(file)} or {
        entry.role
        for entry in models.ARCHITECTURES
        if base_name(file) in map(str.lower, entry.usual_files)
    }
    return not roles or role in roles
