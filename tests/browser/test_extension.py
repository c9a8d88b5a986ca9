"""FaceLoom's own part of the page: picker, slider, colours, badges and notices."""

from __future__ import annotations

import json
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
import torch

from faceloom.faces import Faces
from faceloom.faces.select import parse_indices, take
from faceloom.nodes import NODES

# Detect Faces -> Select Faces -> Preview Faces -> Preview Image, and a wire for each picture.
GRAPH = """async () => {
  const make = (type, x, y, values = {}) => {
    const node = LiteGraph.createNode(type);
    node.pos = [x, y];
    app.graph.add(node);
    for (const [name, value] of Object.entries(values)) {
      node.widgets.find((widget) => widget.name === name).value = value;
    }
    return node;
  };
  const wire = (from, slot, to, name) => from.connect(slot, to, to.findInputSlot(name));
  const picture = make("LoadImage", 40, 100, {image: "target.png"});
  const other = make("LoadImage", 40, 520, {image: "wall.png"});
  const detector = make("FaceLoomLoadFaceDetector", 400, 100);
  const detect = make("FaceLoomDetectFaces", 400, 280);
  const select = make("FaceLoomSelectFaces", 760, 100);
  const preview = make("FaceLoomPreviewFaces", 1140, 100);
  const end = make("PreviewImage", 1500, 100);
  wire(picture, 0, detect, "image");
  wire(detector, 0, detect, "detector");
  wire(detect, 0, select, "faces");
  wire(picture, 0, select, "image");
  wire(picture, 0, preview, "image");
  wire(other, 0, preview, "before");
  wire(select, 0, preview, "faces");
  wire(preview, 0, end, "images");
  app.canvas.ds.scale = 0.85;
  app.canvas.ds.offset = [0, 60];
  await app.queuePrompt(0);
}"""
LOADER = """([type, choice]) => {
  const node = LiteGraph.createNode(type);
  node.pos = [300, 200];
  app.graph.add(node);
  const widget = node.widgets.find(({name}) => name === "model");
  if (choice) { widget.value = choice; widget.callback(choice); }
  app.canvas.ds.scale = 1.5;
  app.canvas.ds.offset = [0, 0];
}"""
BADGE = """app.graph._nodes[0].badges.map((badge) => badge.text ?? badge().text)
  .find((text) => /commercial|licence/.test(text))"""
KOREAN_BADGE = BADGE.replace("commercial|licence", "상업적")
MISSING = "yoloface_8n.onnx"
TEXTS = ["", "0", "1", "-1", "0, 2", "0-1", " 1 - 2 ,", "7", "-9", "0, 12", "2,0,0", ","]
UNREADABLE = ["first", "2-1", "0;1", "--1", "123456", "1.5", "-1-2"]
KNOWS = """async ([texts, count]) => {
  const {isKept} = await import("/extensions/faceloom/indices.js");
  const numbers = [...Array(count).keys()];
  return texts.map((text) => numbers.filter((number) => isKept(text, number, count)));
}"""


def chosen(page) -> str:
    """What the picker has written, as the server would get it."""
    prompt = page.evaluate("async () => (await app.graphToPrompt()).output")
    (node,) = [node for node in prompt.values() if node["class_type"] == "FaceLoomSelectFaces"]
    assert not any("faceloom" in name for name in node["inputs"])
    return node["inputs"]["indices"]


@pytest.fixture
def ran(page):
    """The page after a run that gave the picker and the slider their pictures."""
    page.evaluate(GRAPH)
    page.wait_for_selector(".faceloom-slider", state="attached", timeout=60_000)
    page.wait_for_function(
        "() => [...document.querySelectorAll('.faceloom-picture')].every((p) => p.naturalWidth)"
    )
    return page


