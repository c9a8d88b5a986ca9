from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from faceloom import models
from faceloom.models.aei import AEISizes
from faceloom.models.attribute_encoder import UNetSizes
from faceloom.models.faceshifter.adapter import FaceShifter
from faceloom.models.faceshifter.network import FaceShifterNetwork
from faceloom.models.ghost.network import GHOSTNetwork
from faceloom.ops.templates import TEMPLATES

SIZES = AEISizes(UNetSizes((4, 5, 6), (5, 3)), (9, 8, 8, 7), identity=9)
# shared/specs/systems.md, section 2b: GHOST's tensors are FaceShifter's under other names.
NAMES = {
    "AAD1": "add_blocks.0",
    "conv1": "add_blocks.2",
    "AAD2": "add_blocks.3",
    "conv2": "add_blocks.5",
    "AAD3": "last_add_block.0",
    "conv3": "last_add_block.2",
}


def renamed(state):
    """FaceShifter's tensors as GHOST names them."""
    out = {}
    for key, value in state.items():
        parts = key.split(".")
        if parts[1].startswith("AADBlk"):
            parts[2] = NAMES[parts[2]]
        out[".".join(parts)] = value
    return out


def test_published_network_agrees_with_the_reference(reference):
    golden = reference("faceshifter_aei")
    model = models.load(golden.weights(), "swapper")
    network = model.network
    assert network.state_dict().keys() == golden.facts["state_dict"].keys()
    assert sum(each.numel() for each in network.parameters()) == golden.facts["parameters"]
    image, maps = network(golden.input("target"), golden.input("identity"))
    golden.check(image=image, **{f"attr{level}": each for level, each in enumerate(maps, 1)})


def test_published_network_has_its_counts():
    with torch.device("meta"):
        network = FaceShifterNetwork()
    assert sum(each.numel() for each in network.parameters()) == 184_343_381
    assert len(list(network.parameters())) == 272
    assert len(network.state_dict()) == 311


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("widths", [(9, 8, 8, 7), (8, 8, 8, 8)])
def test_every_size_is_read_from_the_weights(steps, widths, tmp_path):
    torch.manual_seed(0)
    built = FaceShifterNetwork(replace(SIZES, steps=steps, widths=widths)).eval()
    torch.save(built.state_dict(), tmp_path / "any_name.pth")
    model = models.load(tmp_path / "any_name.pth")
    assert isinstance(model, FaceShifter)
    assert (model.size, model.length) == (16, 9)
    target, embedding = torch.rand(2, 3, 16, 16), torch.randn(2, 9)
    torch.testing.assert_close(model.network(target, embedding), built(target, embedding))


def test_ghost_descends_from_it():
    torch.manual_seed(0)
    built = FaceShifterNetwork(SIZES).eval()
    ghost = GHOSTNetwork(SIZES).eval()
    ghost.load_state_dict(renamed(built.state_dict()))
    target, embedding = torch.rand(2, 3, 16, 16), torch.randn(2, 9)
    torch.testing.assert_close(ghost(target, embedding), built(target, embedding))


def test_template_is_arcface_s_shrunk_about_the_middle():
    # taotaonice/FaceShifter's mtcnn_pytorch/src/align_trans.py: (ref_pts - 112/2)*0.85 + 112/2,
    # where ref_pts is ArcFace's template on 112 pixels.
    (name,) = FaceShifter.templates
    arcface = torch.tensor(TEMPLATES["arcface_112_v2"])
    torch.testing.assert_close(torch.tensor(TEMPLATES[name]), (arcface - 0.5) * 0.85 + 0.5)
