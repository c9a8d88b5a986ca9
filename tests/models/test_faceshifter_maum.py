from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from faceloom import models
from faceloom.models.aei import AEISizes
from faceloom.models.attribute_encoder import UNetSizes
from faceloom.models.faceshifter_maum.adapter import MaumFaceShifter
from faceloom.models.faceshifter_maum.network import OPTIONS, MaumFaceShifterNetwork
from faceloom.models.ghost.network import GHOSTNetwork

SIZES = AEISizes(UNetSizes((4, 5, 6), (5, 3), bias=True), (9, 8, 8, 7), identity=9, options=OPTIONS)
# (maum-ai's name, GHOST's name) for all that a network of 3 levels and 2 steps has.
NAMES = [
    *((f"E.Encoder.layer_{level}.", f"encoder.conv{level + 1}.") for level in range(3)),
    *((f"E.Decoder.layer_{level}.0.", f"encoder.deconv{level + 1}.deconv.") for level in range(2)),
    *((f"E.Decoder.layer_{level}.1.", f"encoder.deconv{level + 1}.bn.") for level in range(2)),
    ("G.convt.", "generator.up1."),
    *((f"G.model.layer_{number}.", f"generator.AADBlk{number + 1}.") for number in range(4)),
    (".add1.", ".add_blocks.0."),
    (".add2.", ".add_blocks.3."),
    (".add3.", ".last_add_block.0."),
    (".BNorm.", ".norm."),
    (".conv_f.", ".conv_h."),
    (".fc_", ".fc"),
]
CONVOLUTIONS = {"conv1": "add_blocks.2", "conv2": "add_blocks.5", "conv3": "last_add_block.2"}


def small(**sizes):
    torch.manual_seed(0)
    network = MaumFaceShifterNetwork(replace(SIZES, **sizes)).eval().requires_grad_(False)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    return network


def renamed(state):
    """This FaceShifter's tensors as GHOST names them."""
    out = {}
    for key, value in state.items():
        for theirs, ours in NAMES:
            key = key.replace(theirs, ours)
        parts = key.split(".")
        if parts[1].startswith("AADBlk") and parts[2] in CONVOLUTIONS:
            parts[2] = CONVOLUTIONS[parts[2]]
        out[".".join(parts)] = value
    return out


def test_published_network_has_its_counts():
    with torch.device("meta"):
        network = MaumFaceShifterNetwork()
    # shared/specs/systems.md, section 2b: 372.2 M and 67,092,800 parameters.
    encoder = [each.numel() for key, each in network.named_parameters() if key.startswith("E.")]
    assert sum(encoder) == 67_092_800
    whole = sum(each.numel() for each in network.parameters())
    assert whole - sum(encoder) == pytest.approx(372.2e6, abs=0.05e6)
    assert (network.size, network.length) == (256, 256)


@pytest.mark.parametrize("sizes", [{}, {"steps": 1}, {"steps": 3, "widths": (8, 8, 8, 8)}])
def test_lightning_checkpoints_load_without_what_swapping_does_not_need(sizes, tmp_path):
    built = small(**sizes)
    others = {"D.layer0.0.weight": torch.ones(2, 3, 4, 4), "Z.conv1.weight": torch.ones(2, 3, 7, 7)}
    checkpoint = {"epoch": 3, "global_step": 7, "state_dict": built.state_dict() | others}
    torch.save(checkpoint, tmp_path / "epoch=3.ckpt")
    model = models.load(tmp_path / "epoch=3.ckpt", "swapper")
    assert isinstance(model, MaumFaceShifter)
    assert (model.size, model.length) == (16, 9)
    assert model.network.state_dict().keys() == built.state_dict().keys()
    target, embedding = torch.rand(2, 3, 16, 16), torch.randn(2, 9)
    torch.testing.assert_close(model.network(target, embedding), built(target, embedding))


def test_within_encoder_and_generator_it_is_strict():
    state = small().state_dict()
    with pytest.raises(models.CheckpointError, match=r"unexpected: E\.extra"):
        models.load(state | {"E.extra": torch.ones(1)})
    del state["G.model.layer_3.add3.BNorm.running_mean"]
    with pytest.raises(models.CheckpointError, match=r"missing: G\.model\.layer_3\.add3\.BNorm"):
        models.load(state)


def test_it_is_ghost_s_network_with_other_options_and_a_sigmoid():
    built = small()
    ghost = GHOSTNetwork(SIZES).eval()
    ghost.load_state_dict(renamed(built.state_dict()))
    target, embedding = torch.rand(2, 3, 16, 16), torch.randn(2, 9)
    (found, maps), (wanted, others) = built(target, embedding), ghost(target, embedding)
    torch.testing.assert_close(maps, others)
    torch.testing.assert_close(found, wanted.atanh().sigmoid(), atol=1e-5, rtol=1e-4)
