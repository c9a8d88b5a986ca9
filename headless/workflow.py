"""Read a workflow in either of ComfyUI's two forms, and write the one that its server takes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .editor import from_editor
from .graph import Graph, Link, Node, WorkflowError
from .specs import NodeSpec


def read_workflow(path: Path, specs: Mapping[str, NodeSpec]) -> Graph:
    """Read a workflow saved from ComfyUI's editor, or its API export.

    Args:
        path: a JSON file.
        specs: the known node types by id, which say what the widgets are called.

    Raises:
        WorkflowError: the file is missing, is not JSON or is no workflow.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise WorkflowError(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise WorkflowError(f"{path}: cannot be read: {error}") from error
    except json.JSONDecodeError as error:
        raise WorkflowError(f"{path}: is not JSON: {error}") from error
    try:
        return parse_workflow(data, specs)
    except WorkflowError as error:
        raise WorkflowError(f"{path}: {error}") from error


def parse_workflow(data: Any, specs: Mapping[str, NodeSpec]) -> Graph:
    """Turn the JSON of a workflow, in either form, into a graph.

    Raises:
        WorkflowError: it is no workflow, or damaged.
    """
    wanted = "save it from ComfyUI's editor, with Save or Export (API)"
    if not isinstance(data, dict) or not data:
        raise WorkflowError(f"is not a workflow; {wanted}")
    try:
        if isinstance(data.get("nodes"), list):
            return from_editor(data, specs)
        if any(isinstance(entry, dict) and "class_type" in entry for entry in data.values()):
            return from_api(data, specs)
    except WorkflowError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        # Files in the wild break in more ways than are worth a message each.
        raise WorkflowError(f"is a damaged workflow ({error!r}); {wanted}") from error
    raise WorkflowError(f"is not a workflow; {wanted}")


def from_api(data: Mapping[str, Any], specs: Mapping[str, NodeSpec]) -> Graph:
    """Read the form that ComfyUI's server takes: `{id: {class_type, inputs, _meta}}`.

    A list of two is a link, and `{"__value__": ...}` holds any other list.

    Raises:
        WorkflowError: an entry is not a node; the text names it.
    """
    return Graph({str(name): _read_node(str(name), entry, specs) for name, entry in data.items()})


def to_api(graph: Graph) -> dict[str, Any]:
    """Write the API form: what the editor sends when the user runs the workflow."""
    return {
        node.id: {
            "inputs": {name: _write_value(value) for name, value in node.inputs.items()},
            "class_type": node.type,
            "_meta": {"title": node.title},
        }
        for node in graph.nodes.values()
    }


def _read_node(name: str, entry: Any, specs: Mapping[str, NodeSpec]) -> Node:
    if not isinstance(entry, dict) or "class_type" not in entry:
        raise WorkflowError(f"node #{name} has no class_type")
    kind = str(entry["class_type"])
    known = specs[kind].display_name if kind in specs else kind
    title = (entry.get("_meta") or {}).get("title") or known
    inputs = entry.get("inputs") or {}
    values = {key: _read_value(value, f"{title} (#{name})", key) for key, value in inputs.items()}
    return Node(name, kind, str(title), values)


def _read_value(value: Any, label: str, key: str) -> object:
    if isinstance(value, dict) and "__value__" in value:
        return value["__value__"]
    if not isinstance(value, list):
        return value
    if len(value) != 2 or not isinstance(value[1], int):
        raise WorkflowError(f"{label}: {key!r} should be a link [node id, output], got {value}")
    return Link(str(value[0]), value[1])


def _write_value(value: object) -> object:
    if isinstance(value, Link):
        return [value.node, value.slot]
    # The server reads a bare list as a link.
    return {"__value__": value} if isinstance(value, list) else value
