from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from faceloom import models
from faceloom.faces import Faces
from faceloom.models.genderage.adapter import GenderAge, crop_matrix
from faceloom.ops.warp import crop

onnx = pytest.importorskip("onnx")
helper, FLOAT = onnx.helper, onnx.TensorProto.FLOAT


class Seen(nn.Module):
    """Stands in for the graph: keeps what it is shown."""

    def forward(self, crops):
        self.crops = crops
        return [torch.tensor([[0.0, 2.0, 0.345]]).expand(len(crops), 3)]


def faces_at(boxes, size=(100, 140)):
    count = len(boxes)
    return replace(
        Faces.empty(size, 1),
        frame=torch.zeros(count, dtype=torch.int64),
        box=torch.tensor(boxes, dtype=torch.float32),
        score=torch.ones(count),
        keypoints=torch.zeros(count, 5, 2),
        track=torch.full((count,), -1),
    )


def graph_file(path, batch, rows, size=96):
    """Write a graph of the published signature: the mean colour, BGR, a hundredth of it."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["data"], ["mean"]),
        helper.make_node("Reshape", ["mean", "shape"], ["flat"]),
        helper.make_node("MatMul", ["flat", "swap"], ["fc1"]),
    ]
    swap = (torch.eye(3).flip(1) / 100).flatten().tolist()
    weights = [
        helper.make_tensor("shape", onnx.TensorProto.INT64, (2,), [rows, 3]),
        helper.make_tensor("swap", FLOAT, (3, 3), swap),
    ]
    inputs = [helper.make_tensor_value_info("data", FLOAT, [batch, 3, size, size])]
    outputs = [helper.make_tensor_value_info("fc1", FLOAT, [1, 3])]
    graph = helper.make_graph(nodes, "genderage", inputs, outputs, weights)
    opset = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), str(path))
    return path


@pytest.mark.parametrize(("batch", "rows"), [("N", -1), (1, 1)])
def test_graph_is_found_by_its_signature_and_takes_any_batch(tmp_path, batch, rows):
    model = models.load(graph_file(tmp_path / "any.onnx", batch, rows), "attributes")
    assert isinstance(model, GenderAge)
    assert (model.name, model.role) == ("genderage", "attributes")
    frame = torch.tensor([0.5, 0.75, 1.0]).reshape(1, 3, 1, 1).expand(1, 3, 400, 400)
    male, age = model.guess(frame, faces_at([[150.0, 150, 250, 250]] * 3, (400, 400)))
    # Female 2.55, male 1.9125 (logits), 1.275 centuries.
    wanted = torch.tensor(1 / (1 + np.exp(2.55 - 1.9125)), dtype=torch.float32)
    torch.testing.assert_close(male, wanted.expand(3))
    torch.testing.assert_close(age, torch.full((3,), 127.5))


def test_pictures_of_another_size_are_not_its(tmp_path):
    with pytest.raises(models.CheckpointError, match="no known architecture"):
        models.load(graph_file(tmp_path / "other.onnx", 1, 1, size=95))


def test_answers_are_a_probability_and_years():
    male, age = GenderAge(Seen()).guess(torch.rand(1, 3, 100, 140), faces_at([[30, 20, 70, 80]]))
    assert male.item() == pytest.approx(1 / (1 + np.exp(-2.0)))
    assert age.item() == pytest.approx(34.5)


def test_network_sees_rgb_0_to_255():
    network = Seen()
    frame = torch.tensor([0.25, 7.0, -3.0]).reshape(1, 3, 1, 1).expand(1, 3, 100, 140)
    GenderAge(network).guess(frame, faces_at([[30, 20, 70, 80]]))
    assert network.crops[0, :, 48, 48].tolist() == [63.75, 255, 0]


def test_crop_agrees_with_insightface():
    # insightface.model_zoo.attribute: scale 96 / (1.5 * longer side), no rotation, the box's centre
    # to 48, and cv2.warpAffine; pixel centres at integers, so its box is half a pixel less.
    cv2 = pytest.importorskip("cv2")
    random = np.random.default_rng(0)
    picture = cv2.resize(random.random((10, 14, 3), dtype=np.float32), (140, 100))
    x0, y0, x1, y1 = 41.3, 30.2, 81.7, 78.9
    scale = 96 / (1.5 * (y1 - y0))
    shift = [48 - scale * (x0 + x1 - 1) / 2, 48 - scale * (y0 + y1 - 1) / 2]
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    wanted = torch.from_numpy(cv2.warpAffine(picture, matrix, (96, 96))).permute(2, 0, 1)
    frame = torch.from_numpy(picture).permute(2, 0, 1)[None]
    ours = crop_matrix(torch.tensor([[x0, y0, x1, y1]]))
    found = crop(frame, ours, torch.zeros(1, dtype=torch.int64), 96, padding="zeros")[0]
    # OpenCV rounds places to 1/32 px
    torch.testing.assert_close(found, wanted, atol=5e-3, rtol=0)


def test_no_faces_have_no_attributes():
    male, age = GenderAge(Seen()).guess(torch.rand(2, 3, 40, 30), Faces.empty((40, 30), 2))
    assert male.shape == age.shape == (0,)


def test_faces_of_other_frames_are_refused():
    with pytest.raises(ValueError, match="GenderAge wants the frames that the faces were found"):
        GenderAge(Seen()).guess(torch.rand(1, 3, 41, 30), Faces.empty((40, 30), 1))
