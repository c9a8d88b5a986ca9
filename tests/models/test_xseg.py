from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from faceloom import models
from faceloom.faces import Crops, Faces
from faceloom.faces.convert import faces_from_boxes
from faceloom.models.graph import Graph
from faceloom.models.xseg import detect_graph, load_graph
from faceloom.models.xseg.adapter import XSeg
from faceloom.ops.geometry import fit_similarity
from faceloom.ops.templates import template_points

onnx = pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def crops():
    boxes = torch.tensor([[28.0, 24, 68, 76]]).repeat(3, 1)
    faces = faces_from_boxes(boxes, torch.ones(3), torch.arange(3), (96, 96), 3)
    image = torch.rand(3, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    return Crops(image, torch.eye(2, 3).repeat(3, 1, 1), faces, "square_box")


def proto_of(nodes, entry, answer, constants=None):
    from onnx import TensorProto, helper, numpy_helper

    (name, shape), (out, out_shape) = entry, answer
    proto = helper.make_model(
        helper.make_graph(
            nodes,
            "graph",
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(out, TensorProto.FLOAT, out_shape)],
            [numpy_helper.from_array(v.numpy(), k) for k, v in (constants or {}).items()],
        ),
        opset_imports=[helper.make_opsetid("", 13)],
    )
    onnx.checker.check_model(proto)
    return proto


def channels_last(batch="unk__359", name="in_face:0"):
    """A mask that is the picture's red channel, BGR as DeepFaceLab has it."""
    node = onnx.helper.make_node("Gather", [name, "red"], ["out_mask:0"], axis=3)
    return proto_of(
        [node],
        (name, [batch, 256, 256, 3]),
        ("out_mask:0", [batch, 256, 256, 1]),
        {"red": torch.tensor([2])},
    )


def logits(name="img", batch=1, out="output"):
    """20 times what the green channel is above a half."""
    make = onnx.helper.make_node
    nodes = [
        make("Gather", [name, "green"], ["channel"], axis=1),
        make("Sub", ["channel", "half"], ["centred"]),
        make("Mul", ["centred", "twenty"], [out]),
    ]
    constants = {
        "green": torch.tensor([1]),
        "half": torch.tensor(0.5),
        "twenty": torch.tensor(20.0),
    }
    return proto_of(nodes, (name, [batch, 3, 256, 256]), (out, [batch, 1, 256, 256]), constants)


def model_of(proto) -> XSeg:
    graph = Graph.from_proto(proto)
    assert detect_graph(graph)
    return load_graph(graph, graph.to_module())


@pytest.mark.parametrize("batch", ["unk__359", 1])
@pytest.mark.parametrize("name", ["in_face:0", "input"])
def test_channels_last_is_xseg_and_sees_bgr(crops, batch, name):
    model = model_of(channels_last(batch, name))
    red = replace(crops, image=torch.tensor([0.9, 0.2, 0.1])[:, None, None].expand(3, 3, 96, 96))
    visible = model.visible(red)
    assert visible.shape == (3, 1, 96, 96)
    torch.testing.assert_close(visible[:, :, 40:60, 40:60], torch.full((3, 1, 20, 20), 0.9))


def test_logits_become_probabilities(crops):
    model = model_of(logits())
    shade = torch.tensor([0.0, 0.6, 0.0])[:, None, None].expand(3, 3, 96, 96)
    visible = model.visible(replace(crops, image=shade))
    wanted = torch.tensor(2.0).sigmoid()
    torch.testing.assert_close(visible[:, :, 40:60, 40:60], wanted.expand(3, 1, 20, 20))


@pytest.mark.parametrize("proto", [channels_last(), logits()], ids=["xseg", "occluder"])
def test_outside_what_it_sees_there_is_no_face(crops, proto):
    model = model_of(proto)
    visible = model.visible(replace(crops, image=torch.ones_like(crops.image)))
    place = fit_similarity(crops.faces.keypoints, template_points(model.template, 256))
    corner = place[0, :, :2] @ torch.tensor([0.5, 0.5]) + place[0, :, 2]
    seen = bool(((corner > 0) & (corner < 256)).all())
    assert (visible[:, 0, 0, 0] > 0.5).all() == seen
    assert visible[:, 0, 48, 48].min() > 0.95


def test_files_are_found_by_content(tmp_path):
    onnx.save(channels_last(), str(tmp_path / "mask.onnx"))
    model = models.load(tmp_path / "mask.onnx", "occluder")
    assert isinstance(model, XSeg)
    with pytest.raises(models.CheckpointError, match="an occluder, where a parser is wanted"):
        models.load(tmp_path / "mask.onnx", "parser")


@pytest.mark.parametrize(
    "proto",
    [logits(name="input"), logits(out="depth")],
    ids=["another input", "another output"],
)
def test_other_networks_from_picture_to_mask_are_not_taken(proto):
    assert not detect_graph(Graph.from_proto(proto))


def test_no_crops():
    none = Crops(torch.zeros(0, 3, 8, 8), torch.zeros(0, 2, 3), Faces.empty((8, 8), 1), "ffhq_512")
    assert model_of(channels_last()).visible(none).shape == (0, 1, 8, 8)
