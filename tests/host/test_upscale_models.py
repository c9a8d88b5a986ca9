"""ComfyUI's upscalers, stand-alone; test_real_comfyui.py has them inside ComfyUI."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from faceloom.host.session import Session, using
from faceloom.host.upscale_models import UpscaleModel, on_device, upscale


class Doubler:
    """Repeats every pixel, and remembers where it was moved and what it was shown."""

    model, architecture = nn.Identity(), SimpleNamespace(id="doubler")
    scale, input_channels, output_channels = 2, 3, 3

    def __init__(self):
        self.places, self.shapes = [], []

    def to(self, device):
        self.places.append(str(device))

    def __call__(self, image):
        self.shapes.append(tuple(image.shape))
        return image.repeat_interleave(2, 2).repeat_interleave(2, 3)


def test_what_spandrel_gives_is_an_upscale_model():
    from spandrel import ModelLoader
    from spandrel.architectures.Compact import Compact

    state = Compact(num_feat=4, num_conv=1, upscale=2).state_dict()
    assert isinstance(ModelLoader().load_from_state_dict(state), UpscaleModel)
    assert isinstance(Doubler(), UpscaleModel)
    assert not isinstance(nn.Conv2d(3, 3, 1), UpscaleModel)


def test_pictures_go_one_by_one():
    doubler, pictures = Doubler(), torch.rand(3, 3, 4, 6)
    larger = upscale(doubler, pictures)
    assert torch.equal(larger, pictures.repeat_interleave(2, 2).repeat_interleave(2, 3))
    assert doubler.shapes == [(1, 3, 4, 6)] * 3
    assert upscale(doubler, pictures[:0]).shape == (0, 3, 8, 12)


def test_it_is_on_the_device_for_the_block_only():
    doubler = Doubler()
    with using(Session(device=torch.device("meta"))), on_device(doubler):
        assert doubler.places == ["meta"]
    assert doubler.places == ["meta", "cpu"]
    with pytest.raises(KeyError), on_device(doubler):
        raise KeyError
    assert doubler.places == ["meta", "cpu", "cpu", "cpu"]


def test_a_hosts_patcher_decides_when_it_leaves():
    doubler = Doubler()
    doubler.patcher = object()
    with using(Session(device=torch.device("meta"))), on_device(doubler):
        pass
    assert doubler.places == ["meta"]
