from __future__ import annotations

import pytest
import torch

from faceloom.ops.parsing import (
    CLASSES,
    FACE,
    ORDERS,
    PALETTE,
    REGIONS,
    hard_regions,
    paint_classes,
    region_mask,
    reorder,
    visible_face,
)

# The label lists of the two repositories, as they publish them, with CelebAMask-HQ's short names.
CELEBAMASK = "bg skin nose eye_g l_eye r_eye l_brow r_brow l_ear r_ear mouth u_lip l_lip hair hat"
CELEBAMASK = [*CELEBAMASK.split(), "ear_r", "neck_l", "neck", "cloth"]
BISENET = "bg skin l_brow r_brow l_eye r_eye eye_g l_ear r_ear ear_r nose mouth u_lip l_lip"
BISENET = [*BISENET.split(), "neck", "neck_l", "cloth", "hair", "hat"]


@pytest.fixture
def parsing():
    logits = 4 * torch.randn(2, 19, 8, 8, generator=torch.Generator().manual_seed(0))
    return logits.softmax(1)


def test_lists_fit_together():
    assert len(CLASSES) == len(set(CLASSES)) == len(PALETTE) == len(set(PALETTE)) == 19
    members = [name for names in REGIONS.values() for name in names]
    assert sorted(members) == sorted(CLASSES)
    assert set(FACE) < set(REGIONS)
    # CelebAMask-HQ's left is the person's, ours the image's.
    sides = {"l_eye": "right eye", "r_eye": "left eye", "l_brow": "right brow", "r_ear": "left ear"}
    for theirs, ours in sides.items():
        assert CLASSES[CELEBAMASK.index(theirs)] == ours


@pytest.mark.parametrize("region", REGIONS)
def test_a_region_is_the_sum_of_its_classes(parsing, region):
    wanted = sum(parsing[:, CLASSES.index(name)] for name in REGIONS[region])
    torch.testing.assert_close(region_mask(parsing, [region])[:, 0], wanted)


def test_regions_add_up_once(parsing):
    everything = region_mask(parsing, REGIONS)
    torch.testing.assert_close(everything, torch.ones(2, 1, 8, 8))
    assert torch.equal(region_mask(parsing, []), torch.zeros(2, 1, 8, 8))
    assert torch.equal(region_mask(parsing, ["nose", "nose"]), region_mask(parsing, ["nose"]))


def test_hard_regions_are_where_one_of_their_classes_is_the_likeliest(parsing):
    wanted = ("lips", "nose", "brows", "hair")
    found = hard_regions(parsing, wanted)
    assert (found.shape, found.dtype) == ((2, 4, 8, 8), torch.float32)
    for n, y, x in torch.cartesian_prod(torch.arange(2), torch.arange(8), torch.arange(8)):
        best = CLASSES[int(parsing[n, :, y, x].argmax())]
        assert found[n, :, y, x].tolist() == [best in REGIONS[region] for region in wanted]
    everything = hard_regions(parsing, REGIONS)
    assert torch.equal(everything.sum(1), torch.ones(2, 8, 8))
    assert torch.equal(
        hard_regions(parsing.half(), wanted), hard_regions(parsing.half().float(), wanted)
    )
    assert hard_regions(parsing[:0], wanted).shape == (0, 4, 8, 8)


def test_hard_regions_want_known_names_and_a_parsing(parsing):
    with pytest.raises(ValueError, match="got 'ear'"):
        hard_regions(parsing, ["ear"])
    with pytest.raises(ValueError, match=r"got \[2, 3, 8, 8\]"):
        hard_regions(parsing[:, :3], ["ears"])


def test_bisenets_order_is_translated_by_name():
    theirs = torch.eye(19)[:, :, None, None]  # item k shows class k of the network
    ours = reorder(theirs, "bisenet")[:, :, 0, 0].argmax(1).tolist()
    assert [CELEBAMASK[place] for place in ours] == BISENET
    assert sorted(ORDERS["bisenet"]) == list(range(19))


def test_colours_lie_over_all_but_the_background():
    parsing = torch.zeros(1, 19, 2, 2)
    parsing[0, 0, 0] = 1
    parsing[0, CLASSES.index("hair"), 1] = 1
    image = torch.full((1, 3, 2, 2), 0.2)
    painted = paint_classes(image, parsing, strength=0.75)
    assert torch.equal(painted[:, :, 0], image[:, :, 0])
    hair = 0.25 * 0.2 + 0.75 * torch.tensor(PALETTE[CLASSES.index("hair")])
    torch.testing.assert_close(painted[0, :, 1, 0], hair)


def test_no_faces():
    none = torch.zeros(0, 19, 4, 4)
    assert region_mask(none, FACE).shape == (0, 1, 4, 4)
    assert reorder(none, "bisenet").shape == (0, 19, 4, 4)
    assert paint_classes(torch.zeros(0, 3, 4, 4), none).shape == (0, 3, 4, 4)


def test_errors_say_what_came_and_what_was_wanted(parsing):
    with pytest.raises(ValueError, match=r"skin, brows.*got 'beard'"):
        region_mask(parsing, ["beard"])
    with pytest.raises(ValueError, match=r"bisenet; got 'mine'"):
        reorder(parsing, "mine")
    with pytest.raises(ValueError, match=r"\[N, 19, S, S\], got \[2, 18, 8, 8\]"):
        region_mask(parsing[:, 1:], FACE)
    with pytest.raises(ValueError, match=r"got \[2, 3, 4, 4\]"):
        paint_classes(torch.zeros(2, 3, 4, 4), parsing)


def test_a_probable_face_is_wholly_in_view():
    probabilities = torch.zeros(1, 19, 1, 5)
    probabilities[0, 1, 0] = torch.tensor([0.0, 0.2, 0.4, 0.5, 0.6])
    probabilities[0, 2, 0] = torch.tensor([0.0, 0.1, 0.0, 0.0, 0.3])  # skin and nose add up
    probabilities[0, 17] = 1 - probabilities[0].sum(0)
    wanted = torch.tensor([0.0, 0.0, 0.25, 0.5, 1.0])
    torch.testing.assert_close(visible_face(probabilities)[0, 0, 0], wanted)
