"""The one internal form of a workflow: nodes by id, each with values and links as inputs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

# Where a widget's value sits in the editor's JSON: the container and the key or index in it.
Cell = tuple[Any, Any]


class WorkflowError(ValueError):
    """A workflow that cannot be read or run; the text is one line that names the node."""


def describe(error: Exception) -> str:
    """Put an error into one line; the kind is named where its text alone would not say enough."""
    text = " ".join(str(error).split())
    if isinstance(error, ValueError | RuntimeError | OSError) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


@dataclass(frozen=True)
class Link:
    """The end of a wire: output number `slot` of the node with id `node`."""

    node: str
    slot: int


@dataclass
class Node:
    """One node that may run.

    Attributes:
        id: unique in the graph; nodes inside a subgraph have the ids of both, "12:3".
        type: the node type's id.
        title: what the editor shows.
        inputs: values and links by input name; unlinked inputs without a widget are absent.
        muted: by input name, the muted node that the input hung on.
        pack: the custom node pack that the editor says the type is from, or "".
        cells: by input name, where the editor's JSON holds the widget's value.
    """

    id: str
    type: str
    title: str
    inputs: dict[str, object] = field(default_factory=dict)
    muted: dict[str, str] = field(default_factory=dict)
    pack: str = ""
    cells: dict[str, Cell] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Name the node for people: "Detect Faces (#3)"."""
        return f"{self.title} (#{self.id})"

    def set(self, name: str, value: object) -> None:
        """Replace an input's value, in the editor's JSON too, so that saved pictures carry it."""
        self.inputs[name] = value
        self.muted.pop(name, None)
        if name in self.cells:
            container, key = self.cells[name]
            container[key] = value


@dataclass
class Graph:
    """A workflow.

    Attributes:
        nodes: the nodes that are neither muted nor bypassed, by id.
        workflow: the editor's JSON that it came from, or None where it came from the API form.
    """

    nodes: dict[str, Node]
    workflow: dict[str, Any] | None = None


def run_order(graph: Graph, targets: Iterable[str]) -> list[str]:
    """Order the targets and all that they need, each node after what it depends on.

    Raises:
        WorkflowError: nodes depend on each other in a circle; the text names them.
    """
    order: list[str] = []
    done: set[str] = set()
    for target in targets:
        # An explicit stack: long chains must not run into Python's recursion limit.
        stack = [(target, _sources(graph, target))] if target not in done else []
        path = [target]
        while stack:
            node, waiting = stack[-1]
            source = next((source for source in waiting if source not in done), None)
            if source is None:
                stack.pop()
                path.pop()
                done.add(node)
                order.append(node)
            elif source in path:
                raise WorkflowError(_describe_cycle(graph, path[path.index(source) :]))
            else:
                stack.append((source, _sources(graph, source)))
                path.append(source)
    return order


def _sources(graph: Graph, node: str) -> list[str]:
    inputs = graph.nodes[node].inputs.values()
    return list(dict.fromkeys(value.node for value in inputs if isinstance(value, Link)))


def _describe_cycle(graph: Graph, path: list[str]) -> str:
    # The path runs against the wires; people read along them.
    labels = [graph.nodes[node].label for node in reversed(path)]
    return f"these nodes wait for each other in a circle: {' -> '.join([*labels, labels[0]])}"
