from __future__ import annotations

from dataclasses import replace

import torch

from faceloom.nodes import SegmentFace
from faceloom.nodes.segment import segment_of
from faceloom.ops.filters import soft_erosion

from .conftest import CROP


def parsing(*rows):
    """Probabilities [1, 19, 1, P] of P pixels, each given as {class: probability}."""
    table = torch.zeros(1, 19, 1, len(rows))
    for place, row in enumerate(rows):
        for kind, share in row.items():
            table[0, kind, 0, place] = share
    return table


def test_the_likeliest_of_the_three_wins():
    pixels = parsing(
        {1: 0.3, 2: 0.2, 13: 0.3, 0: 0.2},  # skin and nose together beat hair
        {13: 0.5, 1: 0.4, 0: 0.1},
        {0: 0.3, 18: 0.3, 1: 0.4},  # background and cloth together beat skin
    )
    assert segment_of(pixels, "face").flatten().tolist() == [1, 0, 0]
    assert segment_of(pixels, "hair").flatten().tolist() == [0, 1, 0]
    assert segment_of(pixels, "background").flatten().tolist() == [0, 0, 1]


def segment(parser, crops, kind="face", width=0.082, threshold=0.6, iterations=1):
    return SegmentFace.execute(crops, parser, kind, width, threshold, iterations).args


def test_the_soft_edge_is_fsgans(parser, crops):
    masked, soft, hard = segment(parser, crops)
    wanted = soft_erosion(segment_of(parser.use().parse(crops), "face"), 5, 0.6)
    torch.testing.assert_close(soft, wanted[0][:, 0])
    torch.testing.assert_close(hard, wanted[1][:, 0])
    torch.testing.assert_close(masked.mask[:, 0], soft)
    assert 0.05 < hard.mean() < 0.9
    assert set(hard.unique().tolist()) == {0.0, 1.0}


def test_without_width_the_edge_is_hard_and_the_three_make_the_whole(parser, crops):
    masks = [segment(parser, crops, kind, 0.0)[1] for kind in ("face", "hair", "background")]
    torch.testing.assert_close(torch.stack(masks).sum(0), torch.ones(len(crops), CROP, CROP))


def test_it_stays_inside_the_crops_mask(parser, crops):
    half = torch.ones(4, 1, CROP, CROP)
    half[..., : CROP // 2] = 0
    masked, _, hard = segment(parser, replace(crops, mask=half))
    assert masked.mask[..., : CROP // 2].max() == 0
    assert hard[..., : CROP // 2].max() == 0


def test_no_crop_gives_one_black_mask(parser, no_crops):
    masked, soft, hard = segment(parser, no_crops)
    assert len(masked) == 0
    assert soft.shape == hard.shape == (1, CROP, CROP)
    assert soft.max() == 0
