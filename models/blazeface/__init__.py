"""BlazeFace: recognising its weights and building its model."""

from __future__ import annotations

from torch import nn

from ..architecture import Architecture
from ..weights import StateDict, fill, matches
from .adapter import BlazeFace
from .network import ANCHORS, VALUES, BlazeFaceNetwork, Last, chain

_HEADS = {
    **{f"classifier_{grid}.weight": (n, None, 1, 1) for grid, n in ANCHORS.items()},
    **{f"regressor_{grid}.weight": (VALUES * n, None, 1, 1) for grid, n in ANCHORS.items()},
}
_FRONT = {"backbone1.0.weight": (None, 3, 5, 5), "backbone2.0.convs.1.weight": (None,) * 4}
_BACK = {"backbone.0.weight": (None, 3, 5, 5), "final.convs.1.weight": (None,) * 4}

FRONT, BACK = 128, 256
"""Sides in pixels of what the two networks see."""
_FRONT_STRIDES = (1, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1), (2, 1, 1, 1, 1)
_BACK_STRIDES = ((1,) * 7 + (2,)) * 3 + (1,) * 7


def detect(state: StateDict) -> bool:
    """Tell whether weights are BlazeFace's, of the front or the back camera, of any width."""
    return any(matches(state, {**_HEADS, **body}) for body in (_FRONT, _BACK))


def load(state: StateDict) -> BlazeFace:
    """Build BlazeFace with the widths that the weights have."""
    widths = {grid: state[f"classifier_{grid}.weight"].shape[1] for grid in ANCHORS}
    if not matches(state, _FRONT):
        stem = _widths(state, "backbone")

        def back() -> dict[str, nn.Module]:
            body = nn.Sequential(*chain(stem, _BACK_STRIDES, 3))
            return {"backbone": body, "final": Last(stem[-1])}

        return BlazeFace(fill(lambda: BlazeFaceNetwork(back(), widths), state), BACK)
    first, second = _widths(state, "backbone1"), _widths(state, "backbone2")

    def front() -> dict[str, nn.Module]:
        fine, coarse = _FRONT_STRIDES
        body = chain([first[-1], *second], coarse)
        return {
            "backbone1": nn.Sequential(*chain(first, fine, 3)),
            "backbone2": nn.Sequential(*body),
        }

    return BlazeFace(fill(lambda: BlazeFaceNetwork(front(), widths), state), FRONT)


def _widths(state: StateDict, name: str) -> list[int]:
    """Output channels of a stage's convolutions, stem and 1x1 ones, in their order."""
    keys = {
        int(key.split(".")[1]): key
        for key in state
        if key.startswith(f"{name}.") and key.endswith((".convs.1.weight", f"{name}.0.weight"))
    }
    return [state[keys[index]].shape[0] for index in sorted(keys)]


ARCHITECTURE = Architecture(
    name=BlazeFace.name,
    role=BlazeFace.role,
    usual_files=("blazefaceback.pth", "blazeface.pth"),
    detect=detect,
    load=load,
)
"""BlazeFace as a detector."""
