from __future__ import annotations

import json
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from faceloom.models.facemesh.network import FaceMeshNetwork
from faceloom.models.yunet.network import YuNetNetwork

PARITY = Path(__file__).resolve().parents[1] / "parity"


@pytest.fixture(scope="session")
def fill():
    """The rule by which both sides of a parity check draw weights and inputs from names."""
    spec = spec_from_file_location("parity_fill", PARITY / "fill.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Reference:
    """What a public implementation computed from drawn weights: a file of tests/parity."""

    def __init__(self, fill, name):
        self.fill, self.name = fill, name
        self.facts = json.loads((PARITY / f"{name}.json").read_text())
        self.golden = load_file(PARITY / f"{name}.safetensors")

    def weights(self):
        """A state dict, as the published checkpoint would hold it."""
        shapes = self.facts["state_dict"]
        whole = {key: torch.int64 for key in shapes if key.endswith("tracked")}
        built = {key: torch.zeros(shapes[key], dtype=whole.get(key)) for key in shapes}
        for key in (key for key in shapes if key.endswith(".kernel")):
            # StyleGAN2's smoothing, whose sum is 4 where pixels were spread apart.
            row = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
            gain = 4 if key.endswith(("blur.kernel", "upsample.kernel")) else 1
            built[key] = gain * row * row[:, None]
        layers = (tuple(self.facts.get(name, ())) for name in ("equalized", "mapping"))
        return self.fill.state_dict_for(built, *layers)

    def input(self, name):
        """One of the inputs."""
        entry = self.facts["inputs"][name]
        path = f"{self.name}.{name}"
        return self.fill.input_for(path, tuple(entry["shape"]), entry["kind"])

    def check(self, **outputs):
        """See that outputs, all that the file has, are the reference's."""
        assert set(outputs) == set(self.facts["outputs"])
        for name, found in outputs.items():
            assert list(found.shape) == self.golden[f"{name}.shape"].tolist()
            wanted = self.golden[f"{name}.sample"]
            assert (self.fill.summary(found)["sample"] - wanted).norm() < 1e-4 * wanted.norm()


@pytest.fixture(scope="session")
def reference(fill):
    """Opens a file of tests/parity by its name."""
    return partial(Reference, fill)


@pytest.fixture(scope="session")
def shared_weights():
    """The public weights next to the checkout, which the project itself does not ship."""
    folder = Path(__file__).resolve().parents[3] / "shared" / "weights"
    if not folder.is_dir():
        pytest.skip("the public weights are not in ../shared/weights")
    return folder


def _random_state(network):
    generator = torch.Generator().manual_seed(7)
    return {
        key: torch.rand(value.shape, generator=generator) / 10 + 0.1
        if value.is_floating_point()
        else value
        for key, value in network.state_dict().items()
    }


@pytest.fixture(scope="session")
def yunet_state():
    return _random_state(YuNetNetwork([4, 6, 8, 8, 8, 8], shared=2))


@pytest.fixture(scope="session")
def facemesh_state():
    return _random_state(FaceMeshNetwork([4, 6, 8, 8, 8], hidden=5))


@pytest.fixture(scope="session")
def point_graph():
    """Makes ONNX graphs that find points, of shapes fixed to a batch of 1 as exporters fix them.

    Each value of each output is the mean of the pictures' first channel, times `gain`, plus the
    output's own value in `outputs`.
    """
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    from faceloom.models.graph import Graph

    def build(shape, outputs, gain=1.0, batch=1):
        channel = 1 if shape[0] == 3 else 3
        tensors = {"first": torch.tensor([0]), "flat": torch.tensor([1, 1])}
        make, nodes, values = helper.make_node, [], []
        nodes.append(make("Gather", ["data", "first"], ["channel"], axis=channel))
        nodes.append(make("ReduceMean", ["channel"], ["mean"], axes=[1, 2, 3], keepdims=1))
        nodes.append(make("Reshape", ["mean", "flat"], ["one"]))
        nodes.append(make("Mul", ["one", "gain"], ["scaled"]))
        tensors["gain"] = torch.tensor([gain])
        for name, table in outputs.items():
            tensors[f"{name} table"] = table.float().reshape(1, -1)
            tensors[f"{name} shape"] = torch.tensor([1, *table.shape])
            nodes.append(make("Add", ["scaled", f"{name} table"], [f"{name} flat"]))
            nodes.append(make("Reshape", [f"{name} flat", f"{name} shape"], [name]))
            info = helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, *table.shape])
            values.append(info)
        picture = helper.make_tensor_value_info("data", TensorProto.FLOAT, [batch, *shape])
        constants = [numpy_helper.from_array(v.numpy(), k) for k, v in tensors.items()]
        proto = helper.make_model(
            helper.make_graph(nodes, "points", [picture], values, constants),
            opset_imports=[helper.make_opsetid("", 13)],
        )
        onnx.checker.check_model(proto)
        return Graph.from_proto(proto)

    return build


@pytest.fixture(scope="session")
def two_faces():
    """Faces in frames [2, 3, 300, 400]: 128 px wide and high about (200, 150), without points."""
    from faceloom.faces.convert import faces_from_boxes

    box = torch.tensor([[136.0, 86, 264, 214]]).repeat(2, 1)
    return faces_from_boxes(box, torch.ones(2), torch.tensor([0, 1]), (300, 400), 2)


@pytest.fixture(scope="session")
def grey_frames():
    """Frames [2, 3, 300, 400], the first a quarter and the second three quarters red."""
    shades = torch.tensor([[0.25, 0.5, 1.0], [0.75, 0.5, 0.0]])
    return shades[:, :, None, None].expand(2, 3, 300, 400)
