from __future__ import annotations

import pytest
import torch

from faceloom.models.batches import Batched, takes_batches
from faceloom.models.graph import Graph
from faceloom.models.slices import Slice

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402


def graph(nodes, weights, shape=(1, 3, 4, 4), outputs=("y",)):
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    picture = helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))
    constants = [numpy_helper.from_array(value.numpy(), key) for key, value in weights.items()]
    proto = helper.make_graph(nodes, "graph", [picture], values, constants)
    opset = [helper.make_opsetid("", 13)]
    return Graph.from_proto(helper.make_model(proto, opset_imports=opset, ir_version=8))


# onnxruntime 1.22 on np.arange(6).reshape(2, 3): starts, ends, axes, steps, result
SLICES = [
    ([0], [1], None, None, [[0, 1, 2]]),
    ([0, -2], [2**31 - 1, -1], [0, 1], None, [[1], [4]]),
    ([-1], [-(2**31)], [1], [-2], [[2, 0], [5, 3]]),
    ([-100], [100], [-1], [2], [[0, 2], [3, 5]]),
]


@pytest.mark.parametrize(("starts", "ends", "axes", "steps", "wanted"), SLICES)
def test_slices(starts, ends, axes, steps, wanted):
    numbers = [None if v is None else torch.tensor(v) for v in (starts, ends, axes, steps)]
    got = Slice()(torch.arange(6).reshape(2, 3), *numbers)
    assert got.tolist() == wanted


def test_graphs_slice_without_a_warning():
    ends = {"from": torch.tensor([1]), "to": torch.tensor([3]), "axes": torch.tensor([2])}
    node = helper.make_node("Slice", ["x", "from", "to", "axes"], ["y"])
    x = torch.rand(1, 3, 4, 4)
    assert torch.equal(graph([node], ends).to_module()(x), x[:, :, 1:3])


def test_weights_that_pass_through_identity_nodes():
    make = helper.make_node
    nodes = [
        make("Identity", ["bias"], ["same"]),
        make("Identity", ["same"], ["again"]),
        make("Conv", ["x", "kernel", "again"], ["y"]),
    ]
    weights = {"kernel": torch.rand(2, 3, 1, 1), "bias": torch.tensor([1.0, 2])}
    x = torch.rand(1, 3, 4, 4)
    got = graph(nodes, weights).to_module()(x)
    torch.testing.assert_close(got, torch.conv2d(x, weights["kernel"], weights["bias"]))


def reshaped(shape):
    node = helper.make_node("Reshape", ["x", "shape"], ["y"])
    return graph([node], {"shape": torch.tensor(shape)})


@pytest.mark.parametrize(
    ("shape", "whole"), [([-1, 3], True), ([0, -1, 4], True), ([1, -1, 4], False)]
)
def test_batches_equal_single_frames(shape, whole):
    one = reshaped(shape)
    assert takes_batches(one) == whole
    module = Batched(one.to_module(), one)
    x = torch.rand(3, 3, 4, 4)
    (got,) = module(x)
    wanted = torch.cat([one.to_module()(frame) for frame in x[:, None]])
    assert torch.equal(got, wanted)


def test_a_batch_fixed_in_a_shape_that_the_graph_computes():
    make = helper.make_node
    for first, whole in ((torch.tensor([1]), False), (torch.tensor([-1]), True)):
        nodes = [
            make("Constant", [], ["front"], value=numpy_helper.from_array(first.numpy())),
            make("Concat", ["front", "rest"], ["shape"], axis=0),
            make("Reshape", ["x", "shape"], ["y"]),
        ]
        assert takes_batches(graph(nodes, {"rest": torch.tensor([3, 16])})) == whole


def test_resizing_to_a_fixed_size_fixes_the_batch():
    node = helper.make_node("Resize", ["x", "", "", "sizes"], ["y"], mode="nearest")
    assert not takes_batches(graph([node], {"sizes": torch.tensor([1, 3, 8, 8])}))
    node = helper.make_node("Resize", ["x", "", "scales"], ["y"], mode="nearest")
    assert takes_batches(graph([node], {"scales": torch.tensor([1.0, 1, 2, 2])}))
