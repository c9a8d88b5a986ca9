"""Let a running ComfyUI do the work: send it a workflow, wait, and fetch the pictures."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen
from uuid import uuid4

from .core_nodes import PREVIEW_FOLDER
from .graph import Graph, WorkflowError
from .images import place_inside
from .overrides import override
from .specs import NodeSpec, from_info
from .workflow import read_workflow, to_api

# Between two questions whether the pictures are ready.
PAUSE = 0.5
# How often a prompt may be neither queued nor done (it is neither for a moment in between).
PATIENCE = 5
TIMEOUT = 60.0


class Server:
    """A ComfyUI server, over HTTP; every failure is a WorkflowError that names it."""

    def __init__(self, url: str) -> None:
        """Note the server's address; "http://" may be left out."""
        self.url = (url if "://" in url else f"http://{url}").rstrip("/")
        # urllib would open files and FTP too.
        if not self.url.startswith(("http://", "https://")):
            raise WorkflowError(f"no answer from {url}: a server's address begins with http://")

    def get(self, path: str) -> bytes:
        """Fetch a path."""
        status, body = self._ask(path)
        if status != 200:
            raise WorkflowError(f"{self.url}{path} answered {status}; is this a ComfyUI server?")
        return body

    def get_json(self, path: str) -> dict[str, Any]:
        """Fetch a path that holds a JSON object."""
        return self._parse(path, self.get(path))

    def post_json(self, path: str, data: object) -> tuple[int, dict[str, Any]]:
        """Send JSON; give the status and the JSON object that came back."""
        headers = {"Content-Type": "application/json"}
        status, body = self._ask(path, json.dumps(data).encode(), headers)
        return status, self._parse(path, body)

    def upload(self, picture: Path) -> str:
        """Put a picture into the server's input folder and give its name there."""
        boundary = uuid4().hex
        # Quotes and line breaks would end the header early.
        name = picture.name.translate({ord(mark): "_" for mark in '"\r\n'})
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        body = head.encode() + picture.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        status, answer = self._ask("/upload/image", body, headers)
        if status != 200:
            raise WorkflowError(f"{self.url} did not take the picture {picture}: status {status}")
        stored = self._parse("/upload/image", answer)
        return "/".join(filter(None, (stored.get("subfolder"), stored["name"])))

    def _ask(
        self, target: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        try:
            request = Request(self.url + target, body, dict(headers or {}))
            with urlopen(request, timeout=TIMEOUT) as answer:
                return answer.status, answer.read()
        except HTTPError as error:
            with error:
                return error.code, error.read()
        except (URLError, HTTPException, OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise WorkflowError(
                f"no answer from {self.url}: {reason}; is ComfyUI running there?"
            ) from error

    def _parse(self, path: str, body: bytes) -> dict[str, Any]:
        try:
            data = json.loads(body)
        except ValueError:
            data = None
        if not isinstance(data, dict):
            raise WorkflowError(f"{self.url}{path} did not answer as ComfyUI does")
        return data


def run_on_server(
    url: str, workflow: Path, assignments: Iterable[str], output_dir: Path
) -> tuple[list[Path], list[str]]:
    """Run a workflow in a ComfyUI server.

    Pictures that an assignment names and that exist here are uploaded; other names are the
    server's own files.

    Args:
        url: where the server answers, such as http://127.0.0.1:8188.
        workflow: a JSON file in either form.
        assignments: "NODE.INPUT=VALUE" each.
        output_dir: where the pictures go; previews go into its preview folder.

    Returns:
        The pictures' paths, and a line on each output node that the server left out.

    Raises:
        WorkflowError: the file is no workflow, the server does not answer, turns it down, or fails.
    """
    server = Server(url)
    specs = read_specs(server.get_json("/object_info"))
    graph = read_workflow(workflow, specs)
    for assignment in assignments:
        node, socket = override(graph, specs, assignment)
        path = Path(str(node.inputs[socket.name])).expanduser()
        if socket.is_upload and path.is_file():
            node.set(socket.name, server.upload(path))
    prompt, notes = send(server, graph)
    outputs = wait(server, prompt, graph)
    entries = [entry for output in outputs.values() for entry in output.get("images") or []]
    return [fetch(server, entry, output_dir) for entry in entries], notes


def read_specs(infos: Mapping[str, Any]) -> dict[str, NodeSpec]:
    """Read `/object_info`; types whose description is broken count as unknown."""
    specs = {}
    for name, info in infos.items():
        try:
            specs[name] = from_info(info)
        except (LookupError, TypeError, ValueError, AttributeError):
            # Some node packs describe themselves in ways that only their own page script reads.
            continue
    return specs


def send(server: Server, graph: Graph) -> tuple[str, list[str]]:
    """Queue a graph; give the server's id for it, and a line on each output node it left out.

    Raises:
        WorkflowError: the server turned it down; the text names the node.
    """
    extra = {"extra_pnginfo": {"workflow": graph.workflow}} if graph.workflow else {}
    body = {"prompt": to_api(graph), "client_id": uuid4().hex, "extra_data": extra}
    status, answer = server.post_json("/prompt", body)
    faults = _faults(answer, graph)
    if status != 200 or "prompt_id" not in answer:
        error = answer.get("error") or "no reason given"
        reason = str(error.get("message", error)) if isinstance(error, dict) else str(error)
        raise WorkflowError(f"{server.url} turned the workflow down: {(faults or [reason])[0]}")
    # The server runs the rest of a workflow when one of its branches is broken.
    return str(answer["prompt_id"]), [f"left out: {fault}" for fault in faults]


def wait(server: Server, prompt: str, graph: Graph) -> dict[str, Any]:
    """Wait for a queued prompt and give its outputs by node id.

    Raises:
        WorkflowError: a node failed, or the server forgot the prompt.
    """
    absent = 0
    while True:
        entry = server.get_json(f"/history/{prompt}").get(prompt)
        if entry is not None:
            return _finish(server, entry, graph)
        absent = 0 if _is_queued(server.get_json("/queue"), prompt) else absent + 1
        if absent > PATIENCE:
            raise WorkflowError(f"{server.url} no longer has the workflow; was its queue cleared?")
        time.sleep(PAUSE)


def fetch(server: Server, entry: Mapping[str, str], output_dir: Path) -> Path:
    """Download one picture, under a name that is still free.

    Raises:
        ValueError: the server names a file outside of the folder.
    """
    kind = entry.get("type", "output")
    keys = {key: entry.get(key, "") for key in ("filename", "subfolder")} | {"type": kind}
    name = "/".join(filter(None, (keys["subfolder"], keys["filename"]))).replace("\\", "/")
    folder = output_dir / PREVIEW_FOLDER if kind == "temp" else output_dir
    path = _free_path(place_inside(folder, name))
    data = server.get(f"/view?{urlencode(keys)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def _free_path(path: Path) -> Path:
    number, free = 1, path
    while free.exists():
        free = path.with_stem(f"{path.stem}_{number}")
        number += 1
    return free


def _is_queued(queue: Mapping[str, Any], prompt: str) -> bool:
    entries = [*queue.get("queue_running", []), *queue.get("queue_pending", [])]
    return any(prompt in entry[:2] for entry in entries)


def _finish(server: Server, entry: Mapping[str, Any], graph: Graph) -> dict[str, Any]:
    status = entry.get("status") or {}
    for event, data in status.get("messages") or []:
        if event == "execution_error":
            label = _label(graph, str(data.get("node_id")))
            text = " ".join(str(data.get("exception_message")).split())
            # FaceLoom's own nodes begin with their name.
            raise WorkflowError(f"{label}: {text.removeprefix(label.rpartition(' (#')[0] + ': ')}")
        if event == "execution_interrupted":
            raise WorkflowError(f"{server.url}: someone interrupted the run")
    if status.get("status_str") == "error":
        raise WorkflowError(f"{server.url}: the run failed, and the server does not say why")
    outputs: dict[str, Any] = entry.get("outputs") or {}
    return outputs


def _faults(answer: Mapping[str, Any], graph: Graph) -> list[str]:
    faults = []
    for name, problem in (answer.get("node_errors") or {}).items():
        for error in problem.get("errors") or []:
            details = f": {error['details']}" if error.get("details") else ""
            faults.append(f"{_label(graph, str(name))}: {error.get('message')}{details}")
    return faults


def _label(graph: Graph, name: str) -> str:
    return graph.nodes[name].label if name in graph.nodes else f"node #{name}"
