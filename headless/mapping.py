"""How a node sees lists: called once for each item, or once with all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..host.node_api import io
from .graph import Link, Node


@dataclass(frozen=True)
class Result:
    """What a node gave: for each output the list of its values, and what the page would show."""

    outputs: list[list[Any]]
    ui: dict[str, list[Any]]


def gather_inputs(node: Node, results: Mapping[str, Result]) -> dict[str, list[Any]]:
    """List each input's values: those of the output that it is linked to, or its own one."""
    return {
        name: results[value.node].outputs[value.slot] if isinstance(value, Link) else [value]
        for name, value in node.inputs.items()
    }


def call_node(
    execute: Callable[..., io.NodeOutput], inputs: Mapping[str, list[Any]], is_input_list: bool
) -> list[io.NodeOutput]:
    """Call a node as often as its longest input has values; shorter ones repeat their last value.

    Args:
        execute: the node's function.
        inputs: values by input name.
        is_input_list: the node takes whole lists, in one call.

    Raises:
        ValueError: an input has no value at all.
    """
    if is_input_list:
        return [execute(**inputs)]
    for name, values in inputs.items():
        if not values:
            raise ValueError(f"{name!r} got an empty list")
    count = max(map(len, inputs.values()), default=1)
    return [
        execute(**{name: values[min(index, len(values) - 1)] for name, values in inputs.items()})
        for index in range(count)
    ]


def merge_calls(calls: Sequence[io.NodeOutput], schema: io.Schema) -> Result:
    """Join the results of a node's calls: values are listed, lists are chained.

    Raises:
        ValueError: a call gave another number of results than the schema has outputs.
    """
    outputs: list[list[Any]] = [[] for _ in schema.outputs]
    ui: dict[str, list[Any]] = {}
    for call in calls:
        if len(call.args) != len(outputs):
            raise ValueError(f"gave {len(call.args)} results for its {len(outputs)} outputs")
        for values, output, value in zip(outputs, schema.outputs, call.args, strict=True):
            values.extend(value if output.is_output_list else [value])
        for key, entries in _as_dict(call.ui).items():
            ui.setdefault(key, []).extend(entries)
    return Result(outputs, ui)


def _as_dict(ui: Any) -> Mapping[str, Any]:
    # ComfyUI's own helpers for what the page shows are objects that turn into a dictionary.
    shown: Mapping[str, Any] = ui.as_dict() if hasattr(ui, "as_dict") else ui or {}
    return shown
