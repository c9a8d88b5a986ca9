"""Against a small server that answers as ComfyUI 0.8.0 does."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlparse

import pytest

from faceloom.headless import server
from faceloom.headless.graph import WorkflowError
from faceloom.headless.server import Server, read_specs, run_on_server

PICTURES = [
    {"filename": "x_00001_.png", "subfolder": "sub", "type": "output"},
    {"filename": "y.png", "subfolder": "a\\b", "type": "temp"},
]


class Answers(BaseHTTPRequestHandler):
    """`server.routes` has the answers by path: bytes, JSON, (status, JSON), or a list in turn."""

    def answer(self):
        url = urlparse(self.path)
        length = int(self.headers.get("Content-Length", 0))
        self.server.seen.append((url.path, parse_qs(url.query), self.rfile.read(length)))
        found = self.server.routes.get(url.path, (404, {}))
        if isinstance(found, list):
            found = found.pop(0)
        status, body = found if isinstance(found, tuple) else (200, found)
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = answer  # noqa: N815

    def log_message(self, *_):
        pass


@pytest.fixture
def comfyui(classes, monkeypatch):
    monkeypatch.setattr(server, "PAUSE", 0)
    running = HTTPServer(("127.0.0.1", 0), Answers)
    running.seen = []
    outputs = {"2": {"images": PICTURES}, "3": {"text": ["hi"]}}
    status = {"status_str": "success", "completed": True, "messages": []}
    infos = {c.GET_SCHEMA().node_id: c.GET_NODE_INFO_V1() for c in classes}
    running.routes = {
        "/object_info": infos | {"Broken": {"input": 3}},
        "/upload/image": {"name": "face (1).png", "subfolder": "faces", "type": "input"},
        "/prompt": {"prompt_id": "p1", "number": 1, "node_errors": {}},
        "/queue": {"queue_running": [[0, "p1", {}]], "queue_pending": []},
        "/history/p1": [{}, {"p1": {"outputs": outputs, "status": status}}],
        "/view": b"picture",
    }
    running.url = f"http://127.0.0.1:{running.server_port}"
    thread = threading.Thread(target=running.serve_forever, args=(0.01,))
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


@pytest.fixture
def path(tmp_path):
    data = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "a.png"}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
    }
    (tmp_path / "w.json").write_text(json.dumps(data))
    return tmp_path / "w.json"


def sent(comfyui, path):
    return [entry for entry in comfyui.seen if entry[0] == path]


def test_pictures_go_there_and_come_back(comfyui, path, tmp_path):
    face = tmp_path / "face.png"
    face.write_bytes(b"\x89PNG here")
    assignments = [f"1.image={face}", "2.filename_prefix=mine"]
    url = comfyui.url.removeprefix("http://")
    found, notes = run_on_server(url, path, assignments, tmp_path / "o")

    ((_, _, upload),) = sent(comfyui, "/upload/image")
    assert b'name="image"; filename="face.png"' in upload
    assert b"\r\n\r\n\x89PNG here\r\n--" in upload
    ((_, _, body),) = sent(comfyui, "/prompt")
    prompt = json.loads(body)["prompt"]
    assert prompt["1"]["inputs"] == {"image": "faces/face (1).png"}
    assert prompt["2"]["inputs"] == {"images": ["1", 0], "filename_prefix": "mine"}
    assert "extra_pnginfo" not in json.loads(body)["extra_data"]
    assert notes == []
    assert found == [tmp_path / "o/sub/x_00001_.png", tmp_path / "o/preview/a/b/y.png"]
    assert [file.read_bytes() for file in found] == [b"picture", b"picture"]
    assert sent(comfyui, "/view")[0][1] == {
        "filename": ["x_00001_.png"],
        "subfolder": ["sub"],
        "type": ["output"],
    }


def test_earlier_pictures_are_kept(comfyui, path, tmp_path):
    comfy = Server(comfyui.url)
    names = [server.fetch(comfy, PICTURES[0], tmp_path).name for _ in range(3)]
    assert names == ["x_00001_.png", "x_00001__1.png", "x_00001__2.png"]


@pytest.mark.parametrize(
    ("subfolder", "filename"),
    [("../../up", "y.png"), ("..\\up", "y.png"), ("/up", "y.png"), ("", "../y.png"), ("", "")],
)
def test_the_server_cannot_choose_a_folder_outside(comfyui, tmp_path, subfolder, filename):
    entry = {"filename": filename, "subfolder": subfolder, "type": "output"}
    with pytest.raises(ValueError, match="leads out of the output folder"):
        server.fetch(Server(comfyui.url), entry, tmp_path / "o")
    assert not sent(comfyui, "/view")
    assert list(tmp_path.iterdir()) == []


def test_the_editors_form_is_sent_with_the_workflow(comfyui, editor, path, tmp_path):
    data = editor(
        (1, "LoadImage", {}, ["a.png", "image"], {}),
        (2, "SaveImage", {"images": (1, 0)}, ["x"], {}),
    )
    path.write_text(json.dumps(data))
    run_on_server(comfyui.url, path, ["1.image=on the server.png"], tmp_path)
    ((_, _, body),) = sent(comfyui, "/prompt")
    workflow = json.loads(body)["extra_data"]["extra_pnginfo"]["workflow"]
    assert workflow["nodes"][0]["widgets_values"][0] == "on the server.png"
    assert not sent(comfyui, "/upload/image")


NODE_ERROR = {"message": "Value not in list", "details": "image: 'a.png' not in []"}


@pytest.mark.parametrize(
    ("routes", "message"),
    [
        ({"/object_info": (500, {})}, "/object_info answered 500; is this a ComfyUI"),
        ({"/object_info": b"<html>"}, "/object_info did not answer as ComfyUI does"),
        (
            {"/prompt": (400, {"error": {"message": "no outputs"}, "node_errors": []})},
            "turned the workflow down: no outputs",
        ),
        (
            {"/prompt": (400, {"error": {}, "node_errors": {"1": {"errors": [NODE_ERROR]}}})},
            r"down: Load Image \(#1\): Value not in list: image: 'a.png' not in \[\]",
        ),
        (
            {
                "/history/p1": {
                    "p1": {
                        "status": {
                            "messages": [
                                ["execution_start", {}],
                                [
                                    "execution_error",
                                    {"node_id": "2", "exception_message": "Save Image: a\nb"},
                                ],
                            ]
                        }
                    }
                }
            },
            r"^Save Image \(#2\): a b$",
        ),
        (
            {"/history/p1": {"p1": {"status": {"messages": [["execution_interrupted", {}]]}}}},
            "someone interrupted",
        ),
        (
            {"/history/p1": {"p1": {"status": {"status_str": "error", "messages": []}}}},
            "the run failed",
        ),
        ({"/history/p1": {}, "/queue": {}}, "no longer has the workflow"),
        ({"/view": (404, {})}, r"/view\?filename=x_00001_\.png&.* answered 404"),
    ],
)
def test_failures_are_named(comfyui, path, tmp_path, routes, message):
    comfyui.routes |= routes
    with pytest.raises(WorkflowError, match=message):
        run_on_server(comfyui.url, path, [], tmp_path)


def test_what_the_server_leaves_out_is_told(comfyui, path, tmp_path):
    comfyui.routes["/prompt"]["node_errors"] = {"1": {"errors": [NODE_ERROR]}}
    found, notes = run_on_server(comfyui.url, path, [], tmp_path)
    assert notes == ["left out: Load Image (#1): Value not in list: image: 'a.png' not in []"]
    assert len(found) == 2


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "not a url", "ftp://x", "http://[::1"])
def test_no_server_is_an_error(path, tmp_path, url):
    with pytest.raises(WorkflowError, match="no answer from"):
        run_on_server(url, path, [], tmp_path)


def test_old_and_broken_descriptions():
    infos = {
        "Old": {
            "name": "Old",
            "input": {"required": {"mode": [["a", "b"]], "seed": ["INT", {"min": 0}]}},
            "output": ["IMAGE", ["a", "b"]],
        },
        "Broken": {"input": {"required": {"x": 3}}, "name": "Broken"},
    }
    specs = read_specs(infos)
    assert list(specs) == ["Old"]
    mode, seed = specs["Old"].inputs
    assert (mode.type, mode.choices, mode.default) == ("COMBO", ["a", "b"], "a")
    assert (seed.default, seed.has_control) == (0, True)
    assert [output.type for output in specs["Old"].outputs] == ["IMAGE", "COMBO"]
