"""The door against a real ComfyUI, from inside it; skipped where none is found (see comfyui.py)."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from pathlib import Path

import pytest

from faceloom.host import standalone_io
from faceloom.host.node_api import advanced, schema
from faceloom.tests.host.comfyui import PACK, PYTHON, checkout

SCRIPT = Path(__file__).with_name("in_comfyui.py")
# What older descriptions lack: 0.8.0 the first, 0.3.60 both.
NEWER = {"search_aliases", "output_matchtypes"}


def _script():
    spec = importlib.util.spec_from_file_location("in_comfyui", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _same(ours: dict, theirs: dict) -> None:
    ours = json.loads(json.dumps(ours))
    assert set(ours) - NEWER <= set(theirs)
    assert {key: ours[key] for key in theirs if key in ours} == {
        key: theirs[key] for key in theirs if key in ours
    }


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> dict:
    place = checkout()
    base = tmp_path_factory.mktemp("comfyui")
    pack = base / "custom_nodes" / "face.loom"
    pack.parent.mkdir()
    pack.symlink_to(PACK)
    run = subprocess.run(
        [PYTHON, str(SCRIPT), str(place), str(pack), str(base), str(base / "report.json")],
        capture_output=True,
        text=True,
        cwd=base,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return json.loads((base / "report.json").read_text()) | {"log": run.stderr}


def test_stand_in_describes_and_runs_a_node_as_comfyui_does(report):
    script = _script()
    probe = script.probe_node(standalone_io, schema, advanced)
    _same(script.describe(probe), report["probe"])
    ours = json.loads(json.dumps(script.run_probe(probe, standalone_io)))
    assert ours == report["probe_run"] == [["7", "picture"], {"text": ["done"]}, "picture"]


def test_pack_shows_the_same_nodes_in_comfyui(report, tmp_path, monkeypatch):
    from faceloom.nodes import NODES

    # No weights on either side, so that the lists of models agree.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("FACELOOM_MODELS", raising=False)
    ours = {node.GET_SCHEMA().node_id: node for node in NODES}
    assert report["loaded"], report["log"]
    assert "WARNING" not in report["log"], report["log"]
    assert set(ours) == set(report["nodes"])
    for name, node in ours.items():
        _same(_script().describe(node), report["nodes"][name])


def test_host_moves_networks_interrupts_and_finds_weights(report):
    assert report["devices"] == ["cpu", "cpu"]
    assert report["memory"] == {
        "used": [True, True],
        "held": [True],
        "left": 0,
        "device": "cpu",
    }
    assert report["progress"] == {
        "seen": ["a", "b"],
        "bar": [[1, 3], [2, 3]],
        "error": "InterruptProcessingException",
    }
    assert report["folders"] == {
        "files": ["a.safetensors", "models/b.onnx"],
        "found": "models/insightface/models/b.onnx",
        "input": "input",
        "output": "output",
    }


def test_upscale_models_run_in_the_hosts_tiles(report):
    assert report["upscaling"]["off"] < 1e-5
    assert report["upscaling"]["sides"] == [400, 256]
