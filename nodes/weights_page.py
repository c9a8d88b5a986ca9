"""What the page asks about a loader's choice: its licence, whether it is here, and to fetch it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from .. import models
from ..host.folders import advice, download_folder, find_model, model_files
from ..host.page import add_route, tell
from ..host.progress import aside
from ..models.catalog import Entry, catalog, entries_of
from ..models.classical import WITHOUT_WEIGHTS
from .choices import BUILT_IN, DOWNLOAD, NOTHING, fetch, find_download, label, on_disk

PROGRESS = "faceloom.fetch"


@dataclass(frozen=True)
class Weights:
    """What the page shows of a choice."""

    choice: str
    """As the node's list has it."""
    file: str | None
    """The file's name; None for the choice of nothing, and of what needs none."""
    folder: str
    """Where the file is, or where to put it."""
    present: bool
    """Whether the file is on disk."""
    fetchable: bool
    """Whether `fetch_weights` can fetch it."""
    size: int | None
    """In bytes, where it is known."""
    licence: str | None
    """Of the weights; None for a file that the catalogue does not know."""
    commercial: bool | None
    """Whether that licence allows commercial use; None where there is none."""
    note: str
    """What may stand against it all the same."""
    project: str | None
    """Page of those who published it."""
    problem: str
    """Why there can be no such file; mostly empty."""


def add_routes() -> None:
    """Let ComfyUI's page ask both questions; stand-alone nothing happens."""
    add_route("GET", "/faceloom/weights", lambda fields: asdict(find_out(*_asked(fields))))
    add_route("POST", "/faceloom/fetch", lambda fields: asdict(fetch_weights(*_asked(fields))))


def find_out(choice: str, role: models.Role) -> Weights:
    """Tell what is known about a choice of the loader of a role, whatever it is."""
    if choice == BUILT_IN and role in WITHOUT_WEIGHTS:
        return _without_weights(role)
    entry, path, problem = None, None, ""
    try:
        entry, path = _look_up(choice, role)
    except ValueError as error:
        problem = str(error)
    name = entry.file if entry and choice.startswith(DOWNLOAD) else choice
    size = path.stat().st_size if path else entry.size if entry else None
    return Weights(
        choice=choice,
        file=None if choice == NOTHING else path.name if path else name,
        folder=str(path.parent if path else download_folder()),
        present=path is not None,
        fetchable=path is None and entry is not None and entry.address is not None,
        size=size,
        licence=entry.licence if entry else None,
        commercial=entry.commercial if entry else None,
        note=entry.note if entry else "",
        project=entry.project if entry else None,
        problem=problem,
    )


def fetch_weights(choice: str, role: models.Role) -> Weights:
    """Fetch the file behind a choice, unless it is on disk; open pages hear of the progress.

    Only files of the catalogue are fetched, from its addresses and into the usual folder.

    Returns:
        What is known then. Its `choice` is another one where the file has another name now.

    Raises:
        CheckpointError: the catalogue has no such file for the role, or no address of it.
        ValueError: the name leads out of the model folders, or is not a weight file's.
        DownloadError: it could not be fetched.
    """
    entry, path = _look_up(choice, role)
    if path is None:
        if entry is None:
            raise models.CheckpointError(f"The catalogue has no {role} {choice!r}. {advice()}")
        with aside(_Percent(entry)):
            fetch(entry, download_folder())
    weights = find_out(choice, role)
    return weights if weights.present or entry is None else find_out(label(entry), role)


class _Percent:
    """Sends a download's progress, once for each percent."""

    def __init__(self, entry: Entry) -> None:
        self.file = entry.file
        self.last = -1

    def __call__(self, done: int, total: int) -> None:
        percent = min(100, 100 * done // total)
        if percent > self.last:
            self.last = percent
            tell(PROGRESS, {"file": self.file, "percent": percent})


def _asked(fields: Mapping[str, str]) -> tuple[str, models.Role]:
    choice, role = fields.get("choice", ""), fields.get("role", "")
    if role not in models.LOADER_NODES or not choice:
        raise ValueError(
            "Wanted a role and a choice; roles are " + ", ".join(models.LOADER_NODES) + "."
        )
    return choice, role


def _without_weights(role: models.Role) -> Weights:
    licence = WITHOUT_WEIGHTS[role]().licence
    return Weights(BUILT_IN, None, "", True, False, None, licence, True, "", None, "")


def _look_up(choice: str, role: models.Role) -> tuple[Entry | None, Path | None]:
    """Find the catalogue's entry and the file of a choice; either may be missing."""
    if choice == NOTHING:
        return None, None
    if choice == BUILT_IN:
        return _look_up_built_in(role)
    if choice.startswith(DOWNLOAD):
        entry = find_download(choice)
        if entry.role != role:
            raise models.CheckpointError(f"{entry.file} is no {role}.")
        return entry, on_disk(entry, model_files())
    try:
        path = find_model(choice)
    except FileNotFoundError:
        path = None
    known = [e for e in entries_of(choice, path.stat().st_size if path else None) if e.role == role]
    # Of a missing file the version that can be fetched counts.
    return next(iter(sorted(known, key=lambda entry: entry.address is None)), None), path


def _look_up_built_in(role: models.Role) -> tuple[Entry | None, Path | None]:
    path = models.built_in(role)
    names = {known.name for known in models.ARCHITECTURES if known.built_in == path}
    entry = next((entry for entry in catalog() if entry.name in names), None)
    return entry, path if path.is_file() else None
