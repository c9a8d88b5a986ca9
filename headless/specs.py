"""What the runner knows about node types, read from the form that `/object_info` serves."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..host.node_api import io

WIDGET_TYPES = frozenset({"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"})
# What the editor puts into a widget whose node states no default.
BLANK = {"INT": 0, "FLOAT": 0.0, "STRING": "", "BOOLEAN": False}
# The editor adds a "control after generate" widget to whole numbers of these names, asked or not.
SEED_NAMES = frozenset({"seed", "noise_seed"})
UPLOADS = frozenset({"image_upload", "video_upload", "audio_upload", "animated_image_upload"})


@dataclass(frozen=True)
class InputSpec:
    """One input of a node type: its name, socket type ("A,B" and "*" match several), options."""

    name: str
    type: str
    optional: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    judged: bool = False
    """Whether the node's own `validate_inputs` takes the value, and so judges its choices."""

    @property
    def is_widget(self) -> bool:
        """Whether the value can be typed into the node."""
        return self.type in WIDGET_TYPES and not self.options.get("forceInput")

    @property
    def is_upload(self) -> bool:
        """Whether the widget names a file that the editor can upload."""
        return any(self.options.get(key) for key in UPLOADS)

    @property
    def has_control(self) -> bool:
        """Whether the editor keeps a "control after generate" value behind this one."""
        asked = self.options.get("control_after_generate")
        if asked is None and self.type == "INT":
            return self.name in SEED_NAMES
        return bool(asked)

    @property
    def choices(self) -> list[Any]:
        """The values that a COMBO allows."""
        return list(self.options.get("options") or [])

    @property
    def default(self) -> object:
        """The value that the editor starts with."""
        if "default" in self.options:
            return self.options["default"]
        return next(iter(self.choices), None) if self.type == "COMBO" else BLANK.get(self.type)


@dataclass(frozen=True)
class OutputSpec:
    """One output of a node type."""

    name: str
    type: str
    is_list: bool = False


@dataclass(frozen=True)
class NodeSpec:
    """A node type; inputs in the editor's order: the required ones, then the optional ones."""

    id: str
    display_name: str
    category: str
    inputs: tuple[InputSpec, ...]
    outputs: tuple[OutputSpec, ...]
    is_output: bool = False
    description: str = ""

    def find_input(self, name: str) -> InputSpec | None:
        """Give the input of that name."""
        return next((spec for spec in self.inputs if spec.name == name), None)


def from_info(info: Mapping[str, Any]) -> NodeSpec:
    """Read one node type's entry of ComfyUI's `/object_info`."""
    groups = info.get("input", {})
    inputs = tuple(
        _read_input(name, entry, group == "optional")
        for group in ("required", "optional")
        for name, entry in groups.get(group, {}).items()
    )
    types = info.get("output", [])
    lists = info.get("output_is_list") or [False] * len(types)
    names = info.get("output_name") or types
    outputs = tuple(
        OutputSpec(str(name), _type_name(kind), bool(is_list))
        for name, kind, is_list in zip(names, types, lists, strict=True)
    )
    return NodeSpec(
        id=info["name"],
        display_name=info.get("display_name") or info["name"],
        category=info.get("category", ""),
        inputs=inputs,
        outputs=outputs,
        is_output=bool(info.get("output_node")),
        description=info.get("description") or "",
    )


def from_class(node_class: type[io.ComfyNode]) -> NodeSpec:
    """Describe a node class."""
    spec = from_info(node_class.GET_NODE_INFO_V1())
    method: Any = node_class.validate_inputs
    if method.__func__ is io.ComfyNode.validate_inputs.__func__:  # type: ignore[attr-defined]
        return spec
    taken = inspect.signature(method).parameters
    return replace(
        spec, inputs=tuple(replace(entry, judged=entry.name in taken) for entry in spec.inputs)
    )


def types_match(given: str, wanted: str) -> bool:
    """Say whether a wire may join the two socket types; case counts, as in ComfyUI."""
    any_types = {"*", "COMFY_MATCHTYPE_V3"}
    ends = [{part.strip() for part in kind.split(",")} for kind in (given, wanted)]
    return bool(ends[0] & ends[1]) or any(end & any_types for end in ends)


def _read_input(name: str, entry: Any, optional: bool) -> InputSpec:
    kind, options = entry[0], dict(entry[1]) if len(entry) > 1 and entry[1] else {}
    if isinstance(kind, list):  # The older way to write a COMBO: its choices in place of a type.
        options.setdefault("options", kind)
    return InputSpec(name, _type_name(kind), optional, options)


def _type_name(kind: Any) -> str:
    return "COMBO" if isinstance(kind, list) else str(kind)
