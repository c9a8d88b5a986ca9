"""Values that people type: read by the input's type, and checked against its limits."""

from __future__ import annotations

import math

from .specs import InputSpec

TRUE, FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def coerce(spec: InputSpec, value: object) -> object:
    """Turn a widget's value, or a text that stands for it, into the input's type.

    Raises:
        ValueError: it does not stand for one; the text says what was wanted.
    """
    if spec.type in ("INT", "FLOAT"):
        return _number(spec.type, value)
    if spec.type == "BOOLEAN":
        return _truth(value)
    if spec.type == "STRING":
        return str(value)
    if spec.type == "COMBO":
        return _choice(spec, value)
    return value


def check_limits(spec: InputSpec, value: object) -> None:
    """See that a value of the right type lies within the input's limits.

    Raises:
        ValueError: it does not; the text gives the limits.
    """
    if isinstance(value, int | float):
        low, high = spec.options.get("min"), spec.options.get("max")
        if (low is not None and value < low) or (high is not None and value > high):
            raise ValueError(f"{value} is outside {_limits(low, high)}")
    if spec.type == "COMBO":
        given = value if spec.is_multiple and isinstance(value, list) else [value]
        for choice in given:
            if choice not in spec.choices:
                raise ValueError(f"{choice!r} is not one of {_list_choices(spec.choices)}")


def _number(kind: str, value: object) -> int | float:
    wanted = "a whole number" if kind == "INT" else "a number"
    if not isinstance(value, str | int | float):
        raise ValueError(f"{value!r} is not {wanted}")
    try:
        if kind == "FLOAT":
            number = float(value)
            if math.isnan(number):
                raise ValueError
            return number
        # As ComfyUI does: 3.7 becomes 3.
        return int(value)
    except (ValueError, OverflowError):
        raise ValueError(f"{value!r} is not {wanted}") from None


def _truth(value: object) -> bool:
    if isinstance(value, str):
        if value.lower() in TRUE:
            return True
        if value.lower() in FALSE:
            return False
        raise ValueError(f"{value!r} is neither true nor false")
    return bool(value)


def _choice(spec: InputSpec, value: object) -> object:
    """Find the choice that a text stands for: choices may be numbers."""
    if spec.is_multiple and isinstance(value, str):
        return [_one_choice(spec, part.strip()) for part in value.split(",") if part.strip()]
    return _one_choice(spec, value)


def _one_choice(spec: InputSpec, value: object) -> object:
    return next((choice for choice in spec.choices if str(choice) == str(value)), value)


def _limits(low: float | None, high: float | None) -> str:
    if low is None:
        return f"the range up to {high}"
    return f"the range from {low}" if high is None else f"the range {low} to {high}"


def _list_choices(choices: list[object]) -> str:
    shown = ", ".join(map(str, choices[:20])) or "(there are no choices)"
    return f"{shown}, ... ({len(choices)} choices)" if len(choices) > 20 else shown
