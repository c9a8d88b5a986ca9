from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from faceloom import models
from faceloom.models.ir_se50.network import IRSE50Network
from faceloom.models.psp import MapToCode, MapToMap, PspTrunk, sizes_of

# Of pSp's blocks by the side of the map; RAFSwap has 3, 4 and 11 of them, 235,988,992 in all.
PARAMETERS = {16: 9_701_888, 32: 12_061_696, 64: 14_421_504}
SMALL = [16, 16, 32, 48, 48, 64]


def small(**options):
    torch.manual_seed(0)
    return PspTrunk(8, SMALL, **options).eval().requires_grad_(False)


def count(module):
    return sum(weight.numel() for weight in module.parameters())


def test_published_trunk_has_the_published_counts_and_taps():
    # shared/specs/systems.md, section 4b: the body without IR-SE50's output layer, and laterals.
    with torch.device("meta"):
        trunk = PspTrunk()
    assert count(trunk.input_layer) + count(trunk.body) == 30_950_080
    assert count(trunk.latlayer1) + count(trunk.latlayer2) == 197_632
    assert trunk.ends == (6, 20, 23)
    maps = trunk(torch.empty(2, 3, 256, 256, device="meta"))
    assert [tuple(each.shape) for each in maps] == [(2, 512, side, side) for side in (64, 32, 16)]


def test_taps_are_what_ir_se50_holds_where_its_stages_end():
    trunk, images = small(), torch.rand(1, 3, 64, 64)
    whole = IRSE50Network(8, SMALL, 9).eval()
    whole.load_state_dict(trunk.state_dict(), strict=False)
    stem = whole.input_layer(images)
    wanted = [whole.body[:end](stem) for end in (3, 5, 6)]
    torch.testing.assert_close(list(trunk.taps(images)), wanted)
    assert [each.shape[1] for each in wanted] == [32, 48, 64]


def enlarged(x, size):
    """Bilinear with aligned corners, pixel by pixel: the first and the last pixel stay."""
    grid = x.new_zeros(*x.shape[:2], size, size)
    for row in range(size):
        for column in range(size):
            y, z = (place * (x.shape[-1] - 1) / (size - 1) for place in (row, column))
            for i in (math.floor(y), math.ceil(y)):
                for j in (math.floor(z), math.ceil(z)):
                    # On a pixel floor and ceil are the same, which then counts twice.
                    share = (1 - abs(y - i)) / (1 + (i == y)) * (1 - abs(z - j)) / (1 + (j == z))
                    grid[:, :, row, column] += share * x[:, :, i, j]
    return grid


def test_coarser_maps_are_added_with_their_corners_aligned():
    trunk = small()
    fine, middle, coarse = taps = trunk.taps(torch.rand(2, 3, 64, 64))
    second = enlarged(coarse, 8) + trunk.latlayer1(middle)
    first = enlarged(second, 16) + trunk.latlayer2(fine)
    torch.testing.assert_close(list(trunk.pyramid(*taps)), [first, second, coarse])


def test_without_the_way_down_each_map_is_its_own_lateral():
    trunk = small(top_down=False)
    fine, middle, coarse = taps = trunk.taps(torch.rand(2, 3, 64, 64))
    wanted = [trunk.latlayer2(fine), trunk.latlayer1(middle), coarse]
    torch.testing.assert_close(list(trunk.pyramid(*taps)), wanted, rtol=0, atol=0)


def test_sizes_are_read_from_shapes():
    state = {f"encoder.{key}": value for key, value in small().state_dict().items()}
    assert sizes_of(state, "encoder.") == (8, SMALL)
    two = {key: value for key, value in state.items() if ".body.5" not in key}
    two = {key: value for key, value in two.items() if not key.startswith("encoder.body.2")}
    with pytest.raises(models.CheckpointError, match=r"three widths .* below encoder\.body\."):
        sizes_of(two, "encoder.")


@pytest.mark.parametrize(("side", "parameters"), PARAMETERS.items())
def test_a_map_is_halved_to_a_code_under_the_published_keys(side, parameters):
    with torch.device("meta"):
        block = MapToCode(side)
    assert count(block) == parameters
    modules = [*(f"convs.{place}" for place in range(0, 2 * int(math.log2(side)), 2)), "linear"]
    names = {f"{module}.{kind}" for module in modules for kind in ("weight", "bias")}
    assert block.state_dict().keys() == names


def test_map_to_code_is_psp_s_gradual_style_block():
    torch.manual_seed(0)
    block, x = MapToCode(4, width=5, style=7, inputs=3), torch.randn(2, 3, 4, 4)
    nn.init.normal_(block.linear.bias)
    y = x
    for conv in (block.convs[0], block.convs[2]):
        y = F.conv2d(y, conv.weight, conv.bias, stride=2, padding=1)
        y = torch.where(y < 0, 0.01 * y, y)
    code = y[:, :, 0, 0] @ (block.linear.weight / 5**0.5).T + block.linear.bias
    torch.testing.assert_close(block(x), code)


def test_map_to_map_begins_as_zero_and_keeps_the_size():
    torch.manual_seed(0)
    block, x = MapToMap(3, 5), torch.randn(2, 3, 6, 6)
    assert torch.equal(block(x), torch.zeros(2, 5, 6, 6))
    nn.init.normal_(block[2].weight)
    assert block.state_dict().keys() == {"0.weight", "0.bias", "2.weight", "2.bias"}
    y = F.conv2d(x, block[0].weight, block[0].bias, padding=1)
    y = F.conv2d(torch.where(y < 0, 0.2 * y, y), block[2].weight, padding=1)
    torch.testing.assert_close(block(x), y)
