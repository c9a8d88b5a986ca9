"""A node class as the runner uses it: its description, its own checks, its function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from ..host.node_api import io
from .graph import Link, Node, WorkflowError, describe
from .specs import from_class


class NodeClass:
    """A node class with its schema as of now."""

    def __init__(self, node_class: type[io.ComfyNode]) -> None:
        self._class = node_class
        self.schema = node_class.GET_SCHEMA()
        self.spec = from_class(node_class)

    def judges(self, name: str) -> bool:
        """Say whether the node checks an input itself, in place of the schema's limits."""
        method = self._own("validate_inputs")
        return method is not None and bool(_accepted(method, [name]))

    def judge(self, node: Node) -> None:
        """Let the node check its values.

        Raises:
            WorkflowError: the node turned them down; the text has its reason.
        """
        verdict = self._call("validate_inputs", node, default=True)
        if verdict is not True:
            reason = verdict if isinstance(verdict, str) else "its inputs do not suit it"
            raise WorkflowError(f"{node.label}: {reason}")

    def fingerprint(self, node: Node) -> object:
        """Give what the node says its result depends on besides its inputs, such as a file."""
        return self._call("fingerprint_inputs", node, default=None)

    def bind(self, hidden: Mapping[str, object]) -> Callable[..., io.NodeOutput]:
        """Give the node's function, with the hidden values that its schema asks for."""
        values = {key: hidden.get(key.name) for key in self.schema.hidden}
        bound = self._class.PREPARE_CLASS_CLONE({"hidden_inputs": values})
        return bound.EXECUTE_NORMALIZED

    def _own(self, name: str) -> Callable[..., Any] | None:
        method: Any = getattr(self._class, name)
        return None if method.__func__ is getattr(io.ComfyNode, name).__func__ else method

    def _call(self, name: str, node: Node, default: object) -> object:
        """Call an override with the values that it takes; linked ones, not known yet, are None."""
        method = self._own(name)
        if method is None:
            return default
        known = {
            key: None if isinstance(value, Link) else value for key, value in node.inputs.items()
        }
        try:
            return method(**{key: known[key] for key in _accepted(method, list(known))})
        except Exception as error:
            raise WorkflowError(f"{node.label}: {describe(error)}") from error


def _accepted(method: Callable[..., Any], names: list[str]) -> list[str]:
    parameters = inspect.signature(method).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return names
    return [name for name in names if name in parameters]
