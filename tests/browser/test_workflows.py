"""The shipped workflows on ComfyUI's own page: opened, looked at, turned into a prompt.

A screenshot of each is written for a person to look at; see `screenshots` in conftest.py.
"""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import pytest

import faceloom
from faceloom.headless.core_nodes import CORE_NODES
from faceloom.headless.execute import Runner
from faceloom.headless.server import Server, read_specs
from faceloom.headless.workflow import parse_workflow, to_api
from faceloom.host.session import Session
from faceloom.nodes import NODES
from faceloom.tests.browser.conftest import WINDOW, about_us

FILES = sorted(Path(faceloom.__file__).with_name("workflows").glob("*.json"))
OLD = sorted((Path(__file__).parents[1] / "host" / "data").glob("*.json"))
# Nodes of packs that a workflow may do with and that are not installed here.
OTHER_PACKS = {"DetailerForEach"}
TITLE_HEIGHT = 30  # of a node, above its position
SCALE = 0.8  # of screenshots; below 0.6 the editor leaves texts away
MARGIN = 60
LOAD = "async (workflow) => { await app.loadGraphData(workflow) }"
NODES_ON_PAGE = """() => app.graph._nodes.map((node) => ({
  type: node.type,
  title: node.title,
  known: node.type in LiteGraph.registered_node_types,
  red: Boolean(node.has_errors),
  box: [...node.pos, ...node.size],
  least: node.computeSize ? [...node.computeSize()] : null,
  widgets: (node.widgets ?? []).map(({name, value}) => [name, value]),
}))"""
MOVE = """([scale, x, y]) => {
  app.canvas.ds.scale = scale;
  app.canvas.ds.offset = [x, y];
  app.canvas.setDirty(true, true);
}"""
GRAPH_TO_PROMPT = "async () => (await app.graphToPrompt()).output"


@pytest.fixture(params=[*FILES, *OLD], ids=lambda path: path.stem)
def file(request):
    return request.param


@pytest.fixture
def nodes(page, file):
    """The nodes of a workflow as the page has them, after it was opened."""
    page.evaluate(LOAD, json.loads(file.read_text(encoding="utf-8")))
    page.wait_for_timeout(500)  # sizes come with the first drawing
    return page.evaluate(NODES_ON_PAGE)


def named(node):
    return f"{node['title']} ({node['type']})"


def sides(node):
    x, y, width, height = node["box"]
    return x, y - TITLE_HEIGHT, x + width, y + height


def fit(page, nodes):
    """Make window and view as large as the whole graph, without the dialog on missing nodes."""
    page.keyboard.press("Escape")
    boxes = [sides(node) for node in nodes]
    left, top = (min(box[side] for box in boxes) for side in (0, 1))
    right, bottom = (max(box[side] for box in boxes) for side in (2, 3))
    page.set_viewport_size(
        {
            "width": max(WINDOW["width"], round((right - left) * SCALE + 3 * MARGIN)),
            "height": max(WINDOW["height"], round((bottom - top) * SCALE + 4 * MARGIN)),
        }
    )
    page.evaluate(MOVE, [SCALE, 2 * MARGIN / SCALE - left, 2 * MARGIN / SCALE - top])
    page.wait_for_timeout(700)


def test_workflow_opens_whole_and_tidy(page, nodes, file, complaints, screenshots):
    fit(page, nodes)
    page.screenshot(path=screenshots / f"{file.stem}.png")
    page.set_viewport_size(WINDOW)
    unknown = {node["type"] for node in nodes if not node["known"]}
    assert unknown <= OTHER_PACKS
    assert len(nodes) == len(json.loads(file.read_text(encoding="utf-8"))["nodes"])
    for one, other in combinations(nodes, 2):
        (a, b, c, d), (e, f, g, h) = sides(one), sides(other)
        apart = c <= e or g <= a or d <= f or h <= b
        assert apart or file in OLD, f"{named(one)} covers {named(other)}"
    assert not about_us(complaints)


def test_page_makes_the_prompt_that_we_make(page, server, nodes, file):
    theirs = page.evaluate(GRAPH_TO_PROMPT)
    specs = Runner([*NODES, *CORE_NODES], Session()).specs
    # For core nodes that the headless runner lacks.
    specs = read_specs(Server(server).get_json("/object_info")) | specs
    ours = to_api(parse_workflow(json.loads(file.read_text(encoding="utf-8")), specs))
    unknown = {name for name, node in ours.items() if node["class_type"] in OTHER_PACKS}
    for prompt in (ours, theirs):
        for name in unknown:  # the page has no names for the values of a node that is missing
            del prompt[name]
        for node in prompt.values():
            node.pop("_meta", None)
    assert ours == theirs


@pytest.mark.parametrize("name", [path.stem for path in FILES])
def test_template_browser_opens_it(page, complaints, name):
    page.evaluate("() => app.extensionManager.command.execute('Comfy.BrowseTemplates')")
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("faceloom", exact=True).first.click()
    card = dialog.get_by_text(name, exact=True)
    page.mouse.move(WINDOW["width"] * 0.6, WINDOW["height"] * 0.6)
    for _ in range(20):  # the list grows as it is scrolled
        page.wait_for_timeout(300)
        if card.count():
            break
        page.mouse.wheel(0, 800)
    card.first.click()
    page.wait_for_function("() => app.graph._nodes.length > 0", timeout=20_000)
    found = page.evaluate(NODES_ON_PAGE)
    saved = next(path for path in FILES if path.stem == name).read_text(encoding="utf-8")
    kinds = sorted(node["type"] for node in json.loads(saved)["nodes"])
    assert sorted(node["type"] for node in found) == kinds
    assert not about_us(complaints)
