from __future__ import annotations

import io
import warnings
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from faceloom import models
from faceloom.bench.aei import literal
from faceloom.models.aad import AADOptions
from faceloom.models.aei import AEISizes
from faceloom.models.attribute_encoder import ResNetSizes, UNetSizes
from faceloom.models.ghost import detect_graph
from faceloom.models.ghost.adapter import GHOST
from faceloom.models.ghost.network import GHOSTNetwork
from faceloom.models.graph import Graph

UNET = UNetSizes((4, 5, 6), (5, 3))
LINKNET = UNetSizes((4, 5, 6), (5, 4), add=True)
RESNET = ResNetSizes((4, 5), (2, 3), (2, 1))
SMALL = AEISizes(UNET, (9, 8, 8, 7), identity=9)
# shared/specs/systems.md, section 3b: parameters and keys of the published networks.
PUBLISHED = {
    "unet": (UNetSizes(), [(128_469_133, 223), (184_343_381, 311), (240_217_629, 399)]),
    "linknet": (UNetSizes(add=True), [(112.75e6, 223), (164.78e6, 311), (216.80e6, 399)]),
    "resnet": (ResNetSizes(), [(80.19e6, 409), (136.06e6, 497), (191.94e6, 585)]),
}
COUNTS = [(kind, steps) for kind in PUBLISHED for steps in (1, 2, 3)]
MAPS = [1024, 2048, 1024, 512, 256, 128, 64, 64]


def small(**sizes):
    torch.manual_seed(0)
    network = GHOSTNetwork(replace(SMALL, **sizes)).eval().requires_grad_(False)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    return network


def inputs_of(network, faces=2, identities=1):
    generator = torch.Generator().manual_seed(1)
    target = torch.rand(faces, 3, network.size, network.size, generator=generator) * 2 - 1
    return target, torch.randn(faces * identities, network.length, generator=generator)


@pytest.mark.parametrize("name", ["ghost_aei_unet_2", "ghost_aei_linknet_2"])
def test_published_network_agrees_with_the_reference(name, reference):
    golden = reference(name)
    network = models.load(golden.weights(), "swapper").network
    assert network.state_dict().keys() == golden.facts["state_dict"].keys()
    assert sum(each.numel() for each in network.parameters()) == golden.facts["parameters"]
    image, maps = network(golden.input("target"), golden.input("identity"))
    golden.check(image=image, **{f"attr{level}": each for level, each in enumerate(maps, 1)})


@pytest.mark.parametrize(("kind", "steps"), COUNTS)
def test_published_networks_have_their_counts(kind, steps):
    encoder, counts = PUBLISHED[kind]
    with torch.device("meta"):
        network = GHOSTNetwork(AEISizes(encoder, steps=steps))
    parameters, entries = counts[steps - 1]
    assert sum(each.numel() for each in network.parameters()) == pytest.approx(parameters, abs=5e3)
    assert len(network.state_dict()) == entries
    channels = MAPS if kind != "linknet" else [1024, 1024, 512, 256, 128, 64, 32, 32]
    assert network.parts.encoder.channels == channels
    assert (network.size, network.length) == (256, 512)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize(
    "sizes",
    [
        {"steps": 1},
        {"steps": 2},
        {"steps": 3, "encoder": LINKNET},
        {"steps": 2, "encoder": RESNET},
        {"encoder": replace(UNET, bias=True), "identity": 4, "widths": (5, 5, 3, 2)},
        {"options": AADOptions(3, 3, mask_per_channel=True, batch_norm=True, bias=True)},
        {"options": AADOptions(mask_kernel=3, bias=True), "encoder": LINKNET},
    ],
)
def test_every_size_is_read_from_the_weights(sizes, suffix, tmp_path):
    built = small(**sizes)
    path = tmp_path / f"any_name{suffix}"
    save = torch.save if suffix == ".pth" else save_file
    save(built.state_dict(), path)
    model = models.load(path)
    assert isinstance(model, GHOST)
    assert (model.size, model.length) == (16, built.length)
    assert model.network.state_dict().keys() == built.state_dict().keys()
    inputs = inputs_of(built)
    torch.testing.assert_close(model.network(*inputs), built(*inputs))


@pytest.mark.parametrize("faces", [1, 3])
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_network_is_its_layers_one_by_one(steps, faces):
    deep = {"encoder": UNetSizes((4,) * 7, (4,) * 6), "widths": (6,) * 8}
    network = small(steps=steps, **deep)
    inputs = inputs_of(network, faces)
    assert network.size == 256
    torch.testing.assert_close(network(*inputs), literal(network, *inputs), atol=2e-5, rtol=1e-4)


