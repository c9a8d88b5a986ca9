"""The text of `faceloom nodes`."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from textwrap import wrap

from .specs import InputSpec, NodeSpec

COLUMNS = 100


def list_nodes(specs: Iterable[NodeSpec]) -> str:
    """List node types under their categories, each with its inputs and outputs."""
    ordered = sorted(specs, key=lambda spec: (spec.category, spec.display_name))
    blocks = []
    for category, members in groupby(ordered, key=lambda spec: spec.category):
        blocks.extend([f"== {category} ==", *map(_describe, members)])
    return "\n\n".join(blocks)


def _describe(spec: NodeSpec) -> str:
    name = spec.display_name if spec.display_name == spec.id else f"{spec.display_name} ({spec.id})"
    text = wrap(spec.description, COLUMNS, initial_indent="  ", subsequent_indent="  ")
    inputs = [("in", socket.name, _describe_input(socket)) for socket in spec.inputs]
    outputs = [("out", output.name, output.type) for output in spec.outputs]
    rows = [*inputs, *outputs]
    width = max((len(row[1]) for row in rows), default=0)
    lines = [f"  {way:<3}  {name:<{width}}  {kind}" for way, name, kind in rows]
    return "\n".join([name, *text, *lines])


def _describe_input(socket: InputSpec) -> str:
    text = socket.type
    if socket.is_upload:
        text = "a file"
    elif socket.is_widget:
        low, high = socket.options.get("min"), socket.options.get("max")
        if socket.choices:
            text = f"one of: {', '.join(map(str, socket.choices))}"
        elif low is not None and high is not None:
            text += f" {low} to {high}"
        if socket.default not in (None, ""):
            text += f"; default {socket.default}"
    return text + ("; optional" if socket.optional else "")
