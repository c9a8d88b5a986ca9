from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from faceloom import models
from faceloom.faces import Faces
from faceloom.models.alignment import aligned_crops
from faceloom.models.arcface import KNOWN, detect_graph, load_graph
from faceloom.models.arcface.adapter import IMAGENET, ArcFace, Range
from faceloom.models.arcface.network import IResNetNetwork
from faceloom.models.graph import Graph, read_graph
from faceloom.ops.templates import template_points

W600K = "4c06341c33c2ca1f86781dab0e829f88ad5b64be9fba56e56bc9ebdefc619e43"
GHOST = "18bb8057d1cd3ca39411b8a4dde485fa55783e08ceecaf2352f551ca39cd1357"
SIMSWAP = "58949c864ab4a89012aaefc117f1ab8548c5f470bbc3889474bca13a412fc843"


@pytest.fixture(scope="module")
def state():
    torch.manual_seed(0)
    return IResNetNetwork(3, (4, 5, 6, 7), (2, 1, 3, 1), 9).state_dict()


class Mean(nn.Module):
    """Stands in for a converted graph: 512 times the mean of the first channel."""

    def forward(self, images):
        return images[:, 0].mean((1, 2))[:, None].expand(-1, 512)


def make_graph(operations=("Conv",), image=(1, 3, 112, 112), outputs=512, sha256="ab" * 32):
    onnx = pytest.importorskip("onnx")
    tensor, helper = onnx.TensorProto.FLOAT, onnx.helper
    nodes = [
        helper.make_node(kind, [f"x{i}", "w"], [f"x{i + 1}"]) for i, kind in enumerate(operations)
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x0", tensor, image)],
        [helper.make_tensor_value_info(f"x{len(nodes)}", tensor, (1, outputs))],
        [helper.make_tensor("w", tensor, [1], [1.0])],
    )
    return Graph.from_proto(helper.make_model(graph), sha256)


# Blocks of the layers, parameters and state_dict entries as specs of InsightFace's own modules.
@pytest.mark.parametrize(
    ("blocks", "parameters", "entries"),
    [
        ((2, 2, 2, 2), 24_025_600, 187),
        ((3, 4, 14, 3), 43_590_848, 475),
        ((3, 13, 30, 3), 65_156_160, 925),
    ],
)
def test_published_networks_have_the_published_counts(blocks, parameters, entries):
    with torch.device("meta"):
        network = IResNetNetwork(64, (64, 128, 256, 512), blocks, 512)
    assert sum(weight.numel() for weight in network.parameters()) == parameters
    assert len(network.state_dict()) == entries


def test_sizes_are_read_from_shapes(state, tmp_path):
    save_file(state, tmp_path / "x.safetensors")
    model = models.load(tmp_path / "x.safetensors", "encoder")
    assert isinstance(model, ArcFace)
    assert (model.length, model.space) == (9, f"arcface-{model.sha256[:8]}")
    loaded = {key: value.shape for key, value in model.network.state_dict().items()}
    assert loaded == {key: value.shape for key, value in state.items()}
    assert model.embed(torch.rand(2, 3, 112, 112)).shape == (2, 9)


def test_a_data_parallel_checkpoint_loads(state, tmp_path):
    wrapped = {"state_dict": {f"module.{key}": value for key, value in state.items()}}
    torch.save(wrapped, tmp_path / "backbone.pth")
    assert isinstance(models.load(tmp_path / "backbone.pth"), ArcFace)


def test_a_missing_layer_is_named(state):
    short = {key: value for key, value in state.items() if key != "layer3.1.bn2.weight"}
    with pytest.raises(models.CheckpointError, match=r"missing: layer3\.1\.bn2\.weight"):
        models.load(short)


def test_iresnet50_agrees_with_insightface(reference):
    arcface = reference("arcface_iresnet50")
    model = models.load(arcface.weights(), "encoder")
    arcface.check(embedding=model.embed((arcface.input("x") + 1) / 2))


def test_a_graph_is_known_by_its_sizes():
    assert detect_graph(make_graph())
    assert not detect_graph(make_graph(image=(1, 3, 96, 96)))
    assert not detect_graph(make_graph(outputs=3))


@pytest.mark.parametrize(
    ("sha256", "space", "wanted"),
    [
        (W600K, "arcface_w600k_r50", Range()),
        (SIMSWAP, "arcface_simswap", IMAGENET),
        ("cd" * 32, "arcface-cdcdcdcd", Range()),
    ],
)
def test_known_files_have_known_spaces(sha256, space, wanted):
    model = load_graph(make_graph(sha256=sha256), Mean())
    assert (model.space, model.sha256, model.range) == (space, sha256, wanted)
    assert all(len(known) == 64 for known in KNOWN)


def test_ghosts_arcface_sees_faces_as_ghost_aligns_them(world):
    # A head turned to the left, whose points lie on GHOST's template of that pose.
    picture = world.picture(120, 160, [(30, 20, 100, 110)], seed=4)
    faces = world.faces(picture)
    turned = template_points("ghost_left_three_quarter", 112)[None] / 2 + 40
    faces = replace(faces, keypoints=turned)
    model = load_graph(make_graph(sha256=GHOST), Mean())
    assert (model.space, model.template) == ("arcface_ghost", "ghost_best_pose")
    frames = picture.permute(0, 3, 1, 2)
    cut = aligned_crops("test", frames, faces, model.template, 112)
    plain = aligned_crops("test", frames, faces, "ghost_left_three_quarter", 112)
    torch.testing.assert_close(cut, plain, atol=1e-4, rtol=0)
    torch.testing.assert_close(model.encode(frames, faces), model.embed(plain), atol=1e-4, rtol=0)


def test_a_graph_sees_minus_1_to_1_unless_it_scales_itself():
    crops = torch.full((2, 3, 112, 112), 0.25)
    usual = load_graph(make_graph(), Mean())
    torch.testing.assert_close(usual.embed(crops), torch.full((2, 512), -0.5))
    own = load_graph(make_graph(("Sub", "Mul", "Conv")), Mean())
    torch.testing.assert_close(own.embed(crops), torch.full((2, 512), 63.75))


def test_an_onnx_file_runs_as_a_batch(tmp_path):
    """A Flatten and a Gemm of known weights, against the same in torch."""
    onnx = pytest.importorskip("onnx")
    weight = torch.randn(512, 3 * 112 * 112, generator=torch.Generator().manual_seed(0)) / 200
    tensor, helper = onnx.TensorProto.FLOAT, onnx.helper
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["input.1"], ["flat"]),
            helper.make_node("Gemm", ["flat", "w"], ["683"], transB=1),
        ],
        "g",
        [helper.make_tensor_value_info("input.1", tensor, ("None", 3, 112, 112))],
        [helper.make_tensor_value_info("683", tensor, (1, 512))],
        [onnx.numpy_helper.from_array(weight.numpy(), "w")],
    )
    opset = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opset), tmp_path / "w600k_r50.onnx")
    model = models.load(tmp_path / "w600k_r50.onnx", "encoder")
    assert model.space == f"arcface-{read_graph(tmp_path / 'w600k_r50.onnx').sha256[:8]}"
    crops = torch.rand(3, 3, 112, 112, generator=torch.Generator().manual_seed(1))
    wanted = (2 * crops - 1).flatten(1) @ weight.T
    torch.testing.assert_close(model.embed(crops), wanted, rtol=1e-3, atol=1e-3)
    empty = model.encode(torch.rand(1, 3, 64, 64), Faces.empty((64, 64), 1))
    assert empty.shape == (0, 512)
