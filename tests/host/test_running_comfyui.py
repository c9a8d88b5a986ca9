"""A running ComfyUI, asked over HTTP and its websocket as its page asks; see comfyui.py."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image

import faceloom
from faceloom.headless.graph import Graph, WorkflowError
from faceloom.headless.overrides import override
from faceloom.headless.server import fetch, read_specs, send, wait
from faceloom.headless.workflow import parse_workflow, read_workflow
from faceloom.host.session import using
from faceloom.nodes import NODES
from faceloom.tests.host.comfyui import Host, has_option
from faceloom.tests.host.pictures import save_pictures
from faceloom.tests.workflows.random_networks import GHOST, IRSE50, MFIM, MIXING, RAFSWAP

SHIPPED = Path(faceloom.__file__).with_name("workflows")
OLD = Path(__file__).with_name("data") / "swap_faces_0.1.json"
FILES = sorted(path.stem for path in SHIPPED.glob("*.json"))
# Weights that nobody may ship; small random ones stand in.
VALUES = {
    "ghost_image": GHOST,
    "ghost_frames": GHOST,
    "faceshifter": IRSE50,
    "rafswap": RAFSWAP,
    "mfim": MFIM,
    "mfim_id_mixing": MIXING,
}
NEWER = {"search_aliases", "output_matchtypes"}  # not in every ComfyUI's descriptions
BAD_WORDS = re.compile(r"warning|error|traceback|failed|deprecat", re.IGNORECASE)
LONG = 60.0  # seconds for what should come soon


def known(host: Host):
    """The node types that the server knows."""
    return read_specs(host.server.get_json("/object_info"))


def load(path: Path, specs, values=()) -> Graph:
    graph = read_workflow(path, specs)
    for name, value in dict(values).items():
        override(graph, specs, f"{name}={value}")
    return graph


def run(host: Host, graph: Graph, folder: Path) -> tuple[list[np.ndarray], dict[str, Any]]:
    """Run on the server; gives the pictures, and what happened by the event's name."""
    prompt, notes = send(host.server, graph)
    assert not notes
    outputs = wait(host.server, prompt, graph)
    pictures = [
        np.asarray(Image.open(fetch(host.server, entry, folder)))
        for name in sorted(outputs)
        for entry in outputs[name].get("images", [])
    ]
    history = host.server.get_json(f"/history/{prompt}")[prompt]
    return pictures, dict(history["status"]["messages"])


def run_headless(runner, graph: Graph) -> tuple[list[np.ndarray], set[str]]:
    """Run without ComfyUI; gives the pictures, and the nodes that they needed."""
    results = runner.run(graph).results
    pictures = [
        np.asarray(Image.open(entry["path"]))
        for name in sorted(results)
        for entry in results[name].ui.get("images", [])
        if "path" in entry
    ]
    return pictures, set(results)


def check_same(pictures, wanted, difference=1):
    """Largest difference in steps of 1/255."""
    assert len(pictures) == len(wanted) > 0
    for one, other in zip(pictures, wanted, strict=True):
        assert one.shape == other.shape
        assert np.abs(one.astype(int) - other).max() <= difference


# ---- loading ----


def test_pack_loads_without_a_complaint(comfyui):
    lines = [line for line in comfyui.log.splitlines() if "faceloom" in line.lower()]
    assert lines, comfyui.log
    assert not [line for line in lines if BAD_WORDS.search(line)]


def test_pack_loads_in_under_two_seconds(comfyui):
    # The host's own measure, without torch and what else it needs itself.
    (seconds,) = re.findall(r"([\d.]+) seconds.*custom_nodes.faceloom$", comfyui.log, re.MULTILINE)
    assert float(seconds) < 2


def test_host_describes_every_node_as_the_stand_alone_side_does(comfyui, session):
    theirs = comfyui.server.get_json("/object_info")
    with using(session):
        ours = {node.GET_SCHEMA().node_id: node.GET_NODE_INFO_V1() for node in NODES}
    assert {name for name in theirs if "faceloom" in theirs[name]["python_module"]} == set(ours)
    for name, info in json.loads(json.dumps(ours)).items():
        given = {key: value for key, value in theirs[name].items() if key != "python_module"}
        assert {key: info[key] for key in info if key in given} == {
            key: given[key] for key in given if key in info
        }
        assert set(info) - NEWER <= set(given)


# ---- running ----


@pytest.mark.parametrize("name", FILES)
def test_workflow_gives_the_headless_runners_picture_and_the_cached_one_again(
    comfyui, runner, tmp_path, name
):
    path = SHIPPED / f"{name}.json"
    kinds = {node["type"] for node in json.loads(path.read_text(encoding="utf-8"))["nodes"]}
    foreign = kinds - set(runner.specs) - {"Note", "MarkdownNote"}
    if foreign:
        pytest.skip(f"the headless runner lacks {', '.join(sorted(foreign))}")
    graph = load(path, known(comfyui), VALUES.get(name, {}))
    pictures, events = run(comfyui, graph, tmp_path)
    wanted, needed = run_headless(runner, load(path, runner.specs, VALUES.get(name, {})))
    assert set(events["execution_cached"]["nodes"]) < needed
    check_same(pictures, wanted)
    again, events = run(comfyui, graph, tmp_path / "again")
    assert set(events["execution_cached"]["nodes"]) == needed
    check_same(again, pictures, difference=0)


