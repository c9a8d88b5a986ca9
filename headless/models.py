"""`faceloom models`: what is built in, what is on disk, what can be fetched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap

from ..host.folders import advice, download_folder, find_model, model_files
from ..models import ARCHITECTURES, LOADER_NODES, CheckpointError, identify
from ..models.catalog import Entry, catalog, entries_of, find_entry, megabytes
from ..nodes.choices import fetch, on_disk

COLUMNS, NAME = 100, 30
NOT_OURS = "not for FaceLoom"
# A diffusion model's gigabytes would take long to look into.
LARGEST = 400e6
LEGEND = (
    "The columns: where it is, its name, its size, may it be used commercially, what it is and its "
    "licence. `faceloom models get NAME` fetches one; those 'by hand' come from their project's "
    "page, which the same command tells."
)


@dataclass(frozen=True)
class Row:
    """One line of the list."""

    role: str
    where: str
    name: str
    size: int | None
    commercial: str
    text: str


def list_models() -> str:
    """List models by role, as a text of 100 columns; nothing is fetched."""
    files = model_files()
    rows = [*_built_in(), *_on_disk(files), *_missing(files)]
    blocks = []
    # Some that no node loads serve training.
    others = sorted({row.role for row in rows} - {*LOADER_NODES, NOT_OURS})
    for role in (*LOADER_NODES, *others, NOT_OURS):
        members = [_format(row) for row in rows if row.role == role]
        if members:
            blocks.append("\n".join([f"== {role} ==", *members]))
    return "\n\n".join([*blocks, *("\n".join(_wrap(text)) for text in (LEGEND, advice()))])


def get_model(name: str, folder: Path | None) -> Path:
    """Fetch a file of the catalogue, unless it is on disk.

    Args:
        name: of the entry, or of its file.
        folder: where to put it, and then no other folder is looked into; None for the usual one.

    Raises:
        CheckpointError: the catalogue does not know it, or no address.
        DownloadError: it could not be fetched.
    """
    entry = find_entry(name)
    if folder is None:
        return on_disk(entry, model_files()) or fetch(entry, download_folder())
    target = folder / entry.file
    there = target.is_file() and entry.size in (None, target.stat().st_size)
    return target if there else fetch(entry, folder)


def _built_in() -> Iterator[Row]:
    known = {entry.name: entry for entry in catalog()}
    for architecture in ARCHITECTURES:
        path = architecture.built_in
        if path is not None:
            entry = known.get(architecture.name)
            size = path.stat().st_size if path.is_file() else None
            text = _about(entry) if entry else "licence: see its model card"
            use = _use(entry) if entry else "?"
            yield Row(architecture.role, "built-in", architecture.name, size, use, text)


def _on_disk(files: Iterable[str]) -> Iterator[Row]:
    for file in files:
        path = find_model(file)
        size = path.stat().st_size
        entries = entries_of(file, size)
        if entries:
            entry = entries[0]
            yield Row(entry.role, "on disk", file, size, _use(entry), _about(entry))
        else:
            role, text = _look_into(path, size)
            yield Row(role, "on disk", file, size, "?", text)


def _look_into(path: Path, size: int) -> tuple[str, str]:
    if size > LARGEST:
        return NOT_OURS, "too large to be looked into; a loader node tells what it is"
    try:
        found = identify(path)
    except CheckpointError as error:
        return NOT_OURS, str(error).removeprefix(f"{path}: ").split("; ")[0]
    return found.role, f"{found.name} by its content; licence: see where it came from"


def _missing(files: list[str]) -> Iterator[Row]:
    for entry in catalog():
        if entry.project and on_disk(entry, files) is None:
            where = "to get" if entry.address else "by hand"
            yield Row(entry.role, where, entry.name, entry.size, _use(entry), _about(entry))


def _use(entry: Entry) -> str:
    return "yes" if entry.commercial else "no"


def _about(entry: Entry) -> str:
    return "; ".join(filter(None, (entry.what, entry.licence, entry.note)))


def _format(row: Row) -> str:
    size = "" if row.size is None else megabytes(row.size)
    head = f"  {row.where:<8}  {row.name:<{NAME}}  "
    lines = []
    if len(row.name) > NAME:  # a line of its own
        lines, head = [head.rstrip()], " " * len(f"  {'':<8}  {'':<{NAME}}  ")
    head += f"{size:>8}  {row.commercial:<3}  "
    return "\n".join([*lines, *_wrap(row.text, head, " " * len(head))])


def _wrap(text: str, first: str = "", later: str = "") -> list[str]:
    return wrap(
        text,
        COLUMNS,
        initial_indent=first,
        subsequent_indent=later,
        break_long_words=False,
        break_on_hyphens=False,
    )
