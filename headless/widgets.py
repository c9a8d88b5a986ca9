"""Widget values: named after their inputs, brought to the inputs' types, held to their limits."""

from __future__ import annotations

import math
from typing import Any

from .graph import Cell
from .specs import InputSpec, NodeSpec

CONTROL_VALUES = ("fixed", "increment", "decrement", "randomize", "increment-wrap")
UPLOAD_VALUES = ("image", "", None)
TRUE, FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def read_widgets(spec: NodeSpec, values: Any) -> tuple[dict[str, object], dict[str, Cell]]:
    """Name a node's widget values.

    A list holds one value a widget in the editor's order, with two kinds of extras that name no
    input: the "control after generate" value behind a seed, and the upload button's behind the last
    required widget. Both are skipped where they are, so that files written by hand may lack them.
    Widgets without a value get the node type's default; values without a widget are ignored.

    Args:
        spec: the node's type.
        values: the node's `widgets_values`: a list, a dictionary, or None.

    Returns:
        Values by input name, and where each of them sits in `values`.
    """
    cells = _list_cells(spec, values) if isinstance(values, list) else _dict_cells(spec, values)
    named: dict[str, object] = {}
    for socket in spec.inputs:
        if socket.name in cells:
            container, key = cells[socket.name]
            named[socket.name] = container[key]
        elif socket.is_widget and socket.default is not None:
            named[socket.name] = socket.default
    return named, cells


def _dict_cells(spec: NodeSpec, values: Any) -> dict[str, Cell]:
    if not isinstance(values, dict):
        return {}
    return {
        socket.name: (values, socket.name)
        for socket in spec.inputs
        if socket.is_widget and socket.name in values
    }


def _list_cells(spec: NodeSpec, values: list[Any]) -> dict[str, Cell]:
    cells: dict[str, Cell] = {}
    place = 0
    has_upload = any(socket.is_upload for socket in spec.inputs if not socket.optional)
    for socket in sorted(spec.inputs, key=lambda socket: socket.optional):
        if not socket.is_widget:
            continue
        if socket.optional and has_upload:
            place += _holds(values, place, UPLOAD_VALUES)
            has_upload = False
        if place >= len(values):
            break
        cells[socket.name] = (values, place)
        place += 1 + _extras(socket, values, place + 1)
    return cells


def _extras(socket: InputSpec, values: list[Any], place: int) -> int:
    """Count the values behind a widget that belong to its "control after generate"."""
    if not socket.has_control or not _holds(values, place, CONTROL_VALUES):
        return 0
    # A COMBO's control also has a text that filters the choices.
    return 2 if socket.type == "COMBO" else 1


def _holds(values: list[Any], place: int, expected: tuple[object, ...]) -> bool:
    return place < len(values) and values[place] in expected


def coerce(spec: InputSpec, value: object) -> object:
    """Turn a widget's value, or a text that stands for it, into the input's type.

    Raises:
        ValueError: it does not stand for one, or is outside the input's limits; the text says what
            was wanted.
    """
    if spec.type in ("INT", "FLOAT"):
        return _number(spec, value)
    if spec.type == "BOOLEAN":
        return _truth(value)
    if spec.type == "STRING":
        return str(value)
    # An upload's choices are only what the folder holds; any other file will do.
    if spec.type != "COMBO" or spec.is_upload or spec.judged:
        return value
    return _choice(spec, value)


def _number(spec: InputSpec, value: object) -> int | float:
    wanted = "a whole number" if spec.type == "INT" else "a number"
    if not isinstance(value, str | int | float):
        raise ValueError(f"{value!r} is not {wanted}")
    try:
        # As ComfyUI does: 3.7 becomes 3.
        number = int(value) if spec.type == "INT" else float(value)
    except (ValueError, OverflowError):
        number = math.nan
    if math.isnan(number):
        raise ValueError(f"{value!r} is not {wanted}")
    low, high = spec.options.get("min"), spec.options.get("max")
    if (low is not None and number < low) or (high is not None and number > high):
        raise ValueError(f"{number} is outside the range {low} to {high}")
    return number


def _truth(value: object) -> bool:
    if not isinstance(value, str):
        return bool(value)
    if value.lower() not in (*TRUE, *FALSE):
        raise ValueError(f"{value!r} is neither true nor false")
    return value.lower() in TRUE


def _choice(spec: InputSpec, value: object) -> object:
    """Find the choice that a value stands for: choices may be numbers, and typed ones are texts."""
    for choice in spec.choices:
        if str(choice) == str(value):
            return choice
    shown = ", ".join(map(str, spec.choices[:20])) or "(there are no choices)"
    more = f", ... ({len(spec.choices)} choices)" if len(spec.choices) > 20 else ""
    raise ValueError(f"{value!r} is not one of {shown}{more}")
