"""Flatten the form that ComfyUI's editor saves, as the editor does before it runs a workflow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from .graph import Graph, Link, Node, WorkflowError
from .saved import RawNode, Scope, Wire, read_nodes, read_wires
from .specs import NodeSpec, types_match
from .widgets import read_widgets

MUTED, BYPASSED = 2, 4  # The editor's node modes; all others run.
NOTES = frozenset({"Note", "MarkdownNote"})
PRIMITIVE = "PrimitiveNode"
VIRTUAL = frozenset({"Reroute", PRIMITIVE})
# Ids of the two borders inside a subgraph.
INPUT_BORDER, OUTPUT_BORDER = "-10", "-20"


@dataclass(frozen=True)
class Value:
    """What an input gets from a primitive node or from a subgraph's own widget."""

    value: object


@dataclass(frozen=True)
class Muted:
    """What an input gets from a muted node: nothing, and the name of that node."""

    label: str


Found = Link | Value | Muted | None


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
    scope = Scope(workflow, {str(definition["id"]): definition for definition in subgraphs})
    nodes = [_build(inner, raw, specs) for inner, raw in _active_nodes(scope)]
    return Graph({node.id: node for node in nodes}, workflow)


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
        found = _resolve_input(scope, raw, index)
        if isinstance(found, Link):
            node.inputs[slot.name] = found
        elif isinstance(found, Value):
            node.inputs[slot.name] = found.value
        elif isinstance(found, Muted):
            # The editor drops the widget's own value too: the user wanted the wire's.
            node.inputs.pop(slot.name, None)
            node.muted[slot.name] = found.label
    return node


def _resolve_input(
    scope: Scope, node: RawNode, index: int, kind: str = "", seen: frozenset[str] = frozenset()
) -> Found:
    """Find what an input hangs on in the flat graph.

    Args:
        scope: the level that the node is on.
        node: the node.
        index: the input's number.
        kind: the socket type that the end of the chain wants, "" for the input's own.
        seen: the outputs that the chain has passed.
    """
    slot = node.inputs[index]
    if slot.wire is None:
        return None
    wire = scope.wires.get(slot.wire)
    if wire is None:
        raise WorkflowError(
            f"{node.label}: the wire {slot.wire} into {slot.name!r} is missing from the file; "
            "connect the input again"
        )
    if wire.origin not in (*scope.nodes, INPUT_BORDER):
        raise WorkflowError(
            f"{node.label}: {slot.name!r} hangs on node #{wire.origin}, which is missing from the "
            "file; connect the input again"
        )
    return _resolve_wire(scope, wire, kind or slot.type, seen)


def _resolve_wire(scope: Scope, wire: Wire, kind: str, seen: frozenset[str]) -> Found:
    if wire.origin == INPUT_BORDER and scope.outer is not None:
        return _resolve_border(*scope.outer, scope.body, wire.origin_slot, seen)
    return _resolve_output(scope, scope.nodes[wire.origin], wire.origin_slot, kind, seen)


def _resolve_output(
    scope: Scope, node: RawNode, index: int, kind: str, seen: frozenset[str]
) -> Found:
    here = f"{scope.prefix}{node.id}.{index}"
    if here in seen:
        raise WorkflowError(f"the wires through {node.label} run in a circle")
    seen = seen | {here}
    if node.mode == BYPASSED:
        passed = _bypass(node, index, kind)
        return None if passed is None else _resolve_input(scope, node, passed, seen=seen)
    if node.type == PRIMITIVE:
        values = node.data.get("widgets_values") or [None]
        return Value(values[0])
    if node.type in VIRTUAL:
        return _resolve_input(scope, node, 0, kind, seen) if node.inputs else None
    if node.mode == MUTED:
        return Muted(node.label)
    if node.type in scope.definitions:
        return _resolve_inner(scope.inside(node), index, kind, seen)
    return Link(f"{scope.prefix}{node.id}", index)


def _bypass(node: RawNode, index: int, kind: str) -> int | None:
    """Choose the input that a bypassed node passes on: the one beside the output, if it fits."""
    inputs = [slot.type for slot in node.inputs]
    if kind in ("*", ""):
        return index if index < len(inputs) else (0 if inputs else None)
    made = node.outputs[index] if index < len(node.outputs) else kind

    def fits(number: int) -> bool:
        return types_match(inputs[number], made) and types_match(inputs[number], kind)

    if index < len(inputs) and fits(index):
        return index
    exact = (number for number, given in enumerate(inputs) if given == kind)
    return next(exact, next(filter(fits, range(len(inputs))), None))


def _resolve_border(
    scope: Scope, node: RawNode, body: Mapping[str, Any], index: int, seen: frozenset[str]
) -> Found:
    """Leave a subgraph by one of its inputs: by the wire into its node, or to the node's widget."""
    name = str(body["inputs"][index].get("name"))
    for number, slot in enumerate(node.inputs):
        if slot.name == name and slot.wire is not None:
            return _resolve_input(scope, node, number, seen=seen)
    return _promoted_value(node, body, name)


def _promoted_value(node: RawNode, body: Mapping[str, Any], name: str) -> Value | None:
    """Give the value of a subgraph's own widget; None where the inner node's value holds."""
    values = node.data.get("widgets_values")
    if isinstance(values, dict):
        return Value(values[name]) if name in values else None
    listed = (node.data.get("properties") or {}).get("proxyWidgets")
    if listed is not None:
        names = [str(entry[1]) if str(entry[0]) == "-1" else None for entry in listed]
    else:  # Before the editor listed them: the inputs that stand in for a widget inside, in order.
        names = _widget_inputs(body)
    place = names.index(name) if name in names else None
    if not isinstance(values, list) or place is None or place >= len(values):
        return None
    return None if values[place] is None else Value(values[place])


def _widget_inputs(body: Mapping[str, Any]) -> list[str | None]:
    wires = read_wires(body).values()
    nodes = read_nodes(body)
    stand_ins = {
        wire.origin_slot
        for wire in wires
        if wire.origin == INPUT_BORDER and wire.target in nodes
        for slot in nodes[wire.target].inputs[wire.target_slot : wire.target_slot + 1]
        if slot.widget
    }
    return [item["name"] for at, item in enumerate(body["inputs"]) if at in stand_ins]


def _resolve_inner(scope: Scope, index: int, kind: str, seen: frozenset[str]) -> Found:
    """Enter a subgraph by one of its outputs."""
    for wire in scope.wires.values():
        if wire.target == OUTPUT_BORDER and wire.target_slot == index:
            return _resolve_wire(scope, wire, kind, seen)
    return None
