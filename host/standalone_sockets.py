"""Sockets of the stand-in for ComfyUI's node API; `standalone_io` gives them to the nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field, fields
from enum import Enum
from typing import Any, ClassVar


class NumberDisplay(str, Enum):
    """How the editor draws a number."""

    number = "number"
    slider = "slider"


class UploadType(str, Enum):
    """What an upload button beside a Combo accepts."""

    image = "image_upload"
    video = "video_upload"
    audio = "audio_upload"
    model = "file_upload"


class FolderType(str, Enum):
    """The folder that an uploaded or saved file belongs to."""

    input = "input"
    output = "output"
    temp = "temp"


# Fields whose option has another name in the dictionary that the editor reads.
OPTION_NAMES = {
    "raw_link": "rawLink",
    "force_input": "forceInput",
    "dynamic_prompts": "dynamicPrompts",
    "display_mode": "display",
}
NOT_OPTIONS = frozenset({"id", "extra_dict", "upload"})


@dataclass
class Input:
    """A socket without a widget; `extra_dict` adds options that have no keyword of their own."""

    io_type: ClassVar[str]

    id: str
    _: KW_ONLY
    display_name: str | None = None
    optional: bool = False
    tooltip: str | None = None
    lazy: bool | None = None
    extra_dict: dict[str, Any] = field(default_factory=dict)
    raw_link: bool | None = None

    def as_dict(self) -> dict[str, Any]:
        """Give the options that the editor reads, without those that are None."""
        options = {
            OPTION_NAMES.get(option.name, option.name): getattr(self, option.name)
            for option in fields(self)
            if option.name not in NOT_OPTIONS
        }
        options |= self.extra_dict
        return {name: value for name, value in options.items() if value is not None}

    def get_io_type(self) -> str:
        """Name the socket's type."""
        return self.io_type


@dataclass
class WidgetInput(Input):
    """An input whose value can be set in the node itself."""

    _: KW_ONLY
    default: Any = None
    socketless: bool | None = None
    force_input: bool | None = None


@dataclass
class BooleanInput(WidgetInput):
    """A switch, with names for its two states."""

    io_type: ClassVar[str] = "BOOLEAN"

    _: KW_ONLY
    label_on: str | None = None
    label_off: str | None = None


@dataclass
class IntInput(WidgetInput):
    """A whole number between limits."""

    io_type: ClassVar[str] = "INT"

    _: KW_ONLY
    min: int | None = None
    max: int | None = None
    step: int | None = None
    control_after_generate: bool | None = None
    display_mode: NumberDisplay | None = None


@dataclass
class FloatInput(WidgetInput):
    """A real number between limits, rounded to a multiple of `round`."""

    io_type: ClassVar[str] = "FLOAT"

    _: KW_ONLY
    min: float | None = None
    max: float | None = None
    step: float | None = None
    round: float | None = None
    display_mode: NumberDisplay | None = None


@dataclass
class StringInput(WidgetInput):
    """A line or an area of text."""

    io_type: ClassVar[str] = "STRING"

    _: KW_ONLY
    multiline: bool = False
    placeholder: str | None = None
    dynamic_prompts: bool | None = None


@dataclass
class ComboInput(WidgetInput):
    """A drop-down list, perhaps with an upload button beside it."""

    io_type: ClassVar[str] = "COMBO"

    options: Sequence[str] | Sequence[int] | type[Enum] | None = None
    _: KW_ONLY
    control_after_generate: bool | None = None
    upload: UploadType | None = None
    image_folder: FolderType | None = None

    def __post_init__(self) -> None:
        if isinstance(self.options, type):
            self.options = [member.value for member in self.options]
        if isinstance(self.default, Enum):
            self.default = self.default.value

    def as_dict(self) -> dict[str, Any]:
        """Give the options that the editor reads, without those that are None."""
        upload = {self.upload.value: True} if self.upload else {}
        return super().as_dict() | {"multiselect": False} | upload


@dataclass
class Output:
    """A result of a node."""

    io_type: ClassVar[str]

    id: str | None = None
    _: KW_ONLY
    display_name: str | None = None
    tooltip: str | None = None
    is_output_list: bool = False

    def __post_init__(self) -> None:
        self.display_name = self.display_name or self.id

    def get_io_type(self) -> str:
        """Name the socket's type."""
        return self.io_type


def _output(io_type: str) -> type[Output]:
    return type("Output", (Output,), {"io_type": io_type})


class ComfyTypeIO:
    """A socket type without a widget; `Input` and `Output` make sockets of it."""

    io_type: ClassVar[str]
    Input: type[Input]
    Output: type[Output]


def Custom(io_type: str) -> type[ComfyTypeIO]:  # noqa: N802 - ComfyUI's name
    """Make a socket type that connects only to sockets of the same name."""
    sockets = {"Input": type("Input", (Input,), {"io_type": io_type}), "Output": _output(io_type)}
    return type("Custom", (ComfyTypeIO,), {"io_type": io_type, **sockets})


Image = Custom("IMAGE")
Mask = Custom("MASK")
AnyType = Custom("*")


class Boolean:
    """A switch."""

    io_type = "BOOLEAN"
    Input = BooleanInput
    Output = _output("BOOLEAN")


class Int:
    """A whole number."""

    io_type = "INT"
    Input = IntInput
    Output = _output("INT")


class Float:
    """A real number."""

    io_type = "FLOAT"
    Input = FloatInput
    Output = _output("FLOAT")


class String:
    """A text."""

    io_type = "STRING"
    Input = StringInput
    Output = _output("STRING")


class Combo:
    """One of a list."""

    io_type = "COMBO"
    Input = ComboInput
    Output = _output("COMBO")
