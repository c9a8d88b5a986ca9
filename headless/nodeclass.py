"""A node class as the runner uses it: its description, its own checks, its calls on lists."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..host.node_api import io
from .graph import Link, Node, WorkflowError, describe
from .specs import from_class


@dataclass(frozen=True)
class Result:
    """What a node gave: for each output the list of its values, and what the page would show."""

    outputs: list[list[Any]]
    ui: dict[str, list[Any]]


class NodeClass:
    """A node class with its schema as of now."""

    def __init__(self, node_class: type[io.ComfyNode]) -> None:
        self._class = node_class
        self.schema = node_class.GET_SCHEMA()
        self.spec = from_class(node_class)

    def validate(self, node: Node) -> None:
        """Let the node check its values.

        Raises:
            WorkflowError: the node turned them down; the text has its reason.
        """
        verdict = self._ask("validate_inputs", node, default=True)
        if verdict is not True:
            reason = verdict if isinstance(verdict, str) else "its inputs do not suit it"
            raise WorkflowError(f"{node.label}: {reason}")

    def fingerprint(self, node: Node) -> object:
        """Give what the node says its result depends on besides its inputs, such as a file."""
        return self._ask("fingerprint_inputs", node, default=None)

    def call(self, inputs: Mapping[str, list[Any]], hidden: Mapping[str, object]) -> Result:
        """Call the node as often as its longest input has values, and join what it gives.

        Shorter inputs repeat their last value. A node whose schema takes lists is called once, with
        all of them.

        Args:
            inputs: values by input name.
            hidden: what the host knows, by name; the node gets what its schema asks for.

        Raises:
            ValueError: an input has no value at all, or the node gave another number of results
                than it has outputs.
        """
        wanted = {key: hidden.get(key.name) for key in self.schema.hidden}
        bound = self._class.PREPARE_CLASS_CLONE({"hidden_inputs": wanted})
        if self.schema.is_input_list:
            return self._join([bound.EXECUTE_NORMALIZED(**inputs)])
        for name, values in inputs.items():
            if not values:
                raise ValueError(f"{name!r} got an empty list")
        rounds = [
            {name: values[min(index, len(values) - 1)] for name, values in inputs.items()}
            for index in range(max(map(len, inputs.values()), default=1))
        ]
        return self._join([bound.EXECUTE_NORMALIZED(**values) for values in rounds])

    def _join(self, calls: list[io.NodeOutput]) -> Result:
        """Join the results of calls: values are listed, lists are chained."""
        sockets = self.schema.outputs
        joined = Result([[] for _ in sockets], {})
        for call in calls:
            if len(call.args) != len(sockets):
                raise ValueError(f"gave {len(call.args)} results for its {len(sockets)} outputs")
            for values, socket, value in zip(joined.outputs, sockets, call.args, strict=True):
                values.extend(value if socket.is_output_list else [value])
            # ComfyUI's own helpers for what the page shows are objects that turn into a dictionary.
            ui = call.ui.as_dict() if hasattr(call.ui, "as_dict") else call.ui or {}
            for key, entries in ui.items():
                joined.ui.setdefault(key, []).extend(entries)
        return joined

    def _ask(self, name: str, node: Node, default: object) -> object:
        """Call an override with the values that it takes; linked ones, not known yet, are None."""
        method: Any = getattr(self._class, name)
        if method.__func__ is getattr(io.ComfyNode, name).__func__:
            return default
        taken = inspect.signature(method).parameters
        known = {
            key: None if isinstance(value, Link) else value
            for key, value in node.inputs.items()
            if key in taken
        }
        try:
            return method(**known)
        except Exception as error:
            raise WorkflowError(f"{node.label}: {describe(error)}") from error