def test_faces_share_their_attributes_between_identities():
    network = small(encoder=UNetSizes((4,) * 6, (4,) * 5), widths=(6,) * 7)
    target, embedding = inputs_of(network, faces=2, identities=3)
    shared = network.generate(network.attributes(target), embedding)
    wanted, _ = network(target.repeat_interleave(3, 0), embedding)
    torch.testing.assert_close(shared, wanted, atol=1e-5, rtol=1e-4)


def test_half_precision_comes_close():
    network = small()
    inputs = inputs_of(network)
    with torch.autocast("cpu", torch.bfloat16):
        half, _ = network(*inputs)
    assert (half - network(*inputs)[0]).abs().mean() < 0.02


@pytest.mark.parametrize(
    ("lost", "named"),
    [
        ("generator.AADBlk3", r"missing: generator\.AADBlk3\.add_blocks\.0\.fc1\.weight"),
        ("encoder.deconv2.bn", r"missing: encoder\.deconv2\.bn\.bias"),
        ("generator.AADBlk4.last", r"missing: generator\.AADBlk4\.last_add_block\.0\.conv1\.bias"),
        ("encoder", r"missing: encoder\.conv1\.0\.weight"),
    ],
)
def test_truncated_weights_are_refused(lost, named):
    state = {key: each for key, each in small().state_dict().items() if not key.startswith(lost)}
    with pytest.raises(models.CheckpointError, match=named):
        models.load(state)


def test_damaged_shapes_are_refused():
    state = small().state_dict() | {"encoder.deconv1.deconv.weight": torch.ones(3)}
    with pytest.raises(models.CheckpointError, match=r"encoder\.deconv1\.deconv\.weight is \[3\]"):
        models.load(state)


def test_foreign_tensors_are_refused():
    state = small().state_dict() | {"generator.AADBlk5.extra": torch.ones(1)}
    with pytest.raises(models.CheckpointError, match=r"unexpected: generator\.AADBlk5\.extra"):
        models.load(state)


# ---- graphs ----


class Published(nn.Module):
    """GHOST as its authors list its layers, with the inputs and outputs of a conversion."""

    def __init__(self, network, source_first, maps):
        super().__init__()
        self.network, self.source_first, self.maps = network, source_first, maps

    def forward(self, first, second):
        target, embedding = (second, first) if self.source_first else (first, second)
        image, maps = literal(self.network, target, embedding)
        return (*maps, image) if self.maps else image


def graph_of(network, source_first=True, maps=False, opset=13):
    onnx = pytest.importorskip("onnx")
    target, embedding = inputs_of(network, faces=1)
    inputs = (embedding, target) if source_first else (target, embedding)
    names = ["source", "target"] if source_first else ["target", "source"]
    module, file = Published(network, source_first, maps).eval(), io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch retires this exporter, which conversions came from
        torch.onnx.export(
            module, inputs, file, input_names=names, opset_version=opset, dynamo=False
        )
    return Graph.from_proto(onnx.load_from_string(file.getvalue()))


@pytest.mark.parametrize(
    ("source_first", "maps", "opset"),
    [(True, False, 11), (False, False, 13), (True, True, 17), (True, False, 18)],
)
def test_conversions_swap_as_the_network_does(source_first, maps, opset):
    network = small(steps=1 + maps)
    graph = graph_of(network, source_first, maps, opset)
    assert [entry.name for entry in models.ARCHITECTURES if entry.detect_graph(graph)] == ["ghost"]
    entry = next(entry for entry in models.ARCHITECTURES if entry.name == "ghost")
    model = entry.load_graph(graph, graph.to_module())
    assert isinstance(model, models.Swapper)
    assert (model.size, model.length) == (network.size, network.length)
    target, embedding = inputs_of(network, faces=2, identities=2)
    found = model.network.generate(model.network.attributes(target), embedding)
    wanted = network.generate(network.attributes(target), embedding)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)


def test_graphs_with_the_same_inputs_are_not_ghost():
    graph = graph_of(small())
    assert detect_graph(graph)
    for node in graph.proto.graph.node:
        if node.op_type == "ConvTranspose":
            node.op_type = "Upsample"  # as in SimSwap and its kin
    assert not detect_graph(graph)
    assert not detect_graph(replace(graph, inputs={"target": (1, 3, 256, 256)}))
    assert not detect_graph(replace(graph, outputs={"embedding": (1, 512)}))


def test_an_embedding_of_another_length_is_another_network():
    graph = graph_of(small())
    assert not detect_graph(replace(graph, inputs=graph.inputs | {"source": (1, 10)}))
