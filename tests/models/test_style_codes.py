from __future__ import annotations

import pytest
import torch

from faceloom.models.style_codes import StyleCodes, mix, truncate, weigh

WIDTHS = (4, 4, 3, 2)


def codes_of(seed, faces=2):
    generator = torch.Generator().manual_seed(seed)
    codes = tuple(torch.randn(faces, width, generator=generator) for width in WIDTHS)
    return StyleCodes(codes, (None, torch.full((faces, 1, 2, 2), float(seed))))


def test_mixing_takes_each_code_from_its_part_and_the_maps_from_the_first():
    parts, table = [codes_of(seed) for seed in range(3)], (0, 2, 1, 2)
    mixed = mix(parts, table)
    for place, row in enumerate(table):
        assert torch.equal(mixed.codes[place], parts[row].codes[place])
    assert mixed.maps == parts[0].maps


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ((0, 1, 0), "each of 4 codes, got 3"),
        ((0, 1, 2, 0), "names source 2 of 2"),
        ((0, 1, -1, 0), "names source -1 of 2"),
    ],
)
def test_a_table_must_fit_codes_and_parts(table, message):
    with pytest.raises(ValueError, match=message):
        mix([codes_of(0), codes_of(1)], table)


def test_truncation_goes_from_the_codes_to_the_mean():
    codes, mean = codes_of(0), tuple(torch.randn(1, width) for width in WIDTHS)
    # Bit for bit: a widget left at 1 must not change a picture.
    assert all(map(torch.equal, truncate(codes, mean, 1).codes, codes.codes))
    for part, middle in zip(truncate(codes, mean, 0).codes, mean, strict=True):
        torch.testing.assert_close(part, middle.expand_as(part))
    pulled = truncate(codes, mean, 0.7)
    for part, code, middle in zip(pulled.codes, codes.codes, mean, strict=True):
        torch.testing.assert_close(part, 0.7 * code + 0.3 * middle)
    assert pulled.maps == codes.maps


def test_strengths_go_from_the_targets_codes_to_the_swapped_ones():
    own, swapped, strength = codes_of(0), codes_of(1), (1, 0, 0.25, 1)
    between = weigh(own, swapped, strength)
    assert torch.equal(between.codes[0], swapped.codes[0])
    for part, a, b, share in zip(between.codes, own.codes, swapped.codes, strength, strict=True):
        torch.testing.assert_close(part, torch.lerp(a, b, float(share)))
    assert between.maps == swapped.maps
    with pytest.raises(ValueError, match="each of 4 codes, got 2"):
        weigh(own, swapped, (1, 1))


def test_no_faces_stay_none():
    none, half = codes_of(0, faces=0), (0.5,) * 4
    mean = tuple(torch.zeros(1, width) for width in WIDTHS)
    edits = (
        mix([none, none], (0, 1, 1, 0)),
        truncate(none, mean, 0.5),
        weigh(none, none, half),
    )
    for edited in edits:
        assert [code.shape for code in edited.codes] == [(0, width) for width in WIDTHS]
