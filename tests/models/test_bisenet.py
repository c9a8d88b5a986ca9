from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from faceloom import models
from faceloom.faces import Crops, Faces
from faceloom.faces.convert import faces_from_boxes
from faceloom.models.bisenet import detect_graph, load_graph
from faceloom.models.bisenet.adapter import BiSeNet
from faceloom.models.bisenet.network import BiSeNetNetwork
from faceloom.models.graph import Graph
from faceloom.ops.parsing import CLASSES

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet
SMALL = {"widths": (4, 6, 8, 10), "blocks": (1, 2, 1, 1), "context": 4, "classes": 19}
# From the second publisher's names to the first one's, one tensor of each module.
YAKHYO = {
    "fpn.backbone.conv1.weight": "cp.resnet.conv1.weight",
    "fpn.backbone.layer2.0.downsample.1.bias": "cp.resnet.layer2.0.downsample.1.bias",
    "fpn.arm16.conv_block.conv.weight": "cp.arm16.conv.conv.weight",
    "fpn.arm32.attention.0.weight": "cp.arm32.conv_atten.weight",
    "fpn.arm32.attention.1.running_var": "cp.arm32.bn_atten.running_var",
    "fpn.conv_head16.norm.weight": "cp.conv_head16.bn.weight",
    "fpn.conv_avg.conv.weight": "cp.conv_avg.conv.weight",
    "ffm.conv_block.norm.bias": "ffm.convblk.bn.bias",
    "ffm.conv1.weight": "ffm.conv1.weight",
    "conv_out.conv_block.conv.weight": "conv_out.conv.conv.weight",
    "conv_out.conv.weight": "conv_out.conv_out.weight",
    "conv_out16.conv.weight": "conv_out16.conv_out.weight",
}


class Halves(nn.Module):
    """Sees nose (class 10 of its own order) in the left half and hair (17) in the right one."""

    def forward(self, images):
        self.images = images
        logits = images.new_zeros(len(images), 19, *images.shape[2:])
        logits[:, 10, :, :256] = 50
        logits[:, 17, :, 256:] = 50
        return logits


@pytest.fixture(scope="module")
def state():
    torch.manual_seed(0)
    return BiSeNetNetwork(**SMALL).state_dict()


@pytest.fixture(scope="module")
def crops():
    """Two crops whose faces lie about as in ffhq_512, in the middle."""
    boxes = torch.tensor([[28.0, 24, 68, 76]]).repeat(2, 1)
    faces = faces_from_boxes(boxes, torch.ones(2), torch.tensor([0, 1]), (96, 96), 2)
    matrix = torch.eye(2, 3).repeat(2, 1, 1)
    image = torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    return Crops(image, matrix, faces, "square_box")


def renamed(state):
    """The same weights as yakhyo's files hold them, with the classifier's last layer."""
    rules = (
        (".conv_out.weight", ".conv.weight"),
        ("conv_out.conv.", "conv_out.conv_block."),
        ("conv_out16.conv.", "conv_out16.conv_block."),
        ("conv_out32.conv.", "conv_out32.conv_block."),
        ("conv_block.weight", "conv.weight"),
        ("convblk", "conv_block"),
        ("arm16.conv.", "arm16.conv_block."),
        ("arm32.conv.", "arm32.conv_block."),
        (".conv_atten.", ".attention.0."),
        (".bn_atten.", ".attention.1."),
        (".bn.", ".norm."),
        ("cp.resnet.", "fpn.backbone."),
        ("cp.", "fpn."),
    )
    out = {}
    for key, value in state.items():
        for old, new in rules:
            key = key.replace(old, new)
        out[key] = value
    return out | {
        "fpn.backbone.fc.weight": torch.ones(5, 10),
        "fpn.backbone.fc.bias": torch.ones(5),
    }


def test_published_network_agrees_with_the_reference(reference):
    bisenet = reference("bisenet_19")
    model = models.load(bisenet.weights(), "parser")
    assert sum(p.numel() for p in model.network.parameters()) == bisenet.facts["parameters"]
    with torch.no_grad():
        bisenet.check(logits=model.network(bisenet.input("x")))


