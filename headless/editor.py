"""Read the form that ComfyUI's editor saves: nodes with slots, wires by number, widget values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from .graph import Graph, Link, Node
from .saved import RawNode, Scope
from .specs import NodeSpec
from .widgets import read_widgets
from .wires import BYPASSED, MUTED, NOTES, VIRTUAL, Muted, Value, resolve_input


def from_editor(data: Mapping[str, Any], specs: Mapping[str, NodeSpec]) -> Graph:
    """Turn the editor's JSON into a graph, as the editor itself does before it runs a workflow.

    Notes go, reroutes and primitive nodes dissolve into their targets, subgraphs are unfolded
    (inner nodes get the ids "outer:inner"), muted nodes go with the wires that leave them, and
    bypassed nodes pass each output an input of its type.

    Args:
        data: the JSON, which is copied.
        specs: the known node types; nodes of other types keep their links and lose their widgets.

    Raises:
        WorkflowError: a wire leads nowhere or in a circle; the text names the node.
        LookupError, TypeError, ValueError, AttributeError: the JSON is no workflow of the editor's.
    """
    workflow = deepcopy(dict(data))
    subgraphs = (workflow.get("definitions") or {}).get("subgraphs") or []
    definitions = {str(definition["id"]): definition for definition in subgraphs}
    nodes = {}
    for scope, raw in _active_nodes(Scope.of(workflow, definitions)):
        node = _build(scope, raw, specs)
        nodes[node.id] = node
    return Graph(nodes, workflow)


def _active_nodes(scope: Scope) -> Iterator[tuple[Scope, RawNode]]:
    for node in scope.nodes.values():
        if node.type in NOTES or node.type in VIRTUAL or node.mode in (MUTED, BYPASSED):
            continue
        if node.type in scope.definitions:
            yield from _active_nodes(scope.inside(node))
        else:
            yield scope, node


def _build(scope: Scope, raw: RawNode, specs: Mapping[str, NodeSpec]) -> Node:
    spec = specs.get(raw.type)
    title = raw.data.get("title") or (spec.display_name if spec else raw.type)
    properties = raw.data.get("properties") or {}
    pack = properties.get("cnr_id") or properties.get("aux_id") or ""
    node = Node(f"{scope.prefix}{raw.id}", raw.type, str(title), pack=str(pack))
    if spec is not None:
        node.inputs, node.cells = read_widgets(spec, raw.data.get("widgets_values"))
    for index, slot in enumerate(raw.inputs):
        found = resolve_input(scope, raw, index)
        if isinstance(found, Link):
            node.inputs[slot.name] = found
        elif isinstance(found, Value):
            node.inputs[slot.name] = found.value
        elif isinstance(found, Muted):
            # The editor drops the widget's own value too: the user wanted the wire's.
            node.inputs.pop(slot.name, None)
            node.muted[slot.name] = found.label
    return node
