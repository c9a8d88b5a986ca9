"""`-i NODE.INPUT=VALUE`: change a workflow's values from the command line."""

from __future__ import annotations

from collections.abc import Mapping

from .graph import Graph, Node, WorkflowError
from .specs import InputSpec, NodeSpec
from .widgets import coerce


def override(
    graph: Graph, specs: Mapping[str, NodeSpec], assignment: str
) -> tuple[Node, InputSpec]:
    """Set one input.

    Args:
        graph: the workflow; changed in place.
        specs: the known node types by id.
        assignment: "NODE.INPUT=VALUE"; NODE is an id, or a title or node type that only one node
            has. A value that comes over a wire is replaced, and the wire with it.

    Returns:
        The node and the input that were set.

    Raises:
        WorkflowError: there is no such node or input, or the value does not suit; the text lists
            the choices.
    """
    path, equals, value = assignment.partition("=")
    # Titles may hold dots and ids colons; names of inputs hold neither.
    name, dot, socket_name = path.rpartition(".")
    if not (equals and dot and name and socket_name):
        raise WorkflowError(f"-i {assignment}: write it as NODE.INPUT=VALUE")
    node = find_node(graph, name)
    socket = _find_socket(node, specs, socket_name)
    try:
        typed = coerce(socket, value)
    except ValueError as error:
        raise WorkflowError(f"{node.label}: {socket_name!r}: {error}") from error
    node.set(socket_name, typed)
    return node, socket


def find_node(graph: Graph, name: str) -> Node:
    """Find a node by id, by title or by type; letters' case does not matter in the latter two.

    Raises:
        WorkflowError: no node, or more than one, answers to the name.
    """
    if name in graph.nodes:
        return graph.nodes[name]
    for key in ("title", "type"):
        found = [
            node for node in graph.nodes.values() if getattr(node, key).lower() == name.lower()
        ]
        if len(found) == 1:
            return found[0]
        if found:
            labels = ", ".join(node.label for node in found)
            raise WorkflowError(f"{name!r} names more than one node; give the id: {labels}")
    labels = ", ".join(node.label for node in graph.nodes.values())
    raise WorkflowError(f"no node has the id, title or type {name!r}; there are {labels}")


def _find_socket(node: Node, specs: Mapping[str, NodeSpec], name: str) -> InputSpec:
    if node.type not in specs:
        raise WorkflowError(f"{node.label}: the node type {node.type!r} is unknown here")
    spec = specs[node.type]
    socket = spec.find_input(name)
    if socket is None:
        names = ", ".join(socket.name for socket in spec.inputs if socket.is_widget) or "none"
        raise WorkflowError(f"{node.label} has no input {name!r}; those with a value: {names}")
    if not socket.is_widget:
        raise WorkflowError(f"{node.label}: {name!r} takes a wire ({socket.type}), not a value")
    return socket