def test_picker_turns_faces_on_and_off(ran, complaints, screenshots):
    faces = ran.locator(".faceloom-face")
    assert faces.count() == 6
    assert faces.all_text_contents() == [str(number) for number in range(6)]
    pressed = "() => [...document.querySelectorAll('.faceloom-face')].map((f) => f.ariaPressed)"
    assert ran.evaluate(pressed) == ["true"] * 6
    faces.nth(1).click()
    assert chosen(ran) == "0, 2, 3, 4, 5"
    faces.nth(4).click()
    assert chosen(ran) == "0, 2, 3, 5"
    assert ran.evaluate(pressed) == ["true", "false", "true", "true", "false", "true"]
    assert ran.locator(".faceloom-state").text_content() == "Keeps 4 of 6 faces."
    ran.screenshot(path=screenshots / "extension_picker.png")
    faces.nth(3).click(modifiers=["Shift"])
    assert chosen(ran) == "3"
    faces.nth(3).click()
    assert chosen(ran) == "3"
    assert ran.locator(".faceloom-state").text_content() == "One face must stay."
    for number in (0, 1, 2, 4, 5):
        faces.nth(number).click()
    assert chosen(ran) == ""
    assert complaints == []


def test_boxes_lie_on_the_faces(ran):
    """The first box, from the page's layout, is where the detector found it."""
    places = ran.evaluate(
        """() => {
          const face = document.querySelector(".faceloom-face");
          return [face.closest(".faceloom-stage"), face].map((element) => {
            const box = element.getBoundingClientRect();
            return [box.left, box.top, box.width, box.height];
          });
        }"""
    )
    view = ran.evaluate(
        """() => Object.values(app.nodeOutputs)
          .find((output) => output.faceloom_picker).faceloom_picker[0]"""
    )
    stage, face = places
    scale = stage[2] / view["width"]
    assert stage[3] / view["height"] == pytest.approx(scale, rel=0.02)
    x0, y0, x1, y1 = view["boxes"][0]
    wanted = [stage[0] + x0 * scale, stage[1] + y0 * scale, (x1 - x0) * scale, (y1 - y0) * scale]
    assert face == pytest.approx(wanted, abs=1.5)


def test_picker_stays_when_a_change_is_undone(ran):
    # The page notes a change when the mouse is released, and undoes it by loading the graph.
    ran.wait_for_timeout(500)
    ran.locator(".faceloom-face").nth(0).click()
    ran.wait_for_timeout(500)
    assert chosen(ran) == "1, 2, 3, 4, 5"
    ran.evaluate("async () => app.extensionManager.command.execute('Comfy.Undo')")
    ran.wait_for_function("() => document.querySelectorAll('.faceloom-face').length === 6")
    assert chosen(ran) == ""


def test_typed_indices_show_in_the_picker(ran):
    ran.evaluate(
        """() => {
          const node = app.graph._nodes.find((n) => n.comfyClass === "FaceLoomSelectFaces");
          const widget = node.widgets.find(({name}) => name === "indices");
          widget.value = "-1";
          widget.callback("-1");
        }"""
    )
    assert ran.locator(".faceloom-face[aria-pressed=true]").all_text_contents() == ["5"]


def test_saved_workflow_carries_the_choice_and_no_panel(ran):
    ran.locator(".faceloom-face").nth(0).click(modifiers=["Shift"])
    saved = ran.evaluate("() => app.graph.serialize()")
    values = {node["type"]: node.get("widgets_values") for node in saved["nodes"]}
    assert values["FaceLoomSelectFaces"] == ["left-right", "0", False, 0, 0, 16384, ""]
    assert values["FaceLoomPreviewFaces"] == [True, True, True]


def test_slider_moves_the_divider(ran, complaints, screenshots):
    slider = ran.locator(".faceloom-slider")
    box = slider.bounding_box()
    middle = box["y"] + box["height"] / 2
    ran.mouse.move(box["x"] + box["width"] / 2, middle)
    ran.mouse.down()
    ran.mouse.move(box["x"] + box["width"] / 4, middle, steps=4)
    ran.mouse.up()
    assert float(slider.input_value()) == pytest.approx(25, abs=2)
    left = ran.locator(".faceloom-divider").bounding_box()["x"]
    assert left == pytest.approx(box["x"] + float(slider.input_value()) / 100 * box["width"], abs=2)
    ran.screenshot(path=screenshots / "extension_compare.png")
    slider.press("ArrowRight")
    assert float(slider.input_value()) == pytest.approx(25, abs=3)
    assert complaints == []


