"""The shipped workflows as files: what the editor would make of them."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import pytest
from PIL import Image

import faceloom
from faceloom.headless.cli import main
from faceloom.headless.core_nodes import CORE_NODES
from faceloom.headless.execute import Runner
from faceloom.headless.widgets import read_widgets
from faceloom.host.session import Session
from faceloom.nodes import NODES

FILES = sorted(Path(faceloom.__file__).with_name("workflows").glob("*.json"))
NOTES = ("Note", "MarkdownNote")
TITLE_HEIGHT = 30  # of a node, above its position
# Nodes that only ComfyUI has, by the pack that the editor names in the file; tests/host compares
# them with the real ones.
ELSEWHERE = {
    "comfy-core": {
        "CheckpointLoaderSimple",
        "CLIPTextEncode",
        "KSampler",
        "SetLatentNoiseMask",
        "VAEDecode",
        "VAEEncode",
        "VAEEncodeForInpaint",
    },
    "comfyui-impact-pack": {"DetailerForEach"},
}
DIFFUSION = {"faces_as_segs_detailer", "inpaint_face_region", "swap_then_refine_diffusion"}


@pytest.fixture(scope="module", params=FILES, ids=lambda path: path.stem)
def file(request):
    return request.param


@pytest.fixture(scope="module")
def saved(file):
    return json.loads(file.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def specs():
    return Runner([*NODES, *CORE_NODES], Session()).specs


def test_the_promised_files_are_there():
    swaps = {"swap_faces", "swap_one_of_many", "swap_by_reference"}
    assert swaps | {"align_edit_paste", "face_parts_mask"} <= {path.stem for path in FILES}
    assert {path.stem for path in FILES} >= DIFFUSION


def test_file_has_a_thumbnail_for_the_template_browser(file):
    with Image.open(file.with_suffix(".jpg")) as picture:
        width, height = picture.size
    assert 300 < width <= 640
    assert 200 < height <= 420
    assert file.with_suffix(".jpg").stat().st_size < 100_000


def is_elsewhere(node):
    return node["type"] in ELSEWHERE.get(node["properties"].get("cnr_id"), ())


def test_only_the_diffusion_workflows_need_comfyui(file, saved, specs):
    foreign = [node for node in saved["nodes"] if is_elsewhere(node)]
    assert bool(foreign) == (file.stem in DIFFUSION)
    assert not any(node["type"] in specs for node in foreign)


@pytest.mark.parametrize("name", sorted(DIFFUSION))
def test_the_command_says_which_nodes_only_comfyui_has(name, tmp_path, capsys):
    path = next(path for path in FILES if path.stem == name)
    assert main(["run", str(path), "-o", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "the node type 'CheckpointLoaderSimple' is unknown here" in err
    assert "one of ComfyUI's own" in err
    assert "--server URL" in err
    assert ("DetailerForEach of comfyui-impact-pack" in err) == (name == "faces_as_segs_detailer")


def test_file_knows_its_nodes_and_their_widgets(saved, specs):
    for node in saved["nodes"]:
        if node["type"] in NOTES or is_elsewhere(node):
            continue
        spec = specs[node["type"]]
        widgets = [socket for socket in spec.inputs if socket.is_widget]
        uploads = sum(socket.is_upload for socket in widgets)
        assert len(node["widgets_values"]) == len(widgets) + uploads, node["type"]
        _, cells = read_widgets(spec, node["widgets_values"])
        assert set(cells) == {socket.name for socket in widgets}, node["type"]
        slots = {slot["name"]: slot["type"] for slot in node["inputs"]}
        slots.pop("upload", None)
        assert slots == {socket.name: socket.type for socket in spec.inputs}, node["type"]
        outputs = [(slot["name"], slot["type"]) for slot in node["outputs"]]
        assert outputs == [(output.name, output.type) for output in spec.outputs], node["type"]


def test_file_is_wired_consistently(saved):
    nodes = {node["id"]: node for node in saved["nodes"]}
    assert saved["last_node_id"] == max(nodes)
    assert saved["last_link_id"] == max(link[0] for link in saved["links"])
    into = {slot["link"]: node["id"] for node in nodes.values() for slot in node["inputs"]}
    into.pop(None, None)
    assert set(into) == {link[0] for link in saved["links"]}
    listed = [
        number
        for node in nodes.values()
        for slot in node["outputs"]
        for number in slot.get("links") or []
    ]
    assert sorted(listed) == sorted(into)
    for number, origin, out, goal, place, kind in saved["links"]:
        given, taken = nodes[origin]["outputs"][out], nodes[goal]["inputs"][place]
        assert number in given["links"]
        assert taken["link"] == number
        assert given["type"] == taken["type"] == kind


def rectangle(node):
    (x, y), (width, height) = node["pos"], node["size"]
    return x, y - TITLE_HEIGHT, x + width, y + height


def test_nodes_do_not_cover_each_other(saved):
    for one, other in combinations(saved["nodes"], 2):
        (a, b, c, d), (e, f, g, h) = rectangle(one), rectangle(other)
        apart = c <= e or g <= a or d <= f or h <= b
        assert apart, f"{one['type']} #{one['id']} covers {other['type']} #{other['id']}"


def test_groups_hold_whole_nodes(saved):
    for group in saved["groups"]:
        x, y, width, height = group["bounding"]
        held = 0
        for node in saved["nodes"]:
            a, b, c, d = rectangle(node)
            inside = x <= a and y <= b and c <= x + width and d <= y + height
            outside = c <= x or x + width <= a or d <= y or y + height <= b
            assert inside or outside, f"{group['title']} cuts {node['type']} #{node['id']}"
            held += inside
        assert held, f"{group['title']} is empty"


def test_file_has_a_note_and_an_order_that_runs(saved):
    notes = [node for node in saved["nodes"] if node["type"] in NOTES]
    assert notes
    assert all(len(node["widgets_values"][0]) > 50 for node in notes)
    order = {node["id"]: node["order"] for node in saved["nodes"]}
    assert len(set(order.values())) == len(order)
    assert all(order[link[1]] < order[link[3]] for link in saved["links"])
