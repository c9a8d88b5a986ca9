"""Tables that say which source each identity code comes from: MFIM's ID mixing."""

from __future__ import annotations

import re
from collections.abc import Iterator

_ROW = re.compile(r"(\d+)(?:\s*-\s*(\d+))?\s*:\s*(\d+)", re.ASCII)


def parse_table(text: str, codes: int, identity: range, sources: int) -> tuple[int, ...]:
    """Read a table of rows such as `8-13: 1` and `14: 2`.

    Args:
        text: rows of codes, counted from 0, and the source that they come from, counted from 1;
            parted by line breaks, commas or semicolons.
        codes: how many codes a face has.
        identity: which of them come from sources; each must be named once.
        sources: how many sources there are; each must be named.

    Returns:
        For each code the source that it comes from, counted from 0, as `mix` takes it; 0 for those
        of the target, which are the same whatever the source.

    Raises:
        ValueError: the table does not say that; the text tells what is wrong and how to mend it.
    """
    table: dict[int, int] = {}
    for row, span, source in _rows(text):
        _check_source(row, source, sources)
        for code in span:
            _check_code(row, code, identity, codes)
            if code in table:
                raise ValueError(f"the row {row!r} names code {code}, and so does an earlier row.")
            table[code] = source - 1
    missing = [code for code in identity if code not in table]
    if missing:
        raise ValueError(
            f"the table names no source for {_codes(missing)}; give each of the codes "
            f"{_span(identity)} one, for example {_span(identity)}: 1."
        )
    idle = sorted(set(range(sources)) - set(table.values()))
    if idle:
        raise ValueError(
            f"{sources} sources are connected, but no row names source {idle[0] + 1}; "
            "give it codes, or disconnect it."
        )
    return tuple(table.get(code, 0) for code in range(codes))


def boundary_table(codes: int, identity: range, boundary: int) -> tuple[int, ...]:
    """Make the table of two sources, a global one (the face's shape) and a local one (its detail).

    Args:
        codes: how many codes a face has.
        identity: which of them come from sources.
        boundary: the first code of the local source. At either end of `identity` one source has
            them all.

    Returns:
        For each code 0, the global source, or 1, the local one; 0 for those of the target.

    Raises:
        ValueError: `boundary` is not in `identity`, nor its end.
    """
    if not identity.start <= boundary <= identity.stop:
        raise ValueError(
            f"the boundary must be one of the identity codes {_span(identity)}, or "
            f"{identity.stop} for no local source, got {boundary}."
        )
    return tuple(int(code in identity and code >= boundary) for code in range(codes))


def _rows(text: str) -> Iterator[tuple[str, range, int]]:
    """Each row as it is written, its codes and its source."""
    for row in filter(None, map(str.strip, re.split(r"[\n,;]", text))):
        found = _ROW.fullmatch(row)
        if found is None:
            raise ValueError(
                f"cannot read the row {row!r}; wanted codes, a colon and a source, "
                "for example 8-13: 1 or 14: 2."
            )
        first, last, source = (int(number) for number in found.groups(found[1]))
        if last < first:
            raise ValueError(f"the row {row!r} counts down; write {last}-{first}: {source}.")
        yield row, range(first, last + 1), source


def _check_source(row: str, source: int, sources: int) -> None:
    if not 1 <= source <= sources:
        raise ValueError(
            f"the row {row!r} names source {source}, but sources 1 to {sources} are connected; "
            "connect it, or name another one."
        )


def _check_code(row: str, code: int, identity: range, codes: int) -> None:
    if code >= codes:
        raise ValueError(f"the row {row!r} names code {code}; a face has codes 0 to {codes - 1}.")
    if code not in identity:
        raise ValueError(
            f"the row {row!r} names code {code}, which always comes from the target; "
            f"the identity codes are {_span(identity)}."
        )


def _span(identity: range) -> str:
    return f"{identity.start}-{identity.stop - 1}"


def _codes(codes: list[int]) -> str:
    listed = ", ".join(map(str, codes))
    return f"code {listed}" if len(codes) == 1 else f"codes {listed}"
