from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
import torch

from faceloom.faces import Identity
from faceloom.host.memory import Hosted
from faceloom.nodes import HeuristicError, RefineFace, SwapFace

from .conftest import CROP, align


@dataclass(frozen=True, eq=False)
class Painter:
    """A swapper that gives each face the colour of its identity, and counts its looks."""

    network: torch.nn.Module
    looks: list
    size: int = CROP
    length: int = 3
    space: str = "colours"
    templates: tuple = ("ffhq_512", "mtcnn_512")
    encoder: str = "colours.pth"
    name: ClassVar[str] = "painter"
    role: ClassVar[str] = "swapper"
    licence: ClassVar[str] = "none"

    def swap(self, crops, *identities):
        self.looks.append(len(crops))
        shape = (len(crops), 3, self.size, self.size)
        return tuple(each.embedding[:, :, None, None].expand(shape) for each in identities)


@dataclass(frozen=True, eq=False)
class Mender:
    """A refiner that shows what it is given."""

    network: torch.nn.Module
    size: int = CROP
    name: ClassVar[str] = "mender"
    role: ClassVar[str] = "refiner"
    licence: ClassVar[str] = "none"

    def refine(self, swapped, target, reconstructed):
        return torch.cat([swapped[:, :1], target[:, 1:2], reconstructed[:, 2:]], 1)


@pytest.fixture
def painter():
    return Painter(torch.nn.Identity(), [])


def people(*colours, encoder="colours"):
    return Identity(torch.tensor(colours), encoder)


RED, GREEN, BLUE = torch.eye(3).tolist()


def swap(swapper, crops, identity, trust=False):
    swapped, _ = SwapFace.execute(Hosted(swapper), crops, trust, identity).args
    return swapped


def colour(crops):
    return crops.image[:, :, 0, 0].tolist()


def test_one_source_goes_onto_every_face_in_its_own_place(painter, crops):
    masked = replace(crops, mask=torch.rand(4, 1, CROP, CROP))
    swapped = swap(painter, masked, people(RED))
    assert colour(swapped) == [RED] * 4
    assert torch.equal(swapped.faces.box, crops.faces.box)
    assert torch.equal(swapped.matrix, crops.matrix)
    assert torch.equal(swapped.mask, masked.mask)


def test_sources_pair_by_place_in_the_frame(painter, crops):
    assert colour(swap(painter, crops, people(RED, GREEN))) == [RED, GREEN, RED, GREEN]
    assert colour(swap(painter, crops, people(RED, GREEN, BLUE))) == [RED, GREEN, RED, GREEN]


def test_sources_pair_by_track_where_there_is_one(painter, crops):
    faces = replace(crops.faces, track=torch.tensor([2, 1, 0, -1]))
    swapped = swap(painter, replace(crops, faces=faces), people(RED, GREEN, BLUE))
    assert colour(swapped) == [BLUE, GREEN, RED, GREEN]


def test_long_clips_are_swapped_in_pieces(painter, crops):
    many = crops[[0, 1, 2, 3] * 5]
    assert len(swap(painter, many, people(RED))) == 20
    assert painter.looks == [8, 8, 4]


def test_no_face_is_no_error_and_no_source_is_one(painter, no_crops, crops):
    assert len(swap(painter, no_crops, people(RED))) == 0
    nobody = Identity(torch.zeros(0, 0), "colours")
    assert len(swap(painter, no_crops, nobody)) == 0
    with pytest.raises(ValueError, match="Swap Face: no face was found in the source picture"):
        swap(painter, crops, nobody)


def test_identities_of_another_encoder_are_refused_unless_trusted(painter, crops):
    stranger = people(RED, encoder="arcface-12345678")
    with pytest.raises(ValueError, match="'colours', got one of 'arcface-12345678'") as caught:
        swap(painter, crops, stranger)
    assert "colours.pth" in str(caught.value)
    assert "trust_encoder" in str(caught.value)
    assert colour(swap(painter, crops, stranger, trust=True)) == [RED] * 4
    # Weights that do not say which encoder they want take any of the right length.
    assert colour(swap(replace(painter, space=""), crops, stranger)) == [RED] * 4