def test_workflow_of_an_old_version_runs(comfyui, runner, tmp_path):
    pictures, _ = run(comfyui, load(OLD, known(comfyui)), tmp_path)
    wanted, _ = run_headless(runner, load(OLD, runner.specs))
    check_same(pictures, wanted)


# ---- progress and interruption ----


class Listener:
    """The page's end of the websocket."""

    def __init__(self, host: Host) -> None:
        websocket = pytest.importorskip("websocket", reason="websocket-client: make test-host")
        self.client = uuid4().hex
        address = host.url.replace("http", "ws", 1)
        self._socket = websocket.create_connection(
            f"{address}/ws?clientId={self.client}", timeout=LONG
        )

    def messages(self, until):
        """Yield (type, data) up to and with the first of these types."""
        while True:
            message = self._socket.recv()
            if isinstance(message, str):
                entry = json.loads(message)
                yield entry["type"], entry["data"]
                if entry["type"] in until:
                    return

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def listener(comfyui):
    listener = Listener(comfyui)
    yield listener
    listener.close()


ENDS = ("execution_success", "execution_error", "execution_interrupted")


def filled(prompt, specs) -> dict[str, Any]:
    """The prompt with every widget that it leaves out at its default."""
    return {
        name: node
        | {
            "inputs": {
                socket.name: socket.default
                for socket in specs[node["class_type"]].inputs
                if socket.is_widget and not socket.is_upload
            }
            | node["inputs"]
        }
        for name, node in prompt.items()
    }


def many_frames(count: int, threshold: float) -> dict[str, Any]:
    """A prompt that finds the faces of many frames, small ones for the memory's sake."""
    kinds = {
        "1": ("LoadImage", {"image": "target.png"}),
        "8": (
            "ImageScale",
            {
                "image": ["1", 0],
                "upscale_method": "area",
                "width": 160,
                "height": 112,
                "crop": "disabled",
            },
        ),
        "2": ("RepeatImageBatch", {"image": ["8", 0], "amount": count}),
        "3": ("FaceLoomLoadFaceDetector", {"model": "built-in"}),
        "5": (
            "FaceLoomDetectFaces",
            {"image": ["2", 0], "detector": ["3", 0], "threshold": threshold},
        ),
        "6": ("FaceLoomPreviewFaces", {"image": ["2", 0], "faces": ["5", 0]}),
        "7": ("PreviewImage", {"images": ["6", 0]}),
    }
    return {name: {"class_type": kind, "inputs": inputs} for name, (kind, inputs) in kinds.items()}


def queue(comfyui, listener, prompt):
    body = {"prompt": filled(prompt, known(comfyui)), "client_id": listener.client}
    status, answer = comfyui.server.post_json("/prompt", body)
    assert status == 200, answer
    return answer["prompt_id"]


def test_progress_reaches_the_page(comfyui, listener):
    queue(comfyui, listener, many_frames(12, 0.61))
    messages = list(listener.messages(ENDS))
    assert messages[-1][0] == "execution_success", messages[-1]
    steps = [
        (data["value"], data["max"])
        for kind, data in messages
        if kind == "progress" and data["node"] == "5"
    ]
    assert len(steps) > 1
    assert steps == sorted(steps)
    assert len({most for _, most in steps}) == 1
    assert steps[-1][0] == steps[-1][1]


def test_interrupt_stops_a_long_batch_and_leaves_the_next_run_alone(comfyui, listener):
    # Long enough that it cannot end before the interrupt comes.
    queue(comfyui, listener, many_frames(400, 0.62))
    for kind, data in listener.messages((*ENDS, "progress")):
        last = (kind, data)
    assert last[0] == "progress"
    asked = time.monotonic()
    comfyui.post("/interrupt", {})
    messages = list(listener.messages(ENDS))
    assert messages[-1][0] == "execution_interrupted"
    assert messages[-1][1]["node_id"] == "5"
    assert time.monotonic() - asked < 10
    values = [data["value"] for kind, data in messages if kind == "progress"] or [0]
    assert values[-1] < last[1]["max"] / 2
    queue(comfyui, listener, many_frames(1, 0.63))
    assert list(listener.messages(ENDS))[-1][0] == "execution_success"


# ---- memory ----


