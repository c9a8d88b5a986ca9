"""The part of ComfyUI's V3 node API that the nodes use, for running where ComfyUI is not.

Names, keywords and the dictionaries that describe a node are those of `comfy_api.latest.io` in
ComfyUI 0.8.0; a test against a real ComfyUI holds the two together. Stricter than the original in
one way: everything but a socket's id (and a Combo's options) is given by keyword.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar

from .standalone_sockets import (
    AnyType,
    Boolean,
    Combo,
    ComfyTypeIO,
    Custom,
    Float,
    FolderType,
    Image,
    Input,
    Int,
    Mask,
    NumberDisplay,
    Output,
    String,
    UploadType,
    WidgetInput,
)

__all__ = [
    "AnyType",
    "Boolean",
    "Combo",
    "ComfyExtension",
    "ComfyNode",
    "ComfyTypeIO",
    "Custom",
    "Float",
    "FolderType",
    "Hidden",
    "HiddenHolder",
    "Image",
    "Input",
    "Int",
    "Mask",
    "NodeOutput",
    "NumberDisplay",
    "Output",
    "Schema",
    "String",
    "UploadType",
    "WidgetInput",
]


class Hidden(str, Enum):
    """Values that the host hands to a node without a socket."""

    unique_id = "UNIQUE_ID"
    prompt = "PROMPT"
    extra_pnginfo = "EXTRA_PNGINFO"
    dynprompt = "DYNPROMPT"


@dataclass
class Schema:
    """What the editor and the runner know about a node."""

    node_id: str
    display_name: str | None = None
    category: str = "sd"
    inputs: Sequence[Input] = ()
    outputs: Sequence[Output] = ()
    hidden: list[Hidden] = field(default_factory=list)
    description: str = ""
    search_aliases: list[str] = field(default_factory=list)
    is_input_list: bool = False
    is_output_node: bool = False
    is_deprecated: bool = False
    is_experimental: bool = False
    is_api_node: bool = False
    not_idempotent: bool = False

    def finalize(self) -> None:
        """Name the unnamed outputs and ask for what an output node needs."""
        if self.is_output_node:
            wanted = (Hidden.prompt, Hidden.extra_pnginfo)
            self.hidden = self.hidden + [key for key in wanted if key not in self.hidden]
        for index, output in enumerate(self.outputs):
            output.id = output.id or f"_{index}_{output.io_type}_"

    def validate(self) -> None:
        """Check that names are unique.

        Raises:
            ValueError: two inputs, or two outputs, share an id.
        """
        for kind, sockets in (("Input", self.inputs), ("Output", self.outputs)):
            counts = Counter(socket.id for socket in sockets)
            twice = [name for name, count in counts.items() if count > 1]
            if twice:
                raise ValueError(f"{self.node_id}: {kind} ids must be unique, but {twice} are not.")

    def input_types(self) -> dict[str, dict[str, Any]]:
        """List inputs as `{"required": {id: (type, options)}, "optional": ..., "hidden": ...}`."""
        types: dict[str, dict[str, Any]] = {"required": {}}
        for socket in self.inputs:
            options = socket.as_dict()
            group = "optional" if options.pop("optional") else "required"
            types.setdefault(group, {})[socket.id] = (socket.get_io_type(), options)
        if self.hidden:
            types["hidden"] = {key.name: (key.value,) for key in self.hidden}
        return types


class NodeOutput:
    """What `execute` returns: the results in the order of the schema, and what the page shows."""

    def __init__(
        self,
        *args: Any,
        ui: Any = None,
        expand: dict[str, Any] | None = None,
        block_execution: str | None = None,
    ) -> None:
        self.args = args
        self.ui = ui
        self.expand = expand
        self.block_execution = block_execution

    @property
    def result(self) -> tuple[Any, ...] | None:
        """The results, or None where there are none."""
        return self.args or None

    def __getitem__(self, index: int) -> Any:
        return self.args[index]


@dataclass
class HiddenHolder:
    """The hidden values of one execution; None where the node did not ask or the host has none."""

    unique_id: str | None = None
    prompt: Any = None
    extra_pnginfo: Any = None
    dynprompt: Any = None


class ComfyNode:
    """Base class of nodes: class methods only, no state."""

    hidden: ClassVar[HiddenHolder] = HiddenHolder()

    @classmethod
    def define_schema(cls) -> Schema:
        """Describe the node. Every node overrides this."""
        raise NotImplementedError(f"{cls.__name__} has no define_schema.")

    @classmethod
    def execute(cls, *args: Any, **kwargs: Any) -> NodeOutput:
        """Do the work. Every node overrides this."""
        raise NotImplementedError(f"{cls.__name__} has no execute.")

    @classmethod
    def validate_inputs(cls, *args: Any, **kwargs: Any) -> bool | str:
        """Judge inputs before anything runs: True, or the reason why not. May be overridden."""
        raise NotImplementedError(f"{cls.__name__} has no validate_inputs.")

    @classmethod
    def fingerprint_inputs(cls, *args: Any, **kwargs: Any) -> Any:
        """Give a value that changes when the result would. May be overridden."""
        raise NotImplementedError(f"{cls.__name__} has no fingerprint_inputs.")

    @classmethod
    def check_lazy_status(cls, *args: Any, **kwargs: Any) -> list[str]:
        """Name the lazy inputs that are needed now; without an override, all of them."""
        return [name for name, value in kwargs.items() if value is None]

    @classmethod
    def GET_SCHEMA(cls) -> Schema:  # noqa: N802 - ComfyUI's name
        """Give the node's finished and checked schema."""
        schema = cls.define_schema()
        schema.finalize()
        schema.validate()
        return schema

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, dict[str, Any]]:  # noqa: N802 - ComfyUI's name
        """List the inputs in the form that the editor and the runner read."""
        return cls.GET_SCHEMA().input_types()

    @classmethod
    def GET_NODE_INFO_V1(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        """Describe the node as `/object_info` does."""
        schema = cls.GET_SCHEMA()
        types = schema.input_types()
        outputs = schema.outputs
        return {
            "input": types,
            "input_order": {group: list(sockets) for group, sockets in types.items()},
            "output": [output.io_type for output in outputs],
            "output_is_list": [output.is_output_list for output in outputs],
            "output_name": [output.display_name or output.io_type for output in outputs],
            "output_tooltips": [output.tooltip or None for output in outputs],
            "output_matchtypes": None,
            "name": schema.node_id,
            "display_name": schema.display_name,
            "description": schema.description,
            "category": schema.category,
            "output_node": schema.is_output_node,
            "deprecated": schema.is_deprecated,
            "experimental": schema.is_experimental,
            "api_node": schema.is_api_node,
            "search_aliases": schema.search_aliases,
        }

    @classmethod
    def PREPARE_CLASS_CLONE(  # noqa: N802 - ComfyUI's name
        cls, v3_data: Mapping[str, Any] | None
    ) -> type[ComfyNode]:
        """Make a subclass for one execution that holds its hidden values.

        Args:
            v3_data: `{"hidden_inputs": {Hidden.prompt: ..., ...}}`.
        """
        given = (v3_data or {}).get("hidden_inputs") or {}
        hidden = HiddenHolder(**{key.name: given.get(key) for key in Hidden})
        return type(f"{cls.__name__}Clone", (cls,), {"hidden": hidden})

    @classmethod
    def EXECUTE_NORMALIZED(cls, *args: Any, **kwargs: Any) -> NodeOutput:  # noqa: N802 - ComfyUI's name
        """Run `execute` and turn a bare tuple, or nothing, into a NodeOutput.

        Raises:
            TypeError: `execute` returned something else.
        """
        value: Any = cls.execute(*args, **kwargs)
        if isinstance(value, NodeOutput):
            return value
        if value is None or isinstance(value, tuple):
            return NodeOutput(*(value or ()))
        raise TypeError(
            f"{cls.__name__}.execute must return io.NodeOutput, got {type(value).__name__}."
        )


class ComfyExtension(ABC):
    """What `comfy_entrypoint` returns."""

    async def on_load(self) -> None:  # noqa: B027 - as in ComfyUI
        """Set up what the nodes need; ComfyUI 0.8.0 never calls it."""

    @abstractmethod
    async def get_node_list(self) -> list[type[ComfyNode]]:
        """List the nodes."""
