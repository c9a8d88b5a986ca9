from __future__ import annotations

import pytest
import torch

from faceloom import models
from faceloom.models.graph import Graph
from faceloom.models.yoloface import detect_graph
from faceloom.models.yoloface.adapter import YOLOFace, decode

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

SIDE, CELLS = 64, 64 + 16 + 4


def graph(values=20, cells=CELLS, side=SIDE):
    """Answers with a table, moved by the mean of the picture's red, as one fixed batch of 1."""
    table = torch.zeros(1, 20, CELLS)
    # A face of 16x20 px about (24, 30), its points at (20 + k, 25 + 2 k), all of them visible.
    table[0, :5, 7] = torch.tensor([24, 30, 16, 20, 0.5])
    for k in range(5):
        table[0, 5 + 3 * k : 8 + 3 * k, 7] = torch.tensor([20 + k, 25 + 2 * k, 1.0])
    weights = {
        "table": table[:, :values, :cells],
        "gain": (torch.arange(20) == 4).float().reshape(1, 20, 1)[:, :values] * 0.4,
        "first": torch.tensor([0]),
        "one": torch.tensor([1, 1, 1]),
    }
    make = helper.make_node
    nodes = [
        make("Gather", ["images", "first"], ["red"], axis=1),
        make("ReduceMean", ["red"], ["mean"], axes=[1, 2, 3], keepdims=1),
        make("Reshape", ["mean", "one"], ["level"]),
        make("Mul", ["level", "gain"], ["more"]),
        make("Add", ["table", "more"], ["output0"]),
    ]
    proto = helper.make_graph(
        nodes,
        "yoloface",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, side, side])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, values, cells])],
        [
            numpy_helper.from_array(value.contiguous().numpy(), key)
            for key, value in weights.items()
        ],
    )
    return helper.make_model(proto, opset_imports=[helper.make_opsetid("", 12)], ir_version=8)


@pytest.fixture
def model(tmp_path):
    onnx.save(graph(), str(tmp_path / "yoloface.onnx"))
    return models.load(tmp_path / "yoloface.onnx", "detector")


def test_graph_is_known_by_its_shapes():
    assert detect_graph(Graph.from_proto(graph()))
    assert not detect_graph(Graph.from_proto(graph(values=19)))
    assert not detect_graph(Graph.from_proto(graph(cells=CELLS - 1)))


def test_faces_are_in_frame_pixels(model):
    assert isinstance(model, YOLOFace)
    assert (model.canvas, model.network.whole) == ((SIDE, SIDE), False)
    # 256x128 becomes 64x32, so a canvas pixel is four frame pixels; red fills half the canvas.
    frames = torch.zeros(3, 3, 128, 256)
    frames[:2, 0] = torch.tensor([1.0, 0.5])[:, None, None]
    found = model.detect(frames, 0.55)
    assert found.frame.tolist() == [0, 1]
    torch.testing.assert_close(found.score, torch.tensor([0.7, 0.6]))
    box = torch.tensor([24 - 8, 30 - 10, 24 + 8, 30 + 10]) * 4.0
    torch.testing.assert_close(found.box, box.expand(2, 4))
    k = torch.arange(5.0)
    points = torch.stack([20 + k, 25 + 2 * k], 1) * 4
    torch.testing.assert_close(found.keypoints, points.expand(2, 5, 2))
    assert len(model.detect(frames, 0.9)) == 0


def test_decode_takes_the_columns_apart():
    found = torch.arange(40.0).reshape(1, 20, 2)
    scores, boxes, points = decode(found)
    assert scores.tolist() == [[8, 9]]
    assert boxes[0, 0].tolist() == [0 - 2, 2 - 3, 0 + 2, 2 + 3]
    assert points[0, 1].tolist() == [[11, 13], [17, 19], [23, 25], [29, 31], [35, 37]]
