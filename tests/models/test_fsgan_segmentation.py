from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from faceloom import models
from faceloom.faces import Crops, Faces
from faceloom.faces.convert import faces_from_boxes
from faceloom.models.fsgan_segmentation.adapter import FSGANSegmentation
from faceloom.models.fsgan_segmentation.network import UNet
from faceloom.ops.parsing import CLASSES

SMALL = (4, 5, 6, 7, 8)


class Thirds(nn.Module):
    """Sees background, face and hair in the upper, middle and lower third."""

    def forward(self, images):
        self.images = images
        logits = images.new_zeros(len(images), 3, *images.shape[2:])
        for number, third in enumerate(logits.tensor_split(3, 2)):
            third[:, number] = 50
        return logits


@pytest.fixture(scope="module")
def state():
    torch.manual_seed(0)
    return UNet(SMALL, 3).state_dict()


@pytest.fixture(scope="module")
def crops():
    """Two crops of 96 px, of boxes 40 by 50 px about their middle."""
    boxes = torch.tensor([[28.0, 23, 68, 73]]).repeat(2, 1)
    faces = faces_from_boxes(boxes, torch.ones(2), torch.tensor([0, 1]), (96, 96), 2)
    image = torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    return Crops(image, torch.eye(2, 3).repeat(2, 1, 1), faces, "square_box")


def test_published_network_has_the_published_counts():
    with torch.device("meta"):
        network = UNet((64, 128, 256, 512, 1024), 3)
    assert sum(weight.numel() for weight in network.parameters()) == 28_950_851
    assert len(network.state_dict()) == 96


def test_published_network_agrees_with_the_reference(reference):
    fsgan = reference("fsgan_segmentation")
    model = models.load(fsgan.weights(), "parser")
    with torch.no_grad():
        fsgan.check(logits=model.network(fsgan.input("x")))


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_widths_are_read_from_shapes(suffix, axes, state, tmp_path):
    # Of the first generation's 1x1 convolutions, which are called `Conv1d`.
    shown = {
        key: value[..., 0].contiguous() if "conv1d.w" in key and axes == 1 else value
        for key, value in state.items()
    }
    path = tmp_path / f"any name{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(shown, path)
    model = models.load(path, "parser")
    assert isinstance(model, FSGANSegmentation)
    wanted = UNet(SMALL, 3).eval()
    wanted.load_state_dict(state)
    images = torch.rand(2, 3, 32, 48)
    torch.testing.assert_close(model.network(images), wanted(images))


def test_classes_come_back_in_order_and_place(crops):
    network = Thirds()
    parsed = FSGANSegmentation(network).parse(crops)
    assert parsed.shape == (2, 19, 96, 96)
    torch.testing.assert_close(parsed.sum(1), torch.ones(2, 96, 96))
    # The network sees 60 px about the middle: rows 18 to 78, of which each third has 20.
    for name, rows in {"background": (0, 37), "skin": (39, 57), "hair": (59, 77)}.items():
        assert (parsed[:, CLASSES.index(name), slice(*rows), 20:76] > 0.99).all()
    assert (parsed[:, 0, 80:] == 1).all()


def test_network_sees_the_box_with_its_margin(crops):
    network = Thirds()
    FSGANSegmentation(network, margin=1.92).parse(crops)
    assert network.images.shape == (2, 3, 256, 256)
    # 50 px times 1.92 are the whole crop.
    wanted = torch.nn.functional.interpolate(crops.image, (256, 256), mode="bilinear")
    torch.testing.assert_close(network.images, 2 * wanted - 1, atol=2e-2, rtol=0)


def test_a_face_set_upright_is_seen_upright(crops):
    # The frame holds the crop turned by 30 degrees and half as large.
    cos, sin = 2 * 0.8660254, 2 * 0.5
    shift = 48 - torch.tensor([[cos, sin], [-sin, cos]]) @ torch.tensor([48.0, 48])
    turn = torch.tensor([[cos, sin, shift[0]], [-sin, cos, shift[1]]]).repeat(2, 1, 1)
    box = torch.tensor([[38.0, 35.5, 58, 60.5]]).repeat(2, 1)
    small = replace(crops, matrix=turn, faces=replace(crops.faces, box=box))
    seen, wanted = Thirds(), Thirds()
    FSGANSegmentation(seen).parse(small)
    FSGANSegmentation(wanted).parse(crops)
    torch.testing.assert_close(seen.images, wanted.images, atol=1e-3, rtol=0)


def test_no_crops_run_no_network():
    faces = Faces.empty((20, 30), 1)
    none = Crops(torch.zeros(0, 3, 16, 16), torch.zeros(0, 2, 3), faces, "square_box")
    assert FSGANSegmentation(None).parse(none).shape == (0, 19, 16, 16)


def test_truncated_and_foreign_weights_are_refused(state):
    lacking = {key: value for key, value in state.items() if key != "center.conv2.1.bias"}
    with pytest.raises(models.CheckpointError, match=r"missing: center\.conv2\.1\.bias"):
        models.load(lacking)
    # pytorch-semseg's own, of 21 classes.
    many = {**state, "final.weight": torch.ones(21, 4, 1, 1), "final.bias": torch.ones(21)}
    with pytest.raises(models.CheckpointError, match="no known architecture"):
        models.load(many)
