"""Let a running ComfyUI do the work: send it a workflow, wait, and fetch the pictures."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import uuid4

from .file_nodes import PREVIEW_FOLDER
from .graph import Graph, WorkflowError
from .overrides import override
from .serverlink import ServerLink
from .specs import NodeSpec, from_info
from .workflow import read_workflow, to_api

# Between two questions whether the pictures are ready.
PAUSE = 0.5
# How often a prompt may be neither queued nor done (it is neither for a moment in between).
PATIENCE = 5


def run_on_server(
    url: str, workflow: Path, assignments: Iterable[str], output_dir: Path
) -> list[Path]:
    """Run a workflow in a ComfyUI server.

    Pictures that an assignment names and that exist here are uploaded; other names are the
    server's own files.

    Args:
        url: where the server answers, such as http://127.0.0.1:8188.
        workflow: a JSON file in either form.
        assignments: "NODE.INPUT=VALUE" each.
        output_dir: where the pictures go; previews go into its preview folder.

    Returns:
        The pictures' paths.

    Raises:
        WorkflowError: the file is no workflow, the server does not answer, turns it down, or fails.
    """
    link = ServerLink(url)
    specs = read_specs(link.get_json("/object_info"))
    graph = read_workflow(workflow, specs)
    for assignment in assignments:
        node, socket = override(graph, specs, assignment)
        path = Path(str(node.inputs[socket.name])).expanduser()
        if socket.is_upload and path.is_file():
            node.set(socket.name, link.upload(path))
    prompt = send(link, graph)
    outputs = wait(link, prompt, graph)
    entries = [entry for output in outputs.values() for entry in output.get("images") or []]
    return [fetch(link, entry, output_dir) for entry in entries]


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


def send(link: ServerLink, graph: Graph) -> str:
    """Queue a graph and give the server's id for it.

    Raises:
        WorkflowError: the server turned it down; the text names the node.
    """
    extra = {"extra_pnginfo": {"workflow": graph.workflow}} if graph.workflow else {}
    body = {"prompt": to_api(graph), "client_id": uuid4().hex, "extra_data": extra}
    status, answer = link.post_json("/prompt", body)
    if status != 200 or "prompt_id" not in answer:
        raise WorkflowError(f"{link.url} turned the workflow down: {_reason(answer, graph)}")
    return str(answer["prompt_id"])


def wait(link: ServerLink, prompt: str, graph: Graph) -> dict[str, Any]:
    """Wait for a queued prompt and give its outputs by node id.

    Raises:
        WorkflowError: a node failed, or the server forgot the prompt.
    """
    absent = 0
    while True:
        entry = link.get_json(f"/history/{prompt}").get(prompt)
        if entry is not None:
            return _finish(link, entry, graph)
        absent = 0 if _is_queued(link.get_json("/queue"), prompt) else absent + 1
        if absent > PATIENCE:
            raise WorkflowError(f"{link.url} no longer knows the workflow; was its queue cleared?")
        time.sleep(PAUSE)


def fetch(link: ServerLink, entry: Mapping[str, str], output_dir: Path) -> Path:
    """Download one picture, under a name that is still free."""
    kind = entry.get("type", "output")
    keys = {key: entry.get(key, "") for key in ("filename", "subfolder")} | {"type": kind}
    data = link.get("/view", keys)
    folder = output_dir / PREVIEW_FOLDER if kind == "temp" else output_dir
    # The server says where the file belongs: keep it inside the folder, whatever it says.
    parts = PurePosixPath(keys["subfolder"].replace("\\", "/")).parts
    inner = [part for part in parts if part not in ("/", "..") and ":" not in part]
    folder = folder.joinpath(*inner)
    folder.mkdir(parents=True, exist_ok=True)
    path = _free_path(folder / Path(keys["filename"].replace("\\", "/")).name)
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


def _finish(link: ServerLink, entry: Mapping[str, Any], graph: Graph) -> dict[str, Any]:
    status = entry.get("status") or {}
    for event, data in status.get("messages") or []:
        if event == "execution_error":
            label = _label(graph, str(data.get("node_id")))
            text = " ".join(str(data.get("exception_message")).split())
            raise WorkflowError(f"{label}: {text}")
        if event == "execution_interrupted":
            raise WorkflowError(f"{link.url}: someone interrupted the run")
    outputs: dict[str, Any] = entry.get("outputs") or {}
    return outputs


def _reason(answer: Mapping[str, Any], graph: Graph) -> str:
    for name, problem in (answer.get("node_errors") or {}).items():
        for error in problem.get("errors") or []:
            details = f": {error['details']}" if error.get("details") else ""
            return f"{_label(graph, str(name))}: {error.get('message')}{details}"
    error = answer.get("error") or "no reason given"
    return str(error.get("message", error)) if isinstance(error, dict) else str(error)


def _label(graph: Graph, name: str) -> str:
    return graph.nodes[name].label if name in graph.nodes else f"node #{name}"
