from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch

from faceloom.host.memory import Hosted
from faceloom.nodes import MixIdentityCodes

from .conftest import CROP, Dyer, FakeParser, align, dyed, halves

RED, GREEN, BLUE = torch.eye(3).tolist()
WHITE, GREY = [1.0] * 3, [0.5] * 3


@pytest.fixture
def targets(crops):
    return dyed(crops, *[[0.2] * 3] * 4)


@pytest.fixture
def red(crops):
    return dyed(crops[:1], RED)


@pytest.fixture
def green(crops):
    return dyed(crops[:1], GREEN)


def mix(swapper, crops, one, other, boundary=3, table="", grid=0, more=None, **rest):
    hosted = Hosted(swapper)
    return MixIdentityCodes.execute(
        hosted, crops, one, other, boundary, table, grid, more, **rest
    ).args


@pytest.mark.parametrize(
    ("boundary", "left", "right"), [(2, GREEN, GREEN), (3, RED, GREEN), (4, RED, RED)]
)
def test_boundary_is_the_first_code_of_the_local_source(
    dyer, targets, red, green, boundary, left, right
):
    swapped, features, _ = mix(dyer, targets, red, green, boundary)
    assert halves(swapped) == [[left] * 4, [right] * 4]
    assert torch.equal(swapped.matrix, targets.matrix)
    assert (len(features), features.generator) == (0, "dyer")


def test_table_takes_each_code_from_any_source(dyer, targets, red, green, crops):
    more = dyed(crops[:2], BLUE, WHITE)
    swapped, _, _ = mix(dyer, targets, red, green, table="2: 2\n3: 1")
    assert halves(swapped) == [[GREEN] * 4, [RED] * 4]
    dyer = Dyer(identity=range(4))
    swapped, _, _ = mix(dyer, targets, red, green, table="0: 1, 1: 2, 2: 4, 3: 3", more=more)
    assert halves(swapped) == [[WHITE] * 4, [BLUE] * 4]


def test_each_source_pairs_with_the_faces_as_in_swap_face(dyer, targets, green, crops):
    two = dyed(crops[:2], RED, BLUE)
    swapped, _, _ = mix(dyer, targets, two, green)
    assert halves(swapped) == [[RED, BLUE] * 2, [GREEN] * 4]


def test_truncation_and_features_are_swap_faces(dyer, targets, red, green):
    swapped, features, _ = mix(dyer, targets, red, green, truncation=0.0, keep_features=True)
    assert halves(swapped) == [[GREY] * 4] * 2
    assert len(features) == 4


