from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F

from faceloom.models.aad import AADBlock, AADOptions, BlockSizes, blend
from faceloom.models.faceshifter.network import LAYOUT as FACESHIFTER
from faceloom.models.faceshifter_maum.network import LAYOUT as MAUM
from faceloom.models.faceshifter_maum.network import OPTIONS as MAUM_OPTIONS
from faceloom.models.ghost.network import LAYOUT as GHOST

GHOST_OPTIONS = AADOptions()
# ai-forever/ghost's network/AADLayer.py and maum-ai/faceshifter's model/AEINet.py gave these:
#   block = AAD_ResBlk(4, 3, 5, 6, steps)  # or ADDResBlock(4, 5, 3), with 256 for identity's 6
#   block.eval().load_state_dict(fill.state_dict_for(block.state_dict()))
#   block(fill.input_for("h", (1, 4, 2, 2), "normal"),
#         fill.input_for("attribute", (1, 5, 2, 2), "normal"),
#         fill.input_for("identity", (1, 6), "normal")).flatten()
REFERENCE = {
    ("ghost", 1): [
        -0.64127, 0.40973, 1.03275, 0.99254, -1.1589, -0.1531,
        -1.43639, -1.5617, 0.61124, 0.55275, -1.01952, 0.31537,
    ],
    ("ghost", 2): [
        -1.37454, -0.02364, 1.74763, 1.89228, -1.04407, 1.35652,
        -1.76596, -0.50104, 2.53493, 2.24375, -1.31241, -0.6083,
    ],
    ("ghost", 3): [
        -0.65413, 0.18835, 1.15848, 1.21398, -1.87576, 0.11753,
        -0.82497, -0.92369, -0.6783, 0.1855, -0.46714, 0.27739,
    ],
    ("maum", 2): [
        -0.4648, -0.09736, -0.44093, -0.23967, -0.32361, -0.30783,
        -0.36313, -0.4818, 0.27433, 0.5198, 0.96081, 0.40213,
    ],
}  # fmt: skip
MIXED = AADOptions(kernel=3, mask_kernel=1, mask_per_channel=True, batch_norm=False, bias=True)


def block_of(layout, options, sizes=BlockSizes(6, 5, 3, 2), identity=7):  # noqa: B008
    torch.manual_seed(0)
    block = AADBlock(sizes, identity, options, layout.names).eval()
    for module in block.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return block


def inputs_of(faces=2, identities=1, size=6):
    generator = torch.Generator().manual_seed(1)
    shapes = (faces * identities, 6, size, size), (faces, 5, size, size), (faces * identities, 7)
    return [torch.randn(shape, generator=generator) for shape in shapes]


def plain(block, h, attribute, identity):
    """The paper's equations 2 to 4 as they stand, layer by layer."""

    def layer(parts, h):
        h = parts.norm(F.instance_norm(h) if isinstance(parts.norm, torch.nn.Identity) else h)
        blended = parts.attribute_gamma(attribute) * h + parts.attribute_beta(attribute)
        gamma, beta = parts.identity_gamma(identity), parts.identity_beta(identity)
        replaced = gamma[..., None, None] * h + beta[..., None, None]
        mask = parts.mask(h).sigmoid()
        return ((1 - mask) * blended + mask * replaced).relu()

    x = h
    for aad, convolution in block.steps:
        x = convolution(layer(aad.parts, x))
    if block.shortcut is None:
        return x + h
    aad, convolution = block.shortcut
    return x + convolution(layer(aad.parts, h))


@pytest.mark.parametrize(("name", "steps"), REFERENCE)
def test_blocks_agree_with_the_references(name, steps, fill):
    layout, options, length = {
        "ghost": (GHOST, GHOST_OPTIONS, 6),
        "maum": (MAUM, MAUM_OPTIONS, 256),
    }[name]
    block = block_of(layout, options, BlockSizes(4, 5, 3, steps), length)
    block.load_state_dict(fill.state_dict_for(block.state_dict()))
    shapes = {"h": (1, 4, 2, 2), "attribute": (1, 5, 2, 2), "identity": (1, length)}
    found = block(*(fill.input_for(name, shape, "normal") for name, shape in shapes.items()))
    wanted = torch.tensor(REFERENCE[name, steps])
    torch.testing.assert_close(found.flatten(), wanted, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("options", [GHOST_OPTIONS, MAUM_OPTIONS, MIXED])
@pytest.mark.parametrize("layout", [GHOST, FACESHIFTER, MAUM])
@pytest.mark.parametrize("sizes", [(6, 5, 3, 1), (6, 5, 6, 2), (6, 5, 3, 3)])
def test_blocks_are_the_paper_s_equations(layout, options, sizes):
    block = block_of(layout, options, BlockSizes(*sizes))
    inputs = inputs_of()
    before = [each.clone() for each in inputs]
    torch.testing.assert_close(block(*inputs), plain(block, *inputs), atol=1e-5, rtol=1e-4)
    assert all(torch.equal(now, then) for now, then in zip(inputs, before, strict=True))


@pytest.mark.parametrize("options", [GHOST_OPTIONS, MAUM_OPTIONS])
def test_identities_share_the_attributes_of_their_face(options):
    block = block_of(GHOST, options)
    h, attribute, identity = inputs_of(faces=2, identities=3)
    wanted = block(h, attribute.repeat_interleave(3, 0), identity)
    torch.testing.assert_close(block(h, attribute, identity), wanted)


@pytest.mark.parametrize("identities", [1, 2])
def test_blending_learns_like_the_equations(identities):
    block = block_of(GHOST, GHOST_OPTIONS)
    twin = copy.deepcopy(block)
    h, attribute, identity = inputs_of(2, identities)
    block(h, attribute, identity).square().sum().backward()
    plain(twin, h, attribute.repeat_interleave(identities, 0), identity).square().sum().backward()
    for found, wanted in zip(block.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(found.grad, wanted.grad, atol=1e-4, rtol=1e-3)


def test_the_mask_chooses_between_face_and_identity():
    h = torch.tensor([[[[2.0]], [[3.0]]]])
    pairs = [
        [torch.full((1, 2, 1, 1), value) for value in pair] for pair in ((10.0, 1.0), (5.0, 7.0))
    ]
    for mask, wanted in ((0.0, [21, 31]), (1.0, [17, 22]), (0.5, [19, 26.5])):
        attribute, identity = ([each.clone() for each in pair] for pair in pairs)
        blended = blend(h, attribute, identity, torch.full((1, 1, 1, 1), mask))
        assert blended.flatten().tolist() == wanted
