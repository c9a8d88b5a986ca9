"""Swap Face with a generator that reads pictures."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from faceloom.faces import Identity
from faceloom.host.memory import Hosted
from faceloom.nodes import HeuristicError, SwapFace, styles
from faceloom.ops.parsing import CLASSES

from .conftest import CROP, Dyer, FakeParser, align, dyed, halves

RED, GREEN, BLUE = torch.eye(3).tolist()
GREY = [0.5] * 3
REGIONS = ("lips", "nose", "brows", "eyes")
WANTED = "wants to know where lips, nose, brows, eyes are"


class Painted(FakeParser):
    """Is sure of nothing, and takes the classes from bands of brightness."""

    bands = ("skin", "nose", "upper lip", "left eye", "right brow")

    def parse(self, crops):
        self.calls.append(crops)
        band = (crops.image[:, 0] * len(self.bands)).long().clamp(max=len(self.bands) - 1)
        places = torch.tensor([CLASSES.index(name) for name in self.bands])
        likeliest = F.one_hot(places[band], len(CLASSES)).permute(0, 3, 1, 2)
        return 0.9 * likeliest + 0.1 / len(CLASSES)


class Simple(Painted):
    """Knows three classes, like FSGAN's segmentation."""

    def parse(self, crops):
        parsed = super().parse(crops)
        known = [CLASSES.index(name) for name in ("background", "skin", "hair")]
        return torch.zeros_like(parsed).index_copy(1, torch.tensor(known), parsed[:, known])


@pytest.fixture
def targets(crops):
    return dyed(crops, *[[0.2] * 3] * 4)


@pytest.fixture
def people(crops):
    """Three sources: red, green and blue."""
    return dyed(crops[:3], RED, GREEN, BLUE)


def swap(swapper, crops, source=None, parser=None, **edit):
    hosted = None if parser is None else Hosted(parser)
    return SwapFace.execute(Hosted(swapper), crops, False, None, source, hosted, **edit).args


def colour(crops):
    left, right = halves(crops)
    assert left == right
    return left


def test_one_source_goes_onto_every_face_in_its_own_place(dyer, targets, people):
    masked = replace(targets, mask=torch.rand(4, 1, CROP, CROP))
    swapped, features = swap(dyer, masked, people[:1])
    assert colour(swapped) == [RED] * 4
    assert torch.equal(swapped.matrix, targets.matrix)
    assert torch.equal(swapped.mask, masked.mask)
    assert (len(features), features.maps, features.generator) == (0, (), "dyer")
    assert [len(target.image) for target, _ in dyer.seen] == [1] * 4


def test_sources_pair_by_place_in_the_frame_and_by_track(dyer, targets, people):
    swapped, _ = swap(dyer, targets, people)
    assert colour(swapped) == [RED, GREEN, RED, GREEN]
    faces = replace(targets.faces, track=torch.tensor([2, 1, 0, -1]))
    swapped, _ = swap(dyer, replace(targets, faces=faces), people)
    assert colour(swapped) == [BLUE, GREEN, RED, GREEN]


def test_an_identity_gives_the_pictures_that_it_was_read_from(dyer, targets, people):
    identity = Identity(torch.rand(3, 8), "anything", people)
    swapped, _ = SwapFace.execute(Hosted(dyer), targets, False, identity).args
    assert colour(swapped) == [RED, GREEN, RED, GREEN]
    # A picture that is connected itself comes first.
    swapped, _ = SwapFace.execute(Hosted(dyer), targets, False, identity, people[2:]).args
    assert colour(swapped) == [BLUE] * 4
    bare = replace(identity, reference=None)
    with pytest.raises(ValueError, match="the identity holds only numbers") as caught:
        SwapFace.execute(Hosted(dyer), targets, False, bare)
    assert "template ffhq_512" in str(caught.value)


def test_no_source_is_an_error_that_says_what_to_connect(dyer, targets):
    with pytest.raises(ValueError, match="dyer reads the source from its picture") as caught:
        swap(dyer, targets)
    assert "to source." in str(caught.value)
    assert "numbers" not in str(caught.value)


def test_strength_goes_from_the_targets_own_codes_to_the_swapped_ones(dyer, targets, people):
    for text, left, right in (
        ("1", 1.0, 1.0),
        ("0", 0.2, 0.2),
        ("0.5", 0.6, 0.6),
        ("0, 0, 1, 0.25", 1.0, 0.4),
    ):
        swapped, _ = swap(dyer, targets, people[:1], strength=text)
        found = torch.tensor(halves(swapped))[:, :, 0]
        torch.testing.assert_close(found, torch.tensor([[left] * 4, [right] * 4]))
    # At full strength nobody asks for the target's own codes.
    assert [len(call) for call in dyer.seen] == [2] * 4 + [3] * 12


@pytest.mark.parametrize("text", ["much", "", "1,,1", "1.5", "-1", "nan", "1;1"])
def test_strength_that_is_no_number_is_named(dyer, targets, people, text):
    with pytest.raises(ValueError, match="Swap Face: strength wants one number from 0") as caught:
        swap(dyer, targets, people, strength=text)
    assert repr(text) in str(caught.value)


