from __future__ import annotations

import pytest

from faceloom.models.mixing import boundary_table, parse_table

IDENTITY = range(8, 26)


def parse(text, sources=2):
    return parse_table(text, 26, IDENTITY, sources)


@pytest.mark.parametrize(
    "text",
    [
        "8-13: 1\n14-25: 2",
        "14-25:2;8-13:1",
        "  8 - 13 : 1 ,\n\n 14-25: 2,",
        "8-12: 1; 13: 1; 14-24: 2; 25-25: 2",
    ],
)
def test_rows_may_be_written_in_many_ways(text):
    assert parse(text) == (0,) * 14 + (1,) * 12


def test_codes_may_come_from_any_number_of_sources():
    text = ";".join(f"{code}: {code - 7}" for code in IDENTITY)
    assert parse(text, 18) == (0,) * 8 + tuple(range(18))
    assert parse("8-25: 1", 1) == (0,) * 26


@pytest.mark.parametrize(
    ("text", "sources", "message"),
    [
        ("", 1, r"no source for codes 8, 9, .*, 25; give each of the codes 8-25 one"),
        ("8-24: 1", 1, r"no source for code 25;"),
        ("8-13 1", 1, r"cannot read the row '8-13 1'; wanted codes, a colon and a source"),
        ("8-13: one", 1, "cannot read the row"),
        ("__import__('os'): 1", 1, "cannot read the row"),
        ("8-25: -1", 1, "cannot read the row"),
        ("\N{ARABIC-INDIC DIGIT EIGHT}: 1", 1, "cannot read the row"),
        ("13-8: 1", 1, r"'13-8: 1' counts down; write 8-13: 1"),
        ("8-26: 1", 1, r"names code 26; a face has codes 0 to 25"),
        ("8-99999999999: 1", 1, "names code 26"),
        ("7-25: 1", 1, r"code 7, which always comes from the target; the identity codes are 8-25"),
        ("8-14: 1; 14-25: 2", 2, r"'14-25: 2' names code 14, and so does an earlier row"),
        ("8-25: 0", 1, r"names source 0, but sources 1 to 1 are connected"),
        ("8-13: 1; 14-25: 3", 2, r"names source 3, but sources 1 to 2 are connected; connect it"),
        ("8-25: 2", 2, r"2 sources are connected, but no row names source 1"),
        ("8-13: 1; 14-25: 2", 3, r"3 sources are connected, but no row names source 3"),
    ],
)
def test_wrong_tables_are_told_what_is_wrong(text, sources, message):
    with pytest.raises(ValueError, match=message):
        parse(text, sources)


def test_the_boundary_parts_global_from_local_codes():
    assert boundary_table(26, IDENTITY, 14) == parse("8-13: 1; 14-25: 2")
    assert boundary_table(26, IDENTITY, 8) == (0,) * 8 + (1,) * 18
    assert boundary_table(26, IDENTITY, 26) == (0,) * 26
    assert boundary_table(5, range(2, 4), 3) == (0, 0, 0, 1, 0)


@pytest.mark.parametrize("boundary", [7, 27])
def test_a_boundary_beyond_the_identity_codes_is_refused(boundary):
    with pytest.raises(ValueError, match=f"identity codes 8-25, or 26 .* got {boundary}"):
        boundary_table(26, IDENTITY, boundary)
