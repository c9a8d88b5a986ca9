"""The form that ComfyUI's server takes: `{id: {class_type, inputs, _meta}}`, read and written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .graph import Graph, Link, Node, WorkflowError
from .specs import NodeSpec


def from_api(data: Mapping[str, Any], specs: Mapping[str, NodeSpec]) -> Graph:
    """Read the API form; a list of two is a link, and `{"__value__": ...}` holds any other list.

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
