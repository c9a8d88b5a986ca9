"""A graph made by hand on ComfyUI's own page: searched, wired, changed, run and looked at."""

from __future__ import annotations

import pytest

from faceloom.headless.server import Server
from faceloom.tests.browser.conftest import about_us

# Where each node is put, as clicks on the page.
PLACES = {
    "Load Image": (330, 200),
    "Load Face Detector": (330, 700),
    "Detect Faces": (720, 200),
    "Preview Faces": (1060, 200),
    "Preview Image": (1380, 200),
}
NODE = "app.graph._nodes.find((node) => node.title === title)"
ON_PAGE = """const onPage = ([x, y]) => {
  const {ds, canvas} = app.canvas, place = canvas.getBoundingClientRect();
  return [(x + ds.offset[0]) * ds.scale + place.left, (y + ds.offset[1]) * ds.scale + place.top];
};"""
SOCKET = f"""([title, name, input]) => {{
  {ON_PAGE}
  const node = {NODE};
  const slot = input ? node.findInputSlot(name) : node.findOutputSlot(name);
  return onPage(input ? node.getInputPos(slot) : node.getOutputPos(slot));
}}"""
WIDGET = f"""([title, name]) => {{
  {ON_PAGE}
  const node = {NODE}, widget = node.widgets.find((widget) => widget.name === name);
  return onPage([node.pos[0] + node.size[0] / 2, node.pos[1] + widget.last_y + 10]);
}}"""
WIRED = """([start, end]) => [...app.graph.links.values()].some((link) =>
  app.graph.getNodeById(link.origin_id).title === start
  && app.graph.getNodeById(link.target_id).title === end)"""
SHOWN = f"""(title) => {{
  const node = {NODE};
  return (node?.imgs ?? []).map((img) => [img.src, img.naturalWidth, img.naturalHeight]);
}}"""


def add(page, typed: str, choice: str, place: tuple[int, int]) -> None:
    """Double-click an empty place, type, and choose from the list."""
    page.wait_for_timeout(500)  # or the editor takes it for one click more
    page.mouse.dblclick(*place)
    field = page.get_by_role("combobox").first
    field.fill(typed)
    option = page.get_by_role("option").filter(has=page.get_by_text(choice, exact=True))
    option.first.click()
    page.wait_for_function(f"(title) => {NODE}", arg=choice)


def drag(page, start: list[float], end: list[float]) -> None:
    page.wait_for_timeout(500)  # as in `add`
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move((start[0] + end[0]) / 2, (start[1] + end[1]) / 2, steps=5)
    page.mouse.move(*end, steps=5)
    page.mouse.up()


def test_page_loads_without_a_complaint_about_us(opened):
    assert not about_us(opened.at_load)
    registered = opened.page.evaluate("() => Object.keys(LiteGraph.registered_node_types)")
    assert sum(name.startswith("FaceLoom") for name in registered) > 40


def test_a_graph_made_by_hand_shows_its_result(page, complaints, screenshots):
    page.evaluate("() => { app.canvas.ds.scale = 1; app.canvas.ds.offset = [0, 0] }")
    for title, place in PLACES.items():
        add(page, title, title, place)
    for start, out, end, into in [
        ("Load Image", "IMAGE", "Detect Faces", "image"),
        ("Load Face Detector", "detector", "Detect Faces", "detector"),
        ("Detect Faces", "faces", "Preview Faces", "faces"),
        ("Load Image", "IMAGE", "Preview Faces", "image"),
        ("Preview Faces", "image", "Preview Image", "images"),
    ]:
        drag(
            page,
            page.evaluate(SOCKET, [start, out, False]),
            page.evaluate(SOCKET, [end, into, True]),
        )
        page.wait_for_function(WIRED, arg=[start, end], timeout=5_000)
    page.mouse.click(*page.evaluate(WIDGET, ["Detect Faces", "threshold"]))
    page.wait_for_timeout(400)  # the editor waits whether it is a double click
    field = page.locator(".graphdialog input, .litegraph input.value").first
    field.fill("0.55")
    field.press("Enter")
    prompt = page.evaluate("async () => (await app.graphToPrompt()).output")
    (detect,) = [node for node in prompt.values() if node["class_type"] == "FaceLoomDetectFaces"]
    assert detect["inputs"]["threshold"] == 0.55
    page.get_by_role("button", name="Run", exact=True).first.click()
    page.wait_for_function(f"(title) => {NODE}.imgs?.[0]?.naturalWidth", arg="Preview Image")
    page.wait_for_timeout(500)
    page.screenshot(path=screenshots / "made_by_hand.png")
    ((_, width, height),) = page.evaluate(SHOWN, "Preview Image")
    ((_, *given),) = page.evaluate(SHOWN, "Load Image")
    assert [width, height] == given
    assert not about_us(complaints)


@pytest.mark.parametrize(
    ("alias", "title"),
    [("face detection", "Detect Faces"), ("deepfake", "Swap Face"), ("segs", "Faces to SEGS")],
)
def test_a_node_is_found_by_its_alias(page, server, alias, title):
    infos = Server(server).get_json("/object_info").values()
    if not any(info.get("search_aliases") for info in infos):
        pytest.skip("this ComfyUI does not tell its page the aliases")
    add(page, alias, title, (700, 400))
