"""The text of `faceloom nodes`."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from .specs import InputSpec, NodeSpec


def list_nodes(specs: Iterable[NodeSpec]) -> str:
    """List node types under their categories, each with its inputs and outputs."""
    ordered = sorted(specs, key=lambda spec: (spec.category, spec.display_name))
    blocks = []
    for category, members in groupby(ordered, key=lambda spec: spec.category):
        blocks.append("\n\n".join([f"== {category} ==", *map(describe_node, members)]))
    return "\n\n".join(blocks)


def describe_node(spec: NodeSpec) -> str:
    """Describe one node type in a few lines."""
    name = spec.display_name if spec.display_name == spec.id else f"{spec.display_name} ({spec.id})"
    inputs = [("in", socket.name, _describe_input(socket)) for socket in spec.inputs]
    outputs = [("out", output.name, output.type) for output in spec.outputs]
    rows = [*inputs, *outputs]
    width = max((len(row[1]) for row in rows), default=0)
    return "\n".join([name, *(f"  {way:<3}  {name:<{width}}  {text}" for way, name, text in rows)])


def _describe_input(socket: InputSpec) -> str:
    optional = ", optional" if socket.optional else ""
    if not socket.is_widget:
        return socket.type + optional
    text = socket.type
    if socket.type == "COMBO" and socket.choices and not socket.is_upload:
        text += f" of {', '.join(map(str, socket.choices))}"
    low, high = socket.options.get("min"), socket.options.get("max")
    if low is not None and high is not None:
        text += f" {low} to {high}"
    default = "" if socket.default in (None, "") else f", default {socket.default}"
    return text + default + optional
