from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from faceloom.faces import Crops
from faceloom.host.memory import Hosted
from faceloom.nodes import OcclusionMask, ParseFace
from faceloom.ops.parsing import FACE, REGIONS


class FakeOccluder:
    """Sees the face left of the middle."""

    name, role, licence = "fake", "occluder", "MIT"

    def __init__(self):
        self.network = nn.Identity()

    def visible(self, crops):
        mask = torch.zeros(len(crops), 1, crops.size, crops.size)
        mask[..., : crops.size // 2] = 0.9
        return mask


@pytest.fixture
def occluder():
    return Hosted(FakeOccluder())


def parse(crops, parser, *regions):
    return ParseFace.execute(crops, parser, **{name: name in regions for name in REGIONS}).args


def occlusion(crops, grow=0.0, soften=0.0, **models):
    return OcclusionMask.execute(crops, grow=grow, soften=soften, **models).args


def test_ticked_regions_are_masked(crops, parser):
    masked, mask, preview = parse(crops, parser, "hair", "eyeglasses")
    assert torch.equal(masked.mask[:, 0], mask)
    assert masked.image is crops.image
    assert (mask[:, :32] == 1).all()
    assert (mask[:, :, :8] == 1).all()
    assert (mask[:, 32:, 8:] == 0).all()
    assert preview.shape == (4, 64, 64, 3)
    skin, hair = preview[:, 48, 32], preview[:, 16, 32]
    assert (skin[:, 0] > skin[:, 2] + 0.1).all()  # the palette's skin is red, its hair is blue
    assert (hair[:, 2] > hair[:, 1] + 0.1).all()


def test_nothing_ticked_masks_nothing(crops, parser):
    _, mask, _ = parse(crops, parser)
    assert mask.max() == 0


def test_face_is_ticked_by_default():
    boxes = {each.id: each.default for each in ParseFace.GET_SCHEMA().inputs[2:]}
    assert set(boxes) == set(REGIONS)
    assert {name for name, ticked in boxes.items() if ticked} == set(FACE)


def test_masks_stay_inside_those_the_crops_carry(crops, parser):
    carried = torch.zeros(4, 1, 64, 64)
    carried[..., 32:] = 0.5
    crops = replace(crops, mask=carried)
    for masked in (parse(crops, parser, "skin")[0], occlusion(crops, parser=parser)[0]):
        assert (masked.mask[:, :, 32:, 32:] == 0.5).all()
        assert (masked.mask[..., :32] == 0).all()
        assert (masked.mask[:, :, :32] == 0).all()


def test_occlusion_by_parser_or_occluder_or_both(crops, parser, occluder):
    _, parsed = occlusion(crops, parser=parser)
    assert (parsed[:, 32:, 8:] == 1).all()
    assert (parsed[:, :32] == 0).all()
    assert (parsed[..., :8] == 0).all()
    _, seen = occlusion(crops, occluder=occluder)
    assert torch.equal(seen, FakeOccluder().visible(crops)[:, 0])
    _, both = occlusion(crops, parser=parser, occluder=occluder)
    assert torch.equal(both, torch.minimum(parsed, seen))


def test_neither_is_said_plainly(crops):
    with pytest.raises(ValueError, match=r"^Occlusion Mask: .*Connect Load Face Parser"):
        occlusion(crops)


def test_occlusion_grows_and_softens(crops, parser):
    _, plain = occlusion(crops, parser=parser)
    _, grown = occlusion(crops, grow=4 / 64, parser=parser)
    assert (grown[:, 28:, 8:] == 1).all()
    assert (grown[:, :27] == 0).all()
    _, shrunk = occlusion(crops, grow=-4 / 64, parser=parser)
    assert (shrunk[:, 32:35] == 0).all()
    _, soft = occlusion(crops, soften=2 / 64, parser=parser)
    assert 0.3 < soft[0, 31, 32] < 0.5
    assert soft.sum() == pytest.approx(float(plain.sum()), rel=0.02)


def test_many_crops_go_in_pieces(crops, parser):
    many = Crops.cat([crops.as_frames()[[0] * 11]])
    masked, mask, preview = parse(many, parser, "skin")
    assert len(masked) == len(mask) == len(preview) == 11
    assert max(parser.use().calls) < 11


def test_no_crops(no_crops, parser, occluder):
    masked, mask, preview = parse(no_crops, parser, "skin")
    assert len(masked) == 0
    assert mask.shape == (1, 64, 64)
    assert preview.shape == (1, 64, 64, 3)
    masked, mask = occlusion(no_crops, soften=0.01, parser=parser, occluder=occluder)
    assert masked.mask.shape == (0, 1, 64, 64)
    assert mask.shape == (1, 64, 64)