def test_sizes_are_read_from_shapes(state, tmp_path):
    save_file(state, tmp_path / "any_name.safetensors")
    model = models.load(tmp_path / "any_name.safetensors")
    assert isinstance(model, BiSeNet)
    assert model.network.state_dict().keys() == state.keys()
    wanted = BiSeNetNetwork(**SMALL).eval()
    wanted.load_state_dict(state)
    images = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(model.network(images), wanted(images))


def test_the_other_publishers_names_are_understood(state):
    theirs = renamed(state)
    for key, ours in YAKHYO.items():
        assert torch.equal(theirs[key], state[ours])
    model = models.load(theirs)
    for key, value in model.network.state_dict().items():
        assert torch.equal(value, state[key]), key


def test_truncated_weights_are_refused(state):
    lacking = {k: v for k, v in state.items() if "arm32" not in k}
    with pytest.raises(models.CheckpointError, match=r"cp\.arm32\.conv\.conv\.weight"):
        models.load(lacking)


def test_classes_come_back_in_order_and_place(crops):
    network = Halves()
    parsed = BiSeNet(network).parse(crops)
    assert parsed.shape == (2, 19, 96, 96)
    torch.testing.assert_close(parsed.sum(1), torch.ones(2, 96, 96))
    assert network.images.shape == (2, 3, 512, 512)
    # The eyes' middle lies at half the template's width, so the halves meet at x = 48.
    assert (parsed[:, CLASSES.index("nose"), 48, 30:45] > 0.99).all()
    assert (parsed[:, CLASSES.index("hair"), 48, 51:66] > 0.99).all()


def test_network_sees_imagenet_range(crops):
    network = Halves()
    BiSeNet(network).parse(replace(crops, image=torch.full_like(crops.image, 0.5)))
    wanted = [(0.5 - m) / s for m, s in zip(MEAN, DEVIATION, strict=True)]
    assert network.images[0, :, 256, 256].tolist() == pytest.approx(wanted)


def test_no_crops(state):
    none = Crops(torch.zeros(0, 3, 8, 8), torch.zeros(0, 2, 3), Faces.empty((8, 8), 1), "ffhq_512")
    assert models.load(state).parse(none).shape == (0, 19, 8, 8)


# ---- graphs ----


def graph_of(classes=19, size=512, batch="N", opset=13):
    """A graph of the published sizes: a 1x1 convolution to 256 channels, and the last one."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    generator = torch.Generator().manual_seed(1)
    weights = {
        "first": torch.randn(256, 3, 1, 1, generator=generator),
        "last": torch.randn(classes, 256, 1, 1, generator=generator),
        "scales": torch.tensor([1, 1, 0.5, 0.5]),
    }
    proto = helper.make_model(
        helper.make_graph(
            [
                helper.make_node("Conv", ["input", "first"], ["hidden"]),
                helper.make_node("Conv", ["hidden", "last"], ["output"]),
                helper.make_node("Resize", ["output", "", "scales"], ["another"], mode="linear"),
            ],
            "graph",
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch, 3, size, size])],
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, classes, None, None])
                for name in ("output", "another")
            ],
            [numpy_helper.from_array(value.numpy(), name) for name, value in weights.items()],
        ),
        opset_imports=[helper.make_opsetid("", opset)],
    )
    onnx.checker.check_model(proto)
    return Graph.from_proto(proto), weights


@pytest.mark.parametrize(("batch", "opset"), [("N", 13), (1, 13), ("N", 20)])
def test_graph_of_the_published_sizes_is_a_parser(batch, opset):
    # yakhyo exports with opset 20, whose Resize onnx2torch does not know.
    graph, weights = graph_of(batch=batch, opset=opset)
    assert detect_graph(graph)
    model = load_graph(graph, graph.to_module())
    images = torch.rand(2, 3, 512, 512)
    mixed = torch.einsum("oi,ij->oj", weights["last"][..., 0, 0], weights["first"][..., 0, 0])
    wanted = torch.einsum("oj,njhw->nohw", mixed, images)
    torch.testing.assert_close(model.network(images), wanted, atol=1e-3, rtol=1e-4)


def test_other_graphs_are_not():
    assert not detect_graph(graph_of(classes=18)[0])
    assert not detect_graph(graph_of(size=256)[0])
