"""The catalogue of weights that people have, or can get: data in `catalog.json`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from .roles import Role
from .weights import CheckpointError

FILE = Path(__file__).with_name("catalog.json")


@dataclass(frozen=True)
class Entry:
    """One weight file, as its project publishes it."""

    name: str
    """Short and unique, for the command line."""
    role: Role
    """What its model does."""
    file: str
    """Unique file name under which it is kept here."""
    what: str
    """The network, in a few words."""
    size: int | None
    """In bytes; None where it is not known."""
    sha256: str | None
    """In 64 hexadecimal digits; known wherever there is an address."""
    address: str | None
    """Where the file itself can be fetched; None where it must be got from its project."""
    licence: str
    """Of these weights."""
    commercial: bool
    """Whether that licence allows commercial use; `note` says what may still stand against it."""
    project: str | None
    """Page of those who published it; None for FaceLoom's own, which are built in."""
    kept_in: tuple[str, ...] = ()
    """Paths in which other packs and programs keep the same file, some under other names."""
    note: str = ""
    """What else to know, such as the data it was trained on."""

    @property
    def names(self) -> frozenset[str]:
        """The file names under which it is found on disk, in small letters."""
        return frozenset(base_name(path) for path in (self.file, *self.kept_in))


@cache
def catalog() -> tuple[Entry, ...]:
    """Read the catalogue, in the order in which it is shown.

    Raises:
        ValueError: the file lacks a field or has one too many; the text names the entry.
    """
    return parse(json.loads(FILE.read_text(encoding="utf-8")))


def parse(rows: Iterable[dict[str, Any]]) -> tuple[Entry, ...]:
    """Turn the rows of a catalogue into entries.

    Raises:
        ValueError: a row lacks a field or has one too many, or an address without its hash.
    """
    entries = []
    for row in rows:
        try:
            entry = Entry(**row | {"kept_in": tuple(row.get("kept_in", ()))})
        except TypeError as error:
            raise ValueError(f"Catalogue entry {row.get('name')!r}: {error}.") from error
        if entry.address and not entry.sha256:
            raise ValueError(f"Catalogue entry {entry.name!r} has an address, but no SHA-256.")
        entries.append(entry)
    return tuple(entries)


def find_entry(name: str) -> Entry:
    """Find an entry by its name or its file's name; the case of letters does not matter.

    Raises:
        CheckpointError: there is none; the text lists the names.
    """
    entries = catalog()
    for entry in entries:
        if name.lower() in (entry.name.lower(), entry.file.lower()):
            return entry
    known = ", ".join(entry.name for entry in entries)
    raise CheckpointError(f"{name!r} is not in the catalogue; it knows {known}.")


def entries_of(file: str, size: int | None = None) -> tuple[Entry, ...]:
    """List the entries that a file on disk may be, by its name and, where known, its size.

    Args:
        file: name, perhaps with folders before it.
        size: in bytes; None looks at the name only.
    """
    name = base_name(file)
    return tuple(
        entry
        for entry in catalog()
        if name in entry.names and (None in (size, entry.size) or size == entry.size)
    )


def base_name(path: str) -> str:
    """Give the last part of a path of any system, in small letters."""
    return PurePosixPath(path.replace("\\", "/")).name.lower()


def megabytes(size: int | None) -> str:
    """Write a size in bytes for people."""
    return "size unknown" if size is None else f"{size / 1e6:.1f} MB"
