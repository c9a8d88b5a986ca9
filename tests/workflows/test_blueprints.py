"""The blueprints: files as ComfyUI's editor publishes a subgraph, run as one node each."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest
import torch
from PIL import Image
from torch import nn

import faceloom
from faceloom.headless.core_nodes import CORE_NODES
from faceloom.headless.execute import Runner
from faceloom.headless.overrides import find_node
from faceloom.headless.widgets import read_widgets
from faceloom.headless.workflow import parse_workflow
from faceloom.host.memory import Hosted
from faceloom.host.node_api import io
from faceloom.host.session import Session
from faceloom.nodes import NODES, loaders

PACK = Path(faceloom.__file__).parent
FILES = sorted((PACK / "subgraphs").glob("*.json"))
SIMPLE, CROPS = "Swap Face (simple)", "Swap Face on Crops with Inpaint"
RESTORE = "Restore Faces"
INPUT_BORDER, OUTPUT_BORDER = -10, -20
TITLE_HEIGHT = 30  # of a node, above its position


def load(name, folder="subgraphs"):
    return json.loads((PACK / folder / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module", params=FILES, ids=lambda path: path.stem)
def name(request):
    return request.param.stem


@pytest.fixture(scope="module")
def specs():
    return Runner([*NODES, *CORE_NODES], Session()).specs


def test_the_promised_files_are_there():
    assert {path.stem for path in FILES} == {SIMPLE, CROPS, RESTORE}


# ---- the files ----


def test_a_file_is_one_node_of_one_subgraph(name):
    # What the editor's subgraphStore.ts asks of a blueprint; its name is the file's.
    saved = load(name)
    (node,), (body,) = saved["nodes"], saved["definitions"]["subgraphs"]
    assert saved["links"] == []
    assert node["type"] == body["id"]
    assert node["title"] == body["name"] == name
    assert len(saved["extra"]["BlueprintDescription"]) > 50
    assert (body["version"], body["inputNode"]["id"], body["outputNode"]["id"]) == (1, -10, -20)


def test_the_node_shows_the_subgraphs_inputs_and_outputs(name):
    saved = load(name)
    (node,), (body,) = saved["nodes"], saved["definitions"]["subgraphs"]
    for side in ("inputs", "outputs"):
        shown = [(slot["name"], slot["type"]) for slot in node[side]]
        assert shown == [(slot["name"], slot["type"]) for slot in body[side]]
        assert all(slot.replace("_", "").isalpha() for slot, _ in shown)
    widgets = [slot["name"] for slot in node["inputs"] if "widget" in slot]
    assert node["properties"]["proxyWidgets"] == [["-1", widget] for widget in widgets]
    assert len(node["widgets_values"]) == len(widgets)


def test_every_node_inside_is_known_with_its_widgets(name, specs):
    (body,) = load(name)["definitions"]["subgraphs"]
    for node in body["nodes"]:
        spec = specs[node["type"]]
        widgets = [socket.name for socket in spec.inputs if socket.is_widget]
        assert len(node["widgets_values"]) == len(widgets), node["type"]
        assert set(read_widgets(spec, node["widgets_values"])[1]) == set(widgets)
        slots = {slot["name"]: slot["type"] for slot in node["inputs"]}
        assert slots == {socket.name: socket.type for socket in spec.inputs}, node["type"]
        outputs = [(slot["name"], slot["type"]) for slot in node["outputs"]]
        assert outputs == [(output.name, output.type) for output in spec.outputs], node["type"]


def test_the_inside_is_wired_consistently(name):
    (body,) = load(name)["definitions"]["subgraphs"]
    nodes = {node["id"]: node for node in body["nodes"]}
    wires = {wire["id"]: wire for wire in body["links"]}
    assert body["state"]["lastNodeId"] == max(nodes)
    assert body["state"]["lastLinkId"] == max(wires) == len(wires)
    given, taken = [], []
    for wire in wires.values():
        origin, goal = nodes.get(wire["origin_id"]), nodes.get(wire["target_id"])
        if origin is None:
            assert wire["origin_id"] == INPUT_BORDER
            out = body["inputs"][wire["origin_slot"]]
        else:
            out = origin["outputs"][wire["origin_slot"]]
        if goal is None:
            assert wire["target_id"] == OUTPUT_BORDER
            into = body["outputs"][wire["target_slot"]]
        else:
            into = goal["inputs"][wire["target_slot"]]
            assert into["link"] == wire["id"]
        assert wire["id"] in out.get("linkIds", out.get("links"))
        assert wire["id"] in into.get("linkIds", [into.get("link")])
        assert out["type"] == into["type"] == wire["type"]
        given.append(wire["id"])
    for node in nodes.values():
        taken += [slot["link"] for slot in node["inputs"] if slot["link"] is not None]
    taken += [number for slot in body["outputs"] for number in slot["linkIds"]]
    assert sorted(taken) == sorted(given)
    assert all(slot["linkIds"] for slot in (*body["inputs"], *body["outputs"]))


def test_widgets_outside_are_widgets_inside_and_sockets_are_sockets(name):
    saved = load(name)
    (node,), (body,) = saved["nodes"], saved["definitions"]["subgraphs"]
    widgets = {widget for _, widget in node["properties"]["proxyWidgets"]}
    inner = {entry["id"]: entry for entry in body["nodes"]}
    for wire in body["links"]:
        if wire["origin_id"] == INPUT_BORDER:
            slot = inner[wire["target_id"]]["inputs"][wire["target_slot"]]
            shown = body["inputs"][wire["origin_slot"]]["name"]
            assert ("widget" in slot) == (shown in widgets)


def test_nodes_inside_do_not_cover_each_other(name):
    (body,) = load(name)["definitions"]["subgraphs"]
    boxes = [
        (x, y - TITLE_HEIGHT, x + width, y + height)
        for (x, y), (width, height) in ((node["pos"], node["size"]) for node in body["nodes"])
    ]
    for (a, b, c, d), (e, f, g, h) in combinations(boxes, 2):
        assert c <= e or g <= a or d <= f or h <= b


# ---- running them ----


class Negative:
    """In place of a face restorer: the picture's negative."""

    name: ClassVar[str] = "negative"
    role: ClassVar[str] = "restorer"
    licence: ClassVar[str] = "MIT"
    size: ClassVar[int] = 64
    templates: ClassVar[tuple[str, ...]] = ("ffhq_512",)

    def __init__(self):
        self.network = nn.Identity()

    def restore(self, images, fidelity, batch_statistics=False):
        return 1 - images