def cells(preview):
    """The colours of each cell's left and right half."""
    assert preview.shape[0] == 1
    rows, columns = (side // 256 for side in preview.shape[1:3])
    return [
        [[preview[0, 256 * y + 128, 256 * x + at].tolist() for at in (32, 224)] for x in columns]
        for y, columns in enumerate([range(columns)] * rows)
    ]


def test_grid_mixes_each_with_each_on_the_first_face(dyer, targets, crops):
    ones, others = dyed(crops[:2], RED, WHITE), dyed(crops[:3], GREEN, BLUE, GREY)
    _, _, preview = mix(dyer, targets, ones, others, grid=2)
    own = torch.tensor([0.2] * 3).tolist()
    assert cells(preview) == [
        [[own] * 2, [GREEN] * 2, [BLUE] * 2],
        [[RED] * 2, [RED, GREEN], [RED, BLUE]],
        [[WHITE] * 2, [WHITE, GREEN], [WHITE, BLUE]],
    ]
    assert len(dyer.seen) == 4 + 4


def test_grid_of_one_pair_shows_what_was_swapped_and_generates_nothing_more(
    dyer, targets, red, green
):
    swapped, _, preview = mix(dyer, targets, red, green, grid=3)
    assert cells(preview)[1] == [[RED] * 2, [RED, GREEN]]
    assert len(dyer.seen) == len(swapped)


def test_grid_shows_further_sources_too(targets, red, green, crops):
    dyer, more = Dyer(identity=range(4)), dyed(crops[:1], BLUE)
    _, _, preview = mix(dyer, targets, red, green, table="0: 1; 1-2: 2; 3: 3", grid=3, more=more)
    assert cells(preview)[1] == [[RED] * 2, [GREEN, BLUE]]


def test_grid_parses_each_source_once(targets, red, green, crops):
    parser, others = FakeParser(), dyed(crops[:3], GREEN, BLUE, GREY)
    parsed = parser.parse
    parser.parse = lambda crops: 0.9 * parsed(crops) + 0.1 / 19
    mix(Dyer(regions=("hair",)), targets[:1], red, others, grid=3, parser=Hosted(parser))
    # The mixture: red, the one of the others that its face gets, the target. The row: all.
    assert parser.calls == [1, 1, 1, 1, 3, 3]


def test_without_a_grid_or_a_face_the_preview_is_black(dyer, targets, no_crops, red, green):
    black = torch.zeros(1, 256, 256, 3)
    assert torch.equal(mix(dyer, targets, red, green, grid=0)[2], black)
    swapped, features, preview = mix(dyer, no_crops, red, green, grid=3, keep_features=True)
    assert len(swapped) == len(features) == 0
    assert torch.equal(preview, black)
    assert len(mix(dyer, no_crops, no_crops, no_crops, grid=3)[0]) == 0


def test_a_source_without_faces_is_an_error(dyer, targets, no_crops, red):
    for pair in ((no_crops, red), (red, no_crops)):
        with pytest.raises(
            ValueError, match=r"Mix Identity Codes \(MFIM\): no face was found in the source"
        ):
            mix(dyer, targets, *pair)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("2: 1", "names no source for code 3"),
        ("2-3: 1", "no row names source 2"),
        ("2: 1, 3: 2, 4: 1", "a face has codes 0 to 3"),
        ("1: 1, 2: 1, 3: 2", "code 1, which always comes from the target"),
        ("2: 1, 3: 3", "names source 3, but sources 1 to 2 are connected"),
        ("all of red", "cannot read the row 'all of red'"),
    ],
)
def test_tables_that_do_not_fit_are_explained(dyer, targets, red, green, table, message):
    with pytest.raises(ValueError, match=rf"Mix Identity Codes \(MFIM\): .*{message}"):
        mix(dyer, targets, red, green, table=table)


def test_more_sources_want_a_table_that_names_them(dyer, targets, red, green, crops):
    more = dyed(crops[:1], BLUE)
    with pytest.raises(ValueError, match="3 sources are connected, and boundary knows two"):
        mix(dyer, targets, red, green, more=more)
    with pytest.raises(ValueError, match="3 sources are connected, but no row names source 3"):
        mix(dyer, targets, red, green, table="2: 1, 3: 2", more=more)


@pytest.mark.parametrize("boundary", [1, 5])
def test_boundary_must_be_an_identity_code(dyer, targets, red, green, boundary):
    with pytest.raises(
        ValueError, match=r"Mix Identity Codes \(MFIM\): .* one of the identity codes 2-3"
    ):
        mix(dyer, targets, red, green, boundary)


def test_crops_must_suit_the_generator(dyer, image, faces, targets, red, green):
    with pytest.raises(ValueError, match=r"Mix Identity Codes \(MFIM\): dyer wants crops of 64 px"):
        mix(dyer, align(image, faces, size=32), red, green)
    other = align(image, faces, "arcface_128", CROP)
    with pytest.raises(
        ValueError, match=r"Mix Identity Codes \(MFIM\): dyer wants the source aligned to"
    ):
        mix(dyer, targets, red, other)


@dataclass(frozen=True, eq=False)
class ByIdentity:
    network: torch.nn.Module
    name: ClassVar[str] = "ghost"
    role: ClassVar[str] = "swapper"


def test_generators_that_read_identities_are_refused(targets, red, green):
    with pytest.raises(ValueError, match="ghost reads identities, which have no codes") as caught:
        mix(ByIdentity(torch.nn.Identity()), targets, red, green)
    assert "Mix Identities" in str(caught.value)
