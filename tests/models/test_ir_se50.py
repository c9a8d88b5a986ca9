from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from faceloom import models
from faceloom.faces import Faces
from faceloom.models.ir_se50.adapter import IRSE50
from faceloom.models.ir_se50.network import Block, Excitation, IRSE50Network

# TreB1eN's stages: 3, 4, 14 and 3 blocks.
PUBLISHED = [64] * 3 + [128] * 4 + [256] * 14 + [512] * 3
SMALL = [16, 16, 32, 32, 48, 64]


@pytest.fixture(scope="module")
def state():
    torch.manual_seed(0)
    return IRSE50Network(16, SMALL, 9).state_dict()


def test_published_network_has_the_published_counts_and_keys():
    with torch.device("meta"):
        network = IRSE50Network(64, PUBLISHED, 512)
    assert sum(weight.numel() for weight in network.parameters()) == 43_797_696
    keys = network.state_dict()
    assert len(keys) == 397
    assert {"body.3.shortcut_layer.1.bias", "body.23.res_layer.5.fc2.weight"} <= keys.keys()
    assert "body.0.shortcut_layer.0.weight" not in keys


def test_blocks_are_read_from_shapes(state, tmp_path):
    save_file(state, tmp_path / "x.safetensors")
    model = models.load(tmp_path / "x.safetensors", "encoder")
    assert isinstance(model, IRSE50)
    loaded = {key: value.shape for key, value in model.network.state_dict().items()}
    assert loaded == {key: value.shape for key, value in state.items()}
    torch.testing.assert_close(model.network(torch.rand(3, 3, 112, 112)).norm(dim=1), torch.ones(3))
    assert model.space == f"ir_se50-{model.sha256[:8]}"


def test_a_block_without_its_weights_is_named(state):
    broken = {key: value for key, value in state.items() if key != "body.2.res_layer.1.weight"}
    with pytest.raises(models.CheckpointError, match=r"body\.2"):
        models.load(broken)


def test_the_shortcut_takes_every_second_pixel():
    """TreB1eN's `MaxPool2d(1, 2)`; with a silent residual the block is its shortcut."""
    block, x = Block(16, 16, 2).eval(), torch.rand(1, 16, 6, 6)
    nn.init.zeros_(block.res_layer[4].weight)
    nn.init.zeros_(block.res_layer[4].bias)
    torch.testing.assert_close(block(x), x[:, :, ::2, ::2])


def test_excitation_weighs_each_channel_by_one_number():
    torch.manual_seed(0)
    excitation, x = Excitation(32), torch.rand(2, 32, 5, 5)
    means = x.flatten(2).mean(2)
    squeezed = (means @ excitation.fc1.weight.flatten(1).T).clamp(min=0)
    gate = 1 / (1 + (-(squeezed @ excitation.fc2.weight.flatten(1).T)).exp())
    torch.testing.assert_close(excitation(x), x * gate[:, :, None, None])


def test_no_faces_have_no_embeddings(state):
    model = models.load(state)
    assert model.encode(torch.rand(2, 3, 40, 30), Faces.empty((40, 30), 2)).shape == (0, 9)
