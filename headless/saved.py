"""The editor's JSON as it is saved: nodes with slots, wires, subgraphs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .graph import WorkflowError


@dataclass(frozen=True)
class Slot:
    """An input of a node as saved; `widget` is the name of the widget that it stands in for."""

    name: str
    type: str
    wire: str | None
    widget: str | None


@dataclass(frozen=True)
class Wire:
    """A wire as saved, by its two ends."""

    origin: str
    origin_slot: int
    target: str
    target_slot: int


@dataclass(frozen=True)
class RawNode:
    """A node as saved; `data` is its JSON object."""

    id: str
    type: str
    mode: int
    inputs: list[Slot]
    outputs: list[str]
    data: dict[str, Any]

    @property
    def label(self) -> str:
        """Name the node for people."""
        return f"{self.data.get('title') or self.type} (#{self.id})"


@dataclass
class Scope:
    """One level of nodes: the workflow itself, or the inside of one subgraph node.

    Attributes:
        body: the JSON object that holds the nodes.
        definitions: all subgraphs of the file, by id.
        outer: the level around this one and the subgraph node there, or None.
        prefix: what comes before ids of this level in the flat graph: "" or "12:".
        nodes: by id.
        wires: by id.
    """

    body: Mapping[str, Any]
    definitions: Mapping[str, Any]
    outer: tuple[Scope, RawNode] | None = None
    prefix: str = ""

    def __post_init__(self) -> None:
        self.nodes = read_nodes(self.body)
        self.wires = read_wires(self.body)

    def inside(self, node: RawNode) -> Scope:
        """Enter a subgraph node.

        Raises:
            WorkflowError: the subgraph contains itself.
        """
        outer = self.outer
        while outer is not None:
            if outer[1].type == node.type:
                raise WorkflowError(f"{node.label}: the subgraph contains itself")
            outer = outer[0].outer
        body = self.definitions[node.type]
        return Scope(body, self.definitions, (self, node), f"{self.prefix}{node.id}:")


def read_nodes(body: Mapping[str, Any]) -> dict[str, RawNode]:
    """Read the nodes of one level, by id."""
    return {node.id: node for node in map(_read_node, body.get("nodes") or [])}


def _read_node(data: dict[str, Any]) -> RawNode:
    inputs = [
        Slot(
            name=str(slot["name"]),
            type=str(slot.get("type", "*")),
            wire=None if slot.get("link") is None else str(slot["link"]),
            widget=(slot.get("widget") or {}).get("name"),
        )
        for slot in data.get("inputs") or []
    ]
    outputs = [str(slot.get("type", "*")) for slot in data.get("outputs") or []]
    mode = int(data.get("mode") or 0)
    return RawNode(str(data["id"]), str(data["type"]), mode, inputs, outputs, data)


def read_wires(body: Mapping[str, Any]) -> dict[str, Wire]:
    """Read the wires of one level, by id."""
    links = body.get("links") or []
    return dict(map(_read_wire, links.values() if isinstance(links, dict) else links))


def _read_wire(data: Any) -> tuple[str, Wire]:
    """Read a wire in either form: [id, from, slot, to, slot, type], or an object of named ends."""
    if isinstance(data, list):
        name, origin, origin_slot, target, target_slot = data[:5]
    else:
        keys = ("id", "origin_id", "origin_slot", "target_id", "target_slot")
        name, origin, origin_slot, target, target_slot = (data[key] for key in keys)
    return str(name), Wire(str(origin), int(origin_slot), str(target), int(target_slot))