@pytest.fixture
def run(world, tmp_path, monkeypatch, detector, landmarker, parser):
    """Run the editor's JSON on drawn faces, with models that know the places."""
    fakes = {
        "detector": detector,
        "landmarker": landmarker,
        "parser": parser,
        "restorer": Hosted(Negative()),
    }
    own = loaders._Loader.execute.__func__
    instead = {
        "validate_inputs": lambda cls, model: True,
        "fingerprint_inputs": lambda cls, model: cls.role,
        "execute": lambda cls, model: (
            io.NodeOutput(fakes[cls.role]) if cls.role in fakes else own(cls, model)
        ),
    }
    for attribute, function in instead.items():
        monkeypatch.setattr(loaders._Loader, attribute, classmethod(function))
    pictures = {
        "source": world.picture(100, 90, [(18.0, 14.0, 70.0, 78.0)], seed=1),
        "target": world.picture(
            96, 150, [(10.0, 15.0, 58.0, 75.0), (86.0, 22.0, 134.0, 82.0)], seed=2
        ),
    }
    for title, picture in pictures.items():
        pixels = (picture[0] * 255).round().byte()
        Image.fromarray(pixels.numpy()).save(tmp_path / f"{title}.png")
    session = Session(device=torch.device("cpu"), input_dir=tmp_path, output_dir=tmp_path)
    runner = Runner([*NODES, *CORE_NODES], session)

    def run(data):
        graph = parse_workflow(data, runner.specs)
        for node in graph.nodes.values():
            if node.type == "FaceLoomAlignFaces":
                node.set("size", 64)
        results = runner.run(graph).results
        paste = results[find_node(graph, "FaceLoomPasteFaces").id].outputs
        return SimpleNamespace(image=paste[0][0], mask=paste[1][0], graph=graph)

    run.target = (pictures["target"] * 255).round() / 255
    return run


def with_values(name, values):
    """A blueprint's JSON and the one node in it, with these values in its widgets."""
    data = load(name)
    (node,) = data["nodes"]
    shown = [widget for _, widget in node["properties"]["proxyWidgets"]]
    for widget, value in values.items():
        node["widgets_values"][shown.index(widget)] = value
    return data, node


def load_image(number, picture):
    outputs = [{"name": "IMAGE", "type": "IMAGE"}, {"name": "MASK", "type": "MASK"}]
    return {
        "id": number,
        "type": "LoadImage",
        "mode": 0,
        "inputs": [],
        "outputs": outputs,
        "widgets_values": [f"{picture}.png", "image"],
    }


