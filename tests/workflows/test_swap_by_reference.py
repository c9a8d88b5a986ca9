"""`swap_by_reference.json` on drawn people whom a fake encoder tells apart by hue."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

import faceloom
from faceloom.headless.core_nodes import CORE_NODES
from faceloom.headless.execute import Runner
from faceloom.headless.graph import WorkflowError
from faceloom.headless.overrides import find_node
from faceloom.headless.workflow import read_workflow
from faceloom.host.node_api import io
from faceloom.host.session import Session
from faceloom.nodes import NODES, loaders

FILE = Path(faceloom.__file__).with_name("workflows") / "swap_by_reference.json"
SOURCE, REFERENCE, TARGET = (100, 90), (90, 100), (96, 150)  # (H, W)
ONE_BOX = [(18.0, 14.0, 70.0, 78.0)]
TARGET_BOXES = [(10.0, 15.0, 58.0, 75.0), (86.0, 22.0, 134.0, 82.0)]
CROP = 128


@pytest.fixture
def run(world, tmp_path, monkeypatch, detector, landmarker, parser, encoder):
    """Run the workflow with people of these hues; gives target, result and the match's text."""
    fakes = {
        "detector": detector,
        "landmarker": landmarker,
        "parser": parser,
        "encoder": encoder,
    }
    instead = {
        "validate_inputs": lambda cls, model: True,
        "fingerprint_inputs": lambda cls, model: cls.role,
        "execute": lambda cls, model: io.NodeOutput(fakes[cls.role]),
    }
    for name, function in instead.items():
        monkeypatch.setattr(loaders._Loader, name, classmethod(function))
    runner = Runner(
        [*NODES, *CORE_NODES],
        Session(device=torch.device("cpu"), input_dir=tmp_path, output_dir=tmp_path),
    )

    def draw(name, size, boxes, hues):
        picture = world.dye(world.picture(*size, boxes, seed=1), hues)
        pixels = (picture[0] * 255).round().byte()
        Image.fromarray(pixels.numpy()).save(tmp_path / f"{name}.png")
        return pixels[None] / 255

    def run(reference, target):
        draw("source", SOURCE, ONE_BOX, ["green"])
        draw("reference", REFERENCE, ONE_BOX[: len(reference)], reference)
        before = draw("target", TARGET, TARGET_BOXES, target)
        graph = read_workflow(FILE, runner.specs)
        for node in graph.nodes.values():
            if node.type == "FaceLoomAlignFaces":
                node.set("size", CROP)
        results = runner.run(graph).results
        outputs = [
            results[find_node(graph, name).id].outputs
            for name in ("FaceLoomPasteFaces", "FaceLoomMatchIdentity")
        ]
        return before, outputs[0][0][0], outputs[1][2][0]

    return run


def changed(before, after, place):
    x0, y0, x1, y1 = map(int, TARGET_BOXES[place])
    return ((before != after).any(-1)[0, y0:y1, x0:x1]).float().mean()


@pytest.mark.parametrize(("target", "swapped"), [(["red", "blue"], 0), (["blue", "red"], 1)])
def test_only_the_person_of_the_reference_is_swapped(run, target, swapped):
    before, after, text = run(["red"], target)
    assert changed(before, after, swapped) > 0.3
    assert changed(before, after, 1 - swapped) == 0
    assert text.startswith("1 of 2 faces match")


def test_where_the_person_is_not_every_bit_stays(run):
    before, after, text = run(["green"], ["blue", "red"])
    assert torch.equal(before, after)
    assert text.startswith("0 of 2 faces match")


def test_a_reference_without_a_face_is_said_in_one_line(run):
    with pytest.raises(WorkflowError, match=r"Match Identity .*: the reference is empty") as error:
        run([], ["red", "blue"])
    assert "\n" not in str(error.value)