def test_page_reads_indices_as_the_node_does(page):
    count = 4
    faces = Faces.empty((9, 9), 1)
    faces = Faces(
        **{name: getattr(faces, name) for name in faces.__dataclass_fields__}
        | {
            "frame": torch.zeros(count, dtype=torch.int64),
            "box": torch.arange(float(count))[:, None].expand(-1, 4),
            "score": torch.ones(count),
            "keypoints": torch.zeros(count, 5, 2),
            "track": torch.full((count,), -1),
        }
    )
    wanted = [take(faces, parse_indices(text)).box[:, 0].int().tolist() for text in TEXTS]
    assert page.evaluate(KNOWS, [TEXTS, count]) == wanted
    parse = '(text) => import("/extensions/faceloom/indices.js").then((m) => m.parse(text) ?? null)'
    for text in UNREADABLE:
        with pytest.raises(ValueError, match=r"Cannot read|runs down"):
            parse_indices(text)
        assert page.evaluate(parse, text) is None, text


def test_every_socket_of_ours_has_its_colour(page):
    schemas = [node.GET_SCHEMA() for node in NODES]
    types = {s.get_io_type() for x in schemas for s in (*x.inputs, *x.outputs)}
    ours = {name for name in types if name.startswith("FL_")}
    colours = "import('/extensions/faceloom/sockets.js').then((module) => module.COLOURS)"
    wanted = page.evaluate(colours)
    assert set(wanted) == ours
    assert len(set(wanted.values())) == len(ours)
    for palette in ("light", "dark"):
        page.evaluate(
            "async (id) => app.extensionManager.setting.set('Comfy.ColorPalette', id)", palette
        )
        page.wait_for_timeout(300)
        for table in (
            "LGraphCanvas.link_type_colors",
            "app.canvas.default_connection_color_byType",
        ):
            shown = page.evaluate(f"() => ({{...{table}}})")
            assert {name: shown[name] for name in ours} == wanted, (palette, table)


@pytest.mark.parametrize(
    ("node", "choice", "text"),
    [
        ("FaceLoomLoadFaceDetector", None, "research only · no commercial use"),
        ("FaceLoomLoadFaceOccluder", "xseg_1.onnx", "GPL-3.0 · commercial use allowed"),
        ("FaceLoomLoadFaceEncoder", "w600k_r50.onnx", "non-commercial research only"),
        ("FaceLoomLoadFaceParser", "my_own.pth", "licence unknown"),
        ("FaceLoomLoadFaceBlender", None, "MIT · commercial use allowed"),
    ],
)
def test_badge_tells_the_terms_of_the_choice(page, complaints, screenshots, node, choice, text):
    page.evaluate(LOADER, [node, choice])
    page.wait_for_function(f"(text) => ({BADGE})?.startsWith(text)", arg=text)
    page.screenshot(path=screenshots / f"extension_badge_{node}.png")
    assert complaints == []


def test_badge_is_there_in_other_languages(page, server):
    korean = page.context.browser.new_page(locale="ko-KR")
    try:
        korean.goto(server, wait_until="load")
        korean.wait_for_function("() => window.app?.graph && app.extensionManager")
        korean.wait_for_function("() => LiteGraph.registered_node_types.FaceLoomLoadFaceDetector")
        korean.evaluate("async () => { app.graph.clear() }")
        korean.evaluate(LOADER, ["FaceLoomLoadFaceDetector", None])
        korean.wait_for_function(f"() => ({KOREAN_BADGE})?.startsWith('research only')")
        title = korean.evaluate("app.graph._nodes[0].title")
        assert not title.isascii()
    finally:
        korean.close()


def test_missing_file_is_announced_and_fetched_on_request(page, host, screenshots):
    page.evaluate(LOADER, ["FaceLoomLoadFaceDetector", MISSING])
    notice = page.locator(".faceloom-notice")
    notice.wait_for()
    folder = host.base / "models" / "faceloom"
    closed = page.evaluate("() => app.graph._nodes[0].size[1]")
    assert closed < 90  # the next of a column of loaders begins there
    assert page.locator(".faceloom-headline").text_content() == f"\u26a0 missing: {MISSING}"
    assert page.locator(".faceloom-fetch").text_content() == "Fetch 12.7 MB"
    page.screenshot(path=screenshots / "extension_notice_closed.png")
    page.locator(".faceloom-headline").click()
    wanted = f"{MISSING} is not on disk. Fetch it, or put it into {folder} and reload the page."
    assert page.locator(".faceloom-text").text_content().startswith(wanted)
    page.wait_for_function(f"() => app.graph._nodes[0].size[1] > {closed + 50}")
    page.wait_for_timeout(300)
    page.screenshot(path=screenshots / "extension_notice.png")
    asked = []

    def answer(route):
        asked.append(route.request.post_data_json)
        known = {"choice": MISSING, "file": MISSING, "folder": str(folder), "present": True}
        rest = {"licence": "GPL-3.0", "commercial": True, "size": 1, "fetchable": False}
        route.fulfill(json=known | rest | {"note": "", "project": None})

    page.route("**/faceloom/fetch", answer)
    page.locator(".faceloom-fetch").click()
    notice.wait_for(state="detached")
    page.unroute("**/faceloom/fetch")
    assert asked == [{"role": "detector", "choice": MISSING}]
    assert page.evaluate("() => app.graph._nodes[0].widgets.length") == 1
    assert page.evaluate("() => app.graph._nodes[0].size[1]") < closed


