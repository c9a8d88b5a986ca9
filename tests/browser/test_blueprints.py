"""The blueprints on ComfyUI's own page: found by search, added as one node, wired and run."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import faceloom
from faceloom.headless.core_nodes import CORE_NODES
from faceloom.headless.execute import Runner
from faceloom.headless.workflow import parse_workflow, to_api
from faceloom.host.session import Session
from faceloom.nodes import NODES
from faceloom.tests.browser.conftest import about_us
from faceloom.tests.host.comfyui import checkout

FILES = sorted(Path(faceloom.__file__).with_name("subgraphs").glob("*.json"))
RESTORER = "small_restorer.pth"
# Nodes around a blueprint, which give its inputs by name and show its first output.
AROUND = """async ([name, restorer]) => {
  const blueprint = app.graph._nodes.find((node) => node.title === name);
  blueprint.pos = [1140, 100];
  const make = (type, x, y, values = {}) => {
    const node = LiteGraph.createNode(type);
    node.pos = [x, y];
    app.graph.add(node);
    for (const [key, value] of Object.entries(values)) {
      node.widgets.find((widget) => widget.name === key).value = value;
    }
    return node;
  };
  const wire = (from, slot, to, name) => from.connect(slot, to, to.findInputSlot(name));
  const pictures = {source: "source.png", target: "target.png", image: "target.png"};
  let y = 100;
  const onCrops = blueprint.inputs[0].type === "FL_CROPS";
  const detector = onCrops && make("FaceLoomLoadFaceDetector", 40, 900);
  const landmarker = onCrops && make("FaceLoomLoadFaceLandmarker", 400, 900);
  for (const slot of blueprint.inputs.filter((input) => input.name in pictures)) {
    let last = make("LoadImage", 40, y, {image: pictures[slot.name]});
    if (onCrops) {
      const [picture, detect] = [last, make("FaceLoomDetectFaces", 400, y)];
      const find = make("FaceLoomFindLandmarks", 400, y + 200);
      last = make("FaceLoomAlignFaces", 760, y, {template: "square_box", size: 128});
      for (const node of [detect, find, last]) wire(picture, 0, node, "image");
      wire(detector, 0, detect, "detector");
      wire(detect, 0, find, "faces");
      wire(landmarker, 0, find, "landmarker");
      wire(find, 0, last, "faces");
    }
    wire(last, 0, blueprint, slot.name);
    y += 400;
  }
  const end = make("PreviewImage", 1800, 100);
  const last = onCrops ? make("FaceLoomCropsToImage", 1500, 100) : blueprint;
  if (onCrops) wire(blueprint, 0, last, "crops");
  wire(last, 0, end, "images");
  const choice = blueprint.widgets.find((widget) => widget.name === "restorer");
  if (choice) choice.value = restorer;
  app.canvas.ds.scale = 0.75;
  app.canvas.ds.offset = [0, 60];
}"""
PROMPT = "async () => (await app.graphToPrompt()).output"
SHOWN = """() => {
  const node = app.graph._nodes.find((node) => node.type === "PreviewImage");
  return (node.imgs ?? []).map((img) => [img.naturalWidth, img.naturalHeight]);
}"""


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def name(request):
    return request.param.stem


@pytest.fixture(scope="module", autouse=True)
def restorer(host):
    """A small restorer of random weights among the server's models."""
    if not (checkout() / "app" / "subgraph_manager.py").is_file():
        pytest.skip("this ComfyUI is older than blueprints")
    from spandrel.architectures.RestoreFormer import RestoreFormer

    torch.manual_seed(0)
    sizes = {"n_embed": 16, "embed_dim": 8, "ch": 32, "z_channels": 8}
    network = RestoreFormer(**sizes, ch_mult=(1,) * 6, num_res_blocks=1)
    torch.save(network.state_dict(), host.base / "models" / "faceloom" / RESTORER)


def add(page, name):
    """Double-click an empty place, type the blueprint's name, and choose it."""
    page.mouse.dblclick(800, 400)
    page.keyboard.type(name)
    option = page.get_by_role("option").filter(has_text=name)
    option.filter(has=page.get_by_text(name, exact=True)).first.click()
    page.wait_for_function("() => app.graph._nodes.length === 1")


def without_titles(prompt):
    return {
        name: {key: node[key] for key in ("class_type", "inputs")} for name, node in prompt.items()
    }


def test_a_blueprint_is_found_and_is_one_node_that_runs(page, name, complaints, screenshots):
    add(page, name)
    (title,) = page.evaluate("() => app.graph._nodes.map((node) => node.title)")
    assert title == name
    page.evaluate(AROUND, [name, RESTORER])
    page.wait_for_timeout(500)
    page.screenshot(path=screenshots / f"blueprint {name}.png")
    saved = page.evaluate("() => app.graph.serialize()")
    specs = Runner([*NODES, *CORE_NODES], Session()).specs
    ours = to_api(parse_workflow(saved, specs))
    assert without_titles(page.evaluate(PROMPT)) == without_titles(ours)
    page.evaluate("async () => { await app.queuePrompt(0) }")
    page.wait_for_function(f"() => ({SHOWN})().length", timeout=120_000)
    page.wait_for_timeout(500)
    page.screenshot(path=screenshots / f"blueprint {name} ran.png")
    assert page.evaluate(SHOWN)
    assert not about_us(complaints)
