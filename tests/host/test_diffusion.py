"""FaceLoom between ComfyUI's own diffusion nodes, with a small checkpoint of random weights."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import faceloom
from faceloom.headless.graph import Link, Node
from faceloom.headless.overrides import find_node, override
from faceloom.headless.server import fetch, read_specs, run_on_server, send, wait
from faceloom.headless.workflow import read_workflow
from faceloom.tests.host.comfyui import PYTHON, checkout

WORKFLOWS = Path(faceloom.__file__).with_name("workflows")
SCRIPT = Path(__file__).with_name("tiny_checkpoint.py")
NAME = "tiny.ckpt"
NAMES = ("swap_then_refine_diffusion", "inpaint_face_region")


@pytest.fixture(scope="module")
def host(comfyui):
    """The server with the checkpoint in its folder."""
    folder = comfyui.base / "models" / "checkpoints"
    folder.mkdir(parents=True, exist_ok=True)
    command = [PYTHON, str(SCRIPT), str(checkout()), str(folder / NAME)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    return comfyui


@pytest.fixture
def run(host, tmp_path):
    """Run a workflow on the server; gives its result, Paste Faces' mask and what the VAE decoded.

    All of them [H, W, 3] in 0..255.
    """
    specs = read_specs(host.server.get_json("/object_info"))

    def go(name, *changes, size=128):
        graph = read_workflow(WORKFLOWS / f"{name}.json", specs)
        for node in graph.nodes.values():
            if node.type == "FaceLoomAlignFaces":
                node.set("size", size)
        few = ("Load Checkpoint.ckpt_name=" + NAME, "KSampler.steps=2")
        for change in (*few, *changes):
            override(graph, specs, change)
        paste, decoded = (find_node(graph, kind).id for kind in ("FaceLoomPasteFaces", "VAEDecode"))
        show = {"mask": Node("mask", "MaskToImage", "mask", {"mask": Link(paste, 1)})}
        for key, link in (("saved mask", Link("mask", 0)), ("decoded", Link(decoded, 0))):
            show[key] = Node(key, "SaveImage", key, {"images": link, "filename_prefix": key})
        graph.nodes |= show
        prompt, notes = send(host.server, graph)
        assert not notes
        outputs = wait(host.server, prompt, graph)
        result = find_node(graph, "Result").id
        entries = [outputs[key]["images"][0] for key in (result, "saved mask", "decoded")]
        return [
            np.asarray(Image.open(fetch(host.server, entry, tmp_path)).convert("RGB"))
            for entry in entries
        ]

    return go


@pytest.fixture
def target(host):
    return np.asarray(Image.open(host.base / "input" / "target.png").convert("RGB"))


def check_only_faces_changed(picture, mask, target):
    assert picture.shape == mask.shape == target.shape
    changed = np.abs(picture.astype(int) - target)
    # A mask of less than 1/255 is saved as 0, and may change a colour by as little.
    assert changed[mask == 0].max() <= 1
    assert ((mask > 20) & (mask < 235)).any()  # it fades
    assert 0.002 < (mask > 127).mean() < 0.3
    assert changed[mask > 250].mean() > 5


@pytest.mark.parametrize("name", NAMES)
def test_only_the_faces_change(run, target, name):
    picture, mask, _ = run(name)
    check_only_faces_changed(picture, mask, target)


@pytest.mark.parametrize(("multiple", "side"), [(8, 136), (64, 192), (1, 128)])
def test_crops_are_as_large_as_the_vae_takes_whole(run, target, multiple, side):
    """Of 130 px the VAE would cut off two, and shift the face."""
    change = f"FaceLoomAlignFaces.multiple={multiple}"
    picture, mask, decoded = run("inpaint_face_region", change, size=130)
    assert decoded.shape == (side, side, 3)
    check_only_faces_changed(picture, mask, target)


def test_no_face_at_all_gives_the_picture_back(run, host):
    wall = np.asarray(Image.open(host.base / "input" / "wall.png").convert("RGB"))
    for name, title in zip(NAMES, ("Target", "Picture"), strict=True):
        picture, mask, _ = run(name, f"{title}.image=wall.png")
        assert np.array_equal(picture, wall)
        assert mask.max() == 0


def test_the_command_lets_a_server_run_them(host, tmp_path):
    changes = [f"Load Checkpoint.ckpt_name={NAME}", "KSampler.steps=1"]
    changes.append("FaceLoomAlignFaces.size=64")
    path = WORKFLOWS / "inpaint_face_region.json"
    pictures, notes = run_on_server(host.url, path, changes, tmp_path)
    assert not notes
    assert [picture.suffix for picture in pictures] == [".png"]


@pytest.mark.parametrize("name", NAMES)
def test_the_files_know_the_hosts_nodes(host, name):
    """Inputs and outputs of ComfyUI's own nodes, as the editor would save them."""
    specs = read_specs(host.server.get_json("/object_info"))
    saved = json.loads((WORKFLOWS / f"{name}.json").read_text(encoding="utf-8"))
    for node in saved["nodes"]:
        if node["properties"].get("cnr_id") != "comfy-core":
            continue
        spec = specs[node["type"]]
        slots = {slot["name"]: slot["type"] for slot in node["inputs"]}
        assert slots == {socket.name: socket.type for socket in spec.inputs}
        outputs = [(slot["name"], slot["type"]) for slot in node["outputs"]]
        assert outputs == [(output.name, output.type) for output in spec.outputs]
        extras = sum(socket.has_control for socket in spec.inputs)
        widgets = sum(socket.is_widget for socket in spec.inputs)
        assert len(node["widgets_values"]) == widgets + extras