def test_failed_fetch_says_why(page):
    page.evaluate(LOADER, ["FaceLoomLoadFaceDetector", MISSING])
    failure = {"error": "yoloface_8n.onnx could not be fetched: the disk is full."}
    page.route("**/faceloom/fetch", lambda route: route.fulfill(status=502, json=failure))
    page.locator(".faceloom-fetch").click()
    page.wait_for_function(
        "() => document.querySelector('.faceloom-text').textContent.includes('full')"
    )
    page.unroute("**/faceloom/fetch")
    assert page.locator(".faceloom-fetch").is_enabled()


def test_file_that_nobody_publishes_has_no_button(page):
    page.evaluate(LOADER, ["FaceLoomLoadSwapGenerator", "my_own.pth"])
    page.locator(".faceloom-notice").wait_for()
    assert not page.locator(".faceloom-fetch").is_visible()


def test_choice_that_is_no_file_says_why(page, complaints):
    page.evaluate(LOADER, ["FaceLoomLoadFaceDetector", "auto"])
    page.locator(".faceloom-headline").click()
    assert "'auto' must end in one of .safetensors" in page.locator(".faceloom-text").text_content()
    assert complaints == []


def test_opened_workflow_shows_what_it_lacks(page):
    page.evaluate(LOADER, ["FaceLoomLoadFaceDetector", MISSING])
    page.evaluate("async () => app.loadGraphData(app.graph.serialize())")
    page.wait_for_function(f"() => ({BADGE})?.startsWith('GPL')")
    page.locator(".faceloom-notice").wait_for()


def _ask(address: str, body: bytes | None = None, **headers: str) -> tuple[int, dict]:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urlopen(Request(address, body, names)) as answer:
            return answer.status, json.loads(answer.read())
    except HTTPError as error:
        with error:
            text = error.read()
        return error.code, json.loads(text) if text.startswith(b"{") else {}


@pytest.mark.parametrize(
    "fields",
    [
        {"role": "detector", "choice": "../../secret.pth"},
        {"role": "detector", "choice": "/etc/passwd"},
        {"role": "detector", "choice": "download: https://example.com/x.pth (MIT, 1 MB)"},
        {"role": "detector", "choice": "download: w600k_r50.onnx (MIT, 1 MB)"},
        {"role": "detector", "choice": "unheard_of.pth"},
        {"role": "detector", "choice": ""},
        {"role": "chef", "choice": MISSING},
        {"role": ["detector"], "choice": MISSING},
        [],
    ],
)
def test_server_fetches_nothing_but_the_catalogue(server, host, fields):
    folder = host.base / "models" / "faceloom"
    before = sorted(folder.iterdir())
    body = json.dumps(fields).encode()
    status, answer = _ask(f"{server}/faceloom/fetch", body, Content_Type="application/json")
    assert status == 400
    assert answer["error"]
    assert sorted(folder.iterdir()) == before


def test_server_refuses_forms_and_other_sites(server):
    body = json.dumps({"role": "detector", "choice": MISSING}).encode()
    address = f"{server}/faceloom/fetch"
    assert _ask(address, body, Content_Type="text/plain")[0] == 415
    assert _ask(address, body)[0] == 415
    foreign = {"Content_Type": "application/json", "Origin": "http://example.com"}
    assert _ask(address, body, **foreign)[0] == 403
    assert _ask(
        f"{server}/api/faceloom/weights?{urlencode({'role': 'parser', 'choice': 'built-in'})}"
    )[1]["present"]