def test_strengths_are_one_a_code(dyer, targets, people):
    with pytest.raises(ValueError, match=r"Swap Face: Wanted .* each of 4 codes, got 2"):
        swap(dyer, targets, people, strength="1, 0")


def test_truncation_goes_to_the_mean_face_after_strength(dyer, targets, people):
    assert colour(swap(dyer, targets, people[:1], truncation=0.0)[0]) == [GREY] * 4
    swapped, _ = swap(dyer, targets, people[:1], truncation=0.5, strength="0.5")
    wanted = torch.tensor([0.5 + 0.5 * (0.6 - 0.5), 0.5 + 0.5 * (0.1 - 0.5)])
    torch.testing.assert_close(torch.tensor(colour(swapped))[:, :2], wanted.expand(4, 2))


def test_features_are_those_of_each_face(dyer, targets, people):
    swapped, features = swap(dyer, targets, people, keep_features=True)
    assert len(features) == 4
    assert features.generator == "dyer"
    for maps in features.maps:
        assert maps[:, :, 0, 0].tolist() == colour(swapped)


def test_regions_are_found_in_small_and_reach_the_generator(crops, people, monkeypatch):
    monkeypatch.setattr(styles, "_LOOK", 32)
    dyer, parser = Dyer(regions=REGIONS), Painted()
    torch.manual_seed(0)
    rough = F.interpolate(torch.rand(4, 3, 8, 8), CROP, mode="nearest")
    crops = replace(crops, image=rough, mask=torch.zeros(4, 1, CROP, CROP))
    swap(dyer, crops, people, parser)
    # People: the third is not used. Each is parsed once, and so is each target.
    assert [len(call) for call in parser.calls] == [2, 4]
    looked = parser.calls[1]
    assert (looked.size, looked.mask) == (32, None)
    torch.testing.assert_close(looked.matrix, crops.matrix / 2)
    band = (looked.image[:, 0] * 5).long()
    for row, (target, source) in enumerate(dyer.seen):
        assert torch.equal(target.image[0], crops.image[row])
        # Bands 2, 1, 4 and 3 are lips, nose, brows and eyes.
        wanted = torch.stack([band[row] == each for each in (2, 1, 4, 3)])
        assert torch.equal(target.regions[0], wanted.float())
        # Red is the brightest band, green and blue are the darkest one: a face without regions.
        masks = source.regions.mean((2, 3)).tolist()
        assert masks == [[0, 0, 1, 0] if row % 2 == 0 else [0] * 4]


def test_small_crops_are_parsed_as_they_are(targets, people):
    parser = Painted()
    swap(Dyer(regions=REGIONS), targets, people, parser)
    assert [call.size for call in parser.calls] == [CROP] * 2


def test_regions_want_a_parser_that_knows_them(targets, people):
    dyer = Dyer(regions=REGIONS)
    with pytest.raises(ValueError, match=f"Swap Face: dyer {WANTED}. Connect Load Face Parser"):
        swap(dyer, targets, people)
    with pytest.raises(ValueError, match=f"{WANTED}, and fake does not know {REGIONS[0]}, nose"):
        swap(dyer, targets, people, Simple())


def test_a_parser_may_lack_classes_that_are_not_asked_for(targets, people):
    (swapped, _) = swap(Dyer(regions=("hair",)), targets, people, Simple())
    assert colour(swapped) == [RED, GREEN, RED, GREEN]


def test_no_face_is_no_error_and_a_source_without_faces_is_one(dyer, targets, no_crops, people):
    for source in (people, no_crops):
        swapped, features = swap(dyer, no_crops, source, keep_features=True, strength="0.5")
        assert len(swapped) == len(features) == 0
    assert dyer.seen == []
    with pytest.raises(ValueError, match="Swap Face: no face was found in the source picture"):
        swap(dyer, targets, no_crops)


def test_targets_of_another_size_or_template_are_refused(dyer, image, faces, people):
    for template, size, got in (("ffhq_512", 32, "32 px"), ("arcface_128", CROP, "arcface_128")):
        crops = align(image, faces, template, size)
        with pytest.raises(ValueError, match="dyer wants crops of 64 px aligned to ffhq") as caught:
            swap(dyer, crops, people)
        assert got in str(caught.value)
        assert "Align Faces" in str(caught.value)


def test_sources_have_any_size_but_their_template(dyer, image, faces, targets):
    small = dyed(align(image, faces, size=32)[:1], BLUE)
    assert colour(swap(dyer, targets, small)[0]) == [BLUE] * 4
    other = align(image, faces, "arcface_128")
    with pytest.raises(ValueError, match="dyer wants the source aligned to ffhq_512, got arcface"):
        swap(dyer, targets, other)


def test_heuristic_error_wants_a_generator_that_reads_identities(dyer, targets):
    who = Identity(torch.rand(4, 3), "colours")
    with pytest.raises(ValueError, match="Heuristic Error: dyer reads its source from a picture"):
        HeuristicError.execute(Hosted(dyer), targets, who, who, 0.1, False)
