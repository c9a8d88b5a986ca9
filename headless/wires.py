"""Follow wires in the editor's JSON: through reroutes, bypassed nodes and subgraph borders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .graph import Link, WorkflowError
from .saved import RawNode, Scope, read_nodes, read_wires
from .specs import types_match

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


def resolve_input(
    scope: Scope, node: RawNode, index: int, kind: str = "", seen: frozenset[str] = frozenset()
) -> Found:
    """Find what an input of a node hangs on in the flat graph; None where it hangs on nothing.

    Args:
        scope: the level that the node is on.
        node: the node.
        index: the input's number.
        kind: the socket type that the end of the chain wants, "" for the input's own.
        seen: the outputs that the chain has passed.

    Raises:
        WorkflowError: a wire is missing from the file, or the chain runs in a circle.
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
    if wire.origin == INPUT_BORDER and scope.outer is not None:
        return _resolve_border(scope.outer, scope.body, wire.origin_slot, seen)
    origin = scope.nodes.get(wire.origin)
    if origin is None:
        raise WorkflowError(
            f"{node.label}: {slot.name!r} hangs on node #{wire.origin}, which is missing from the "
            "file; connect the input again"
        )
    return _resolve_output(scope, origin, wire.origin_slot, kind or slot.type, seen)


def _resolve_output(
    scope: Scope, node: RawNode, index: int, kind: str, seen: frozenset[str]
) -> Found:
    here = f"{scope.prefix}{node.id}.{index}"
    if here in seen:
        raise WorkflowError(f"the wires through {node.label} run in a circle")
    seen = seen | {here}
    if node.mode == BYPASSED:
        passed = _bypass(node, index, kind)
        return None if passed is None else resolve_input(scope, node, passed, seen=seen)
    if node.type == PRIMITIVE:
        values = node.data.get("widgets_values") or [None]
        return Value(values[0])
    if node.type in VIRTUAL:
        return resolve_input(scope, node, 0, kind, seen) if node.inputs else None
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
    outer: tuple[Scope, RawNode], body: Mapping[str, Any], index: int, seen: frozenset[str]
) -> Found:
    """Leave a subgraph through one of its inputs: to the wire outside, or to its own widget."""
    scope, node = outer
    name = str(_item(body, "inputs", index, node).get("name"))
    number = next((at for at, slot in enumerate(node.inputs) if slot.name == name), None)
    if number is not None and node.inputs[number].wire is not None:
        return resolve_input(scope, node, number, seen=seen)
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
    """Enter a subgraph through one of its outputs."""
    for wire in scope.wires.values():
        if wire.target == OUTPUT_BORDER and wire.target_slot == index:
            if wire.origin == INPUT_BORDER and scope.outer is not None:
                return _resolve_border(scope.outer, scope.body, wire.origin_slot, seen)
            return _resolve_output(scope, scope.nodes[wire.origin], wire.origin_slot, kind, seen)
    return None


def _item(body: Mapping[str, Any], key: str, index: int, node: RawNode) -> Mapping[str, Any]:
    items = body.get(key) or []
    if index >= len(items):
        raise WorkflowError(f"{node.label}: the subgraph has no number {index} among its {key}")
    item: Mapping[str, Any] = items[index]
    return item
