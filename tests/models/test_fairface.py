from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import nn

from faceloom import models
from faceloom.faces import Faces
from faceloom.models.fairface.adapter import AGES, FairFace
from faceloom.ops.templates import template_points

onnx = pytest.importorskip("onnx")
helper, proto = onnx.helper, onnx.TensorProto


class Seen(nn.Module):
    """Stands in for the graph: keeps what it is shown; women of every age."""

    def forward(self, crops):
        self.crops = crops
        ages = torch.arange(len(crops))
        return torch.ones_like(ages), ages


def aligned(count, offset=(0.0, 0.0), size=(224, 224)):
    """Faces whose crop is the frame itself, moved by an offset."""
    # the published points count pixel centres at integers
    points = template_points("arcface_112_v2", 224) + 0.5 + torch.tensor(offset)
    return replace(
        Faces.empty(size, 1),
        frame=torch.zeros(count, dtype=torch.int64),
        box=torch.tensor([[60.0, 60, 160, 200]]).expand(count, 4),
        score=torch.ones(count),
        keypoints=points.expand(count, 5, 2),
        track=torch.full((count,), -1),
    )


def graph_file(path, names=("race_id", "gender_id", "age_id")):
    """Write a graph of the published signature: the brightest of 7, 2 or 9 mixtures of colours."""
    nodes, weights, outputs = [helper.make_node("GlobalAveragePool", ["input"], ["mean"])], [], []
    for name, classes in zip(names, (7, 2, 9), strict=True):
        kernel = torch.randn(classes, 3, generator=torch.Generator().manual_seed(classes))
        weights.append(
            helper.make_tensor(f"{name}_w", proto.FLOAT, (classes, 3, 1, 1), kernel.flatten())
        )
        nodes.append(helper.make_node("Conv", ["mean", f"{name}_w"], [f"{name}_a"]))
        nodes.append(helper.make_node("Flatten", [f"{name}_a"], [f"{name}_b"]))
        nodes.append(helper.make_node("ArgMax", [f"{name}_b"], [name], axis=1, keepdims=0))
        outputs.append(helper.make_tensor_value_info(name, proto.INT64, [1]))
    inputs = [helper.make_tensor_value_info("input", proto.FLOAT, [1, 3, 224, 224])]
    graph = helper.make_graph(nodes, "fairface", inputs, outputs, weights)
    opset = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), str(path))
    return path


def test_graph_is_found_by_its_outputs_and_takes_batches(tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    path = graph_file(tmp_path / "any.onnx")
    model = models.load(path, "attributes")
    assert isinstance(model, FairFace)
    assert (model.name, model.role) == ("fairface", "attributes")
    colours = torch.rand(6, 3, 1, 1, generator=torch.Generator().manual_seed(1))
    frames = colours.expand(6, 3, 224, 224).contiguous()
    faces = replace(aligned(6), frame=torch.arange(6), frames=6)
    male, age = model.guess(frames, faces)
    session = runtime.InferenceSession(str(path))
    normal = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    mean, deviation = (v.reshape(1, 3, 1, 1) for v in normal)
    for row, frame in enumerate(frames[:, None]):
        _, female, bin_ = session.run(None, {"input": ((frame - mean) / deviation).numpy()})
        assert male[row] == 1 - female[0]
        assert age[row] == AGES[bin_[0]]
    assert len(set(age.tolist())) > 1


def test_other_outputs_are_not_its(tmp_path):
    with pytest.raises(models.CheckpointError, match="no known architecture"):
        models.load(graph_file(tmp_path / "other.onnx", ("a", "b", "c")))


def test_one_is_female_and_ages_are_the_middles_of_bins():
    male, age = FairFace(Seen()).guess(torch.rand(1, 3, 224, 224), aligned(9))
    assert male.tolist() == [0] * 9
    edges = [0, 3, 10, 20, 30, 40, 50, 60, 70, 80]
    assert age.tolist() == [(a + b) / 2 for a, b in pairwise(edges)]


def test_network_sees_aligned_rgb_with_imagenets_mean_and_deviation():
    network = Seen()
    frame = torch.rand(1, 3, 240, 250, generator=torch.Generator().manual_seed(0))
    FairFace(network).guess(frame, aligned(1, (10.0, 5.0), (240, 250)))
    mean = torch.tensor([0.485, 0.456, 0.406]).reshape(3, 1, 1)
    seen = network.crops[0] * torch.tensor([0.229, 0.224, 0.225]).reshape(3, 1, 1) + mean
    torch.testing.assert_close(seen, frame[0, :, 5:229, 10:234], atol=1e-3, rtol=0)


def test_no_faces_have_no_attributes():
    male, age = FairFace(Seen()).guess(torch.rand(2, 3, 40, 30), Faces.empty((40, 30), 2))
    assert male.shape == age.shape == (0,)


def test_faces_of_other_frames_are_refused():
    with pytest.raises(ValueError, match="FairFace wants the frames that the faces were found in"):
        FairFace(Seen()).guess(torch.rand(1, 3, 41, 30), Faces.empty((40, 30), 1))
