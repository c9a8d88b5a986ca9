"""See that a graph can run before any of it does."""

from __future__ import annotations

from collections.abc import Mapping

from .graph import Graph, Link, Node, WorkflowError, run_order
from .specs import NodeSpec, types_match
from .widgets import coerce

# What the editor gives as the pack of ComfyUI's own nodes.
CORE_PACK = "comfy-core"


def check_graph(graph: Graph, specs: Mapping[str, NodeSpec]) -> tuple[list[str], list[str]]:
    """Check every node that an output node needs, and turn their values into the inputs' types.

    An output node that hangs on a muted node through a required input is left out, like the rest
    of that branch, as long as another output node remains.

    Args:
        graph: the workflow; values are replaced by values of the right type.
        specs: the known node types by id.

    Returns:
        The ids of the nodes to run, in order, and a line on each output node that is left out.

    Raises:
        WorkflowError: the first thing wrong; the text names the node and what to do.
    """
    _check_types(graph, specs)
    targets = [node.id for node in graph.nodes.values() if specs[node.type].is_output]
    if not targets:
        raise WorkflowError("nothing to run: add an output node such as Save Image")
    _check_links(graph, specs)
    reasons = {target: _muted_reason(graph, specs, target) for target in targets}
    kept = [target for target, reason in reasons.items() if not reason]
    notes = [
        f"{graph.nodes[target].label} is left out: {reason}"
        for target, reason in reasons.items()
        if reason
    ]
    if not kept:
        raise WorkflowError(f"nothing to run: {'; '.join(notes)}")
    order = run_order(graph, kept)
    for name in order:
        _check_node(graph.nodes[name], specs[graph.nodes[name].type])
    return order, notes


def _check_types(graph: Graph, specs: Mapping[str, NodeSpec]) -> None:
    unknown = [node for node in graph.nodes.values() if node.type not in specs]
    if not unknown:
        return
    first = unknown[0]
    if first.pack == CORE_PACK:
        source = "it is one of ComfyUI's own"
    elif first.pack:
        source = f"it is from the node pack {first.pack}"
    else:
        source = "it may be from another node pack"
    others = ", ".join(
        dict.fromkeys(
            node.type if node.pack in ("", first.pack) else f"{node.type} of {node.pack}"
            for node in unknown[1:]
            if node.type != first.type
        )
    )
    raise WorkflowError(
        f"{first.label}: the node type {first.type!r} is unknown here; {source}. Mute or remove "
        "the node, or run the workflow in a ComfyUI that has it, with --server URL"
        + (f" (also unknown: {others})" if others else "")
    )


def _check_links(graph: Graph, specs: Mapping[str, NodeSpec]) -> None:
    for node in graph.nodes.values():
        for name, value in node.inputs.items():
            if isinstance(value, Link):
                _check_link(graph, specs, node, name, value)


def _check_link(
    graph: Graph, specs: Mapping[str, NodeSpec], node: Node, name: str, link: Link
) -> None:
    origin = graph.nodes.get(link.node)
    if origin is None:
        raise WorkflowError(
            f"{node.label}: {name!r} hangs on node #{link.node}, which is not in the workflow; "
            "connect the input again"
        )
    outputs = specs[origin.type].outputs
    if not 0 <= link.slot < len(outputs):
        raise WorkflowError(
            f"{node.label}: {name!r} hangs on output {link.slot} of {origin.label}, which has "
            f"{len(outputs)}; connect the input again"
        )
    given, wanted = outputs[link.slot], specs[node.type].find_input(name)
    if wanted is not None and not types_match(given.type, wanted.type):
        raise WorkflowError(
            f"{node.label}: {name!r} wants {wanted.type}, but the output {given.name!r} of "
            f"{origin.label} gives {given.type}"
        )


def _muted_reason(graph: Graph, specs: Mapping[str, NodeSpec], target: str) -> str:
    """Say which muted node keeps a target from running; "" where none does."""
    for node in (graph.nodes[name] for name in run_order(graph, [target])):
        for name, label in node.muted.items():
            spec = specs[node.type].find_input(name)
            if spec is not None and not spec.optional:
                return f"{name!r} of {node.label} hangs on {label}, which is muted"
    return ""


def _check_node(node: Node, spec: NodeSpec) -> None:
    for socket in spec.inputs:
        if socket.name not in node.inputs:
            if not socket.optional:
                action = "set" if socket.is_widget else "connect"
                raise WorkflowError(
                    f"{node.label}: the input {socket.name!r} ({socket.type}) is missing; "
                    f"{action} it"
                )
            continue
        value = node.inputs[socket.name]
        if isinstance(value, Link):
            continue
        try:
            node.inputs[socket.name] = coerce(socket, value)
        except ValueError as error:
            raise WorkflowError(f"{node.label}: {socket.name!r}: {error}") from error