@pytest.mark.parametrize("trust", [True, False])
def test_identities_of_another_length_are_refused(painter, crops, trust):
    with pytest.raises(ValueError, match="painter wants identities of 3 numbers, got 4"):
        swap(painter, crops, people([1.0, 0.0, 0.0, 0.0]), trust)


def test_crops_of_another_size_or_template_are_refused(painter, image, faces):
    for template, size, got in (("ffhq_512", 32, "32 px"), ("arcface_128", CROP, "arcface_128")):
        crops = align(image, faces, template, size)
        with pytest.raises(ValueError, match="painter wants crops of 64 px aligned to ffhq") as e:
            swap(painter, crops, people(RED))
        assert got in str(e.value)
        assert "Align Faces" in str(e.value)


def error(swapper, crops, identity, own, threshold=0.1, trust=False):
    return HeuristicError.execute(Hosted(swapper), crops, identity, own, threshold, trust).args


def test_both_swaps_come_from_one_look(painter, crops):
    own = people(GREEN, BLUE, GREEN, RED)
    swapped, rebuilt, mask = error(painter, crops, people(RED), own)
    assert painter.looks == [4]
    assert colour(swapped) == [RED] * 4
    assert colour(rebuilt) == own.embedding.tolist()
    assert mask.shape == (4, CROP, CROP)


def test_the_mask_is_dark_where_the_face_was_not_rebuilt(painter, crops):
    grey = torch.full_like(crops.image, 0.5)
    grey[:, :, :, CROP // 2 :] = 0.0  # something dark hides the right half
    crops = replace(crops, image=grey)
    _, _, mask = error(painter, crops, people(RED), people(*[[0.5] * 3] * 4))
    assert mask[:, :, : CROP // 2 - 6].min() == 1
    assert mask[:, :, CROP // 2 + 6 :].max() == 0


def test_own_identities_are_one_a_crop_and_of_the_same_encoder(painter, crops, no_crops):
    with pytest.raises(ValueError, match="own_identity holds 1 identities for 4 crops"):
        error(painter, crops, people(RED), people(RED))
    with pytest.raises(ValueError, match="'colours', got one of 'other'"):
        error(painter, crops, people(RED), people(*[RED] * 4, encoder="other"))
    nobody = Identity(torch.zeros(0, 0), "colours")
    swapped, rebuilt, mask = error(painter, no_crops, people(RED), nobody)
    assert len(swapped) == len(rebuilt) == 0
    assert mask.shape == (1, CROP, CROP)


def test_refine_gets_all_three_pictures_by_name(crops):
    shades = [replace(crops, image=torch.full_like(crops.image, s)) for s in (0.2, 0.4, 0.6)]
    swapped, target, rebuilt = shades
    (refined,) = RefineFace.execute(
        Hosted(Mender(torch.nn.Identity())), swapped, rebuilt, target
    ).args
    torch.testing.assert_close(refined.image[:, :, 0, 0], torch.tensor([[0.2, 0.4, 0.6]] * 4))
    assert torch.equal(refined.matrix, crops.matrix)


def test_refine_wants_crops_of_one_place_and_of_its_size(crops, no_crops, image, faces):
    mender = Hosted(Mender(torch.nn.Identity()))
    with pytest.raises(ValueError, match="Refine Face: crops holds 4 crops"):
        RefineFace.execute(mender, crops, crops[:2], crops)
    other = align(image, faces, "mtcnn_512")
    with pytest.raises(ValueError, match="were not cut from the same places"):
        RefineFace.execute(mender, crops, crops, other)
    small = align(image, faces, size=32)
    with pytest.raises(ValueError, match="mender wants crops of 64 px"):
        RefineFace.execute(mender, small, small, small)
    (refined,) = RefineFace.execute(mender, no_crops, no_crops, no_crops).args
    assert len(refined) == 0