def test_networks_enter_and_leave_the_memory_manager(comfyui, listener):
    def moved(threshold):
        """How many networks the memory manager loads for a run."""
        before = comfyui.log.count("Requested to load")
        queue(comfyui, listener, many_frames(1, threshold))
        assert list(listener.messages(ENDS))[-1][0] == "execution_success"
        return comfyui.log.count("Requested to load") - before

    comfyui.post("/free", {"unload_models": True})
    assert moved(0.64) == 1
    assert moved(0.65) == 0  # the detector is still there
    comfyui.post("/free", {"unload_models": True})
    assert moved(0.66) == 1
    assert "LoomDetector" in comfyui.log.rpartition("Requested to load")[2].partition("\n")[0]


def test_free_empties_the_cache(comfyui, listener):
    prompt = many_frames(1, 0.67)
    cached = []
    for _ in range(2):
        queue(comfyui, listener, prompt)
        seen = dict(listener.messages(ENDS))
        assert "execution_success" in seen
        cached.append(len(seen["execution_cached"]["nodes"]))
        comfyui.post("/free", {"unload_models": True, "free_memory": True})
    assert cached[1] == 0


# ---- what goes wrong ----


def test_a_node_without_its_weights_says_what_to_do_and_others_run(comfyui, tmp_path):
    prompt = many_frames(1, 0.68) | {
        "20": {
            "class_type": "FaceLoomLoadFaceParser",
            "inputs": {"model": "bisenet/my_parser.pth"},
        },
        "21": {
            "class_type": "FaceLoomAlignFaces",
            "inputs": {"image": ["8", 0], "faces": ["5", 0], "size": 64},
        },
        "22": {
            "class_type": "FaceLoomParseFace",
            "inputs": {"crops": ["21", 0], "parser": ["20", 0]},
        },
        "23": {"class_type": "PreviewImage", "inputs": {"images": ["22", 2]}},
    }
    specs = known(comfyui)
    graph = parse_workflow(filled(prompt, specs), specs)
    number, notes = send(comfyui.server, graph)
    assert len(notes) == 1
    assert "Load Face Parser (#20)" in notes[0]
    assert "'bisenet/my_parser.pth' was not found" in notes[0]
    assert str(comfyui.base / "models" / "faceloom") in notes[0]
    assert set(wait(comfyui.server, number, graph)) == {"7"}


def test_a_model_folder_that_cannot_be_written_is_said(tmp_path):
    # Not even root may write there, whom a folder's mode does not stop.
    locked = Path("/proc/tty")
    if not locked.is_dir():
        pytest.skip("there is no /proc")
    base = tmp_path / "ComfyUI"
    (base / "models").mkdir(parents=True)
    (base / "models" / "faceloom").symlink_to(locked)
    save_pictures(base / "input")
    with Host(base) as host:
        specs = known(host)
        choices = specs["FaceLoomLoadFaceDetector"].inputs[0].choices
        prompt = many_frames(1, 0.6)
        prompt["3"]["inputs"]["model"] = next(name for name in choices if "yunet_n_" in name)
        with pytest.raises(WorkflowError) as caught:
            run(host, parse_workflow(filled(prompt, specs), specs), tmp_path)
        said = str(caught.value)
        assert said.startswith("Load Face Detector (#3): yunet_n_dynamic.onnx could not be fetched")
        assert f"save it as {base / 'models' / 'faceloom'}" in said
        prompt = many_frames(1, 0.6) | {
            "11": {"class_type": "FaceLoomLoadFaceEncoder", "inputs": {"model": "built-in"}},
            "13": {
                "class_type": "FaceLoomEncodeIdentity",
                "inputs": {
                    "image": ["8", 0],
                    "faces": ["5", 0],
                    "encoder": ["11", 0],
                    "combine": "mean of all",
                },
            },
            "14": {
                "class_type": "FaceLoomSaveIdentity",
                "inputs": {"identity": ["13", 0]},
            },
        }
        with pytest.raises(WorkflowError, match=r"Save Identity.* could not be saved in .*identit"):
            run(host, parse_workflow(filled(prompt, specs), specs), tmp_path)


@pytest.mark.parametrize(
    ("options", "packs", "difference"),
    [
        ((), ("faceloom", "FaceLoom-main"), 1),
        (("--fp16-intermediates",), ("faceloom",), 4),
    ],
    ids=["two copies installed", "half precision on the wires"],
)
def test_swap_in_a_host_of_another_kind(runner, tmp_path, options, packs, difference):
    for option in options:
        if not has_option(option):
            pytest.skip(f"this ComfyUI has no {option}")
    base = tmp_path / "ComfyUI"
    save_pictures(base / "input")
    with Host(base, options, packs) as host:
        pictures, _ = run(host, load(SHIPPED / "swap_faces.json", known(host)), tmp_path)
        log = host.log
    wanted, _ = run_headless(runner, load(SHIPPED / "swap_faces.json", runner.specs))
    check_same(pictures, wanted, difference)
    assert len(re.findall(r"seconds.*custom_nodes", log)) >= len(packs)
    assert not re.search(r"IMPORT FAILED|Traceback", log)