def save_image(number):
    slot = {"name": "images", "type": "IMAGE", "link": None}
    return {
        "id": number,
        "type": "SaveImage",
        "mode": 0,
        "inputs": [slot],
        "outputs": [],
        "widgets_values": ["blueprint"],
    }


def connect(data, origin, out, goal, name):
    """Draw a wire in the editor's JSON, from an output's number to an input's name."""
    place = next(at for at, slot in enumerate(goal["inputs"]) if slot["name"] == name)
    number = max((link[0] for link in data["links"]), default=0) + 1
    goal["inputs"][place]["link"] = number
    kind = goal["inputs"][place]["type"]
    data["links"].append([number, origin["id"], out, goal["id"], place, kind])


def on_pictures(name, pictures, **values):
    """A blueprint between Load Image nodes, by input name, and Save Image."""
    data, node = with_values(name, values)
    for number, (slot, picture) in enumerate(pictures.items(), 2):
        given = load_image(number, picture)
        data["nodes"].append(given)
        connect(data, given, 0, node, slot)
    kept = save_image(9)
    data["nodes"].append(kept)
    connect(data, node, 0, kept, "images")
    return data


BOTH = {"source": "source", "target": "target"}


def test_swap_face_simple_gives_what_swap_faces_gives(run):
    result, wanted = run(on_pictures(SIMPLE, BOTH)), run(load("swap_faces", "workflows"))
    assert (result.mask > 0.5).float().mean() > 0.1
    assert torch.equal(result.image, wanted.image)
    assert torch.equal(result.mask, wanted.mask)


def test_its_widgets_reach_the_nodes_inside(run):
    every = run(on_pictures(SIMPLE, BOTH))
    one = run(on_pictures(SIMPLE, BOTH, target_faces="1"))
    assert one.mask[..., :75].max() == 0
    assert torch.equal(one.mask[..., 75:], every.mask[..., 75:])
    faint = run(on_pictures(SIMPLE, BOTH, opacity=0.25, shape="below brow line", likeness=0.0))
    assert (faint.mask > 0).sum() < (every.mask > 0).sum()
    values = {node.type: node.inputs for node in faint.graph.nodes.values()}
    assert values["FaceLoomBlendFaces"]["opacity"] == 0.25
    assert values["FaceLoomReenactFace"]["shape"] == 0.0


def test_swap_on_crops_gives_what_fsgan_image_gives(run):
    data = load("fsgan_image", "workflows")
    blueprint, node = with_values(CROPS, {})
    # All between the aligned crops and Paste Faces goes; the blueprint takes its place.
    (body,) = blueprint["definitions"]["subgraphs"]
    inside = {entry["type"] for entry in body["nodes"]}
    data["nodes"] = [entry for entry in data["nodes"] if entry["type"] not in inside]
    kept = {entry["id"]: entry for entry in data["nodes"]}
    data["links"] = [link for link in data["links"] if {link[1], link[3]} <= set(kept)]
    data["definitions"] = blueprint["definitions"]
    node["id"] = data["last_node_id"] + 1
    data["nodes"].append(node)
    titles = {entry.get("title"): entry["id"] for entry in data["nodes"]}
    for slot in ("source", "target"):
        (aligned,) = (
            kept[goal]
            for _, origin, _, goal, _, _ in data["links"]
            if origin == titles[slot.title()] and kept[goal]["type"] == "FaceLoomAlignFaces"
        )
        connect(data, aligned, 0, node, slot)
    paste = next(entry for entry in data["nodes"] if entry["type"] == "FaceLoomPasteFaces")
    connect(data, node, 0, paste, "crops")
    result, wanted = run(data), run(load("fsgan_image", "workflows"))
    assert (result.mask > 0.5).float().mean() > 0.1
    assert torch.equal(result.image, wanted.image)


def test_restore_faces_restores_them(run):
    result = run(on_pictures(RESTORE, {"image": "target"}, restorer="fake", strength=1.0))
    assert torch.equal(result.image[result.mask == 0], run.target[result.mask == 0])
    inside = result.mask > 0.99
    assert 0.1 < inside.float().mean() < 0.9
    torch.testing.assert_close(
        result.image[inside].mean(), 1 - run.target[inside].mean(), atol=0.03, rtol=0
    )
    same = run(on_pictures(RESTORE, {"image": "target"}, restorer="fake", strength=0.0))
    assert (same.image - run.target).abs().mean() < 0.03
