from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from faceloom import models
from faceloom.faces import Crops, Faces
from faceloom.models.loom_parser.adapter import LoomParser
from faceloom.models.loom_parser.network import LoomParserNetwork
from faceloom.models.weights import CheckpointError
from faceloom.ops.templates import template_points


class Bright(nn.Module):
    """Stands in for the network: what is bright is hair, the rest skin."""

    def forward(self, crops):
        self.crops = crops
        grey = nn.functional.avg_pool2d(crops.mean(1, keepdim=True), 2)
        logits = torch.full((len(crops), 19, *grey.shape[2:]), -50.0)
        logits[:, 13:14] = 60 * (grey - 0.5)
        logits[:, 1:2] = -60 * (grey - 0.5)
        return logits


def crops_of(image, template="ffhq_512"):
    count, size = len(image), image.shape[-1]
    faces = Faces(
        frame=torch.arange(count),
        box=torch.tensor([0.0, 0, size, size]).repeat(count, 1),
        score=torch.ones(count),
        keypoints=template_points(template, size).repeat(count, 1, 1),
        track=torch.full((count,), -1),
        image_size=(size, size),
        frames=count,
    )
    return Crops(image, torch.eye(2, 3).repeat(count, 1, 1), faces, template)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return LoomParserNetwork((4, 6, 8, 10, 12), (0, 1, 0, 2, 1), head=5)


def test_weights_are_recognised_and_sizes_read_from_them(network, tmp_path):
    path = tmp_path / "w.safetensors"
    save_file(network.state_dict(), path)
    model = models.load(path, "parser")
    assert isinstance(model, LoomParser)
    crops = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(model.network(crops), network.eval()(crops))


def test_an_unexpected_tensor_is_named(network):
    with pytest.raises(CheckpointError, match="extra"):
        models.load({**network.state_dict(), "extra": torch.zeros(1)})


def test_classes_come_back_where_the_crop_shows_them():
    image = torch.zeros(2, 3, 128, 128)
    image[0, :, :, 64:] = 1
    image[1, :, :64] = 1
    maps = LoomParser(Bright()).parse(crops_of(image))
    assert maps.shape == (2, 19, 128, 128)
    torch.testing.assert_close(maps.sum(1), torch.ones(2, 128, 128))
    hair = maps[:, 13] > 0.5
    assert (hair == (image[:, 0] > 0.5)).float().mean() > 0.97


def test_the_network_sees_its_own_alignment_and_tight_crops_are_background_beyond():
    image = torch.ones(1, 3, 112, 112)
    network = Bright()
    maps = LoomParser(network).parse(crops_of(image, "arcface_112_v2"))
    assert network.crops.shape == (1, 3, 256, 256)
    assert (maps[:, 13] > 0.99).all()


def test_no_crops_give_no_maps(network):
    model = LoomParser(network.eval())
    assert model.parse(crops_of(torch.zeros(0, 3, 64, 64))).shape == (0, 19, 64, 64)
