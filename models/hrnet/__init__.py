"""HRNet for faces: recognising its weights and building its model."""

from __future__ import annotations

from ..architecture import Architecture
from ..weights import StateDict, fill, matches
from .adapter import HRNet
from .network import HRNetNetwork

_STEM, _POINTS = "conv1.weight", "head.3.weight"
_WIDTHS = [f"stage4.0.branches.{branch}.0.conv1.weight" for branch in range(4)]
_PATTERN = {
    _STEM: (None, 3, 3, 3),
    "layer1.0.conv3.weight": (None, None, 1, 1),
    **dict.fromkeys(_WIDTHS, (None, None, 3, 3)),
    "head.0.weight": (None, None, 1, 1),
}
# The authors' networks for COFW and AFLW find 29 and 19 points, which nothing here can use.
_SETS = (68, 98)


def detect(state: StateDict) -> bool:
    """Tell whether weights are HRNet's, of any width and depth, with 68 or 98 points."""
    return any(matches(state, {**_PATTERN, _POINTS: (count, None, 1, 1)}) for count in _SETS)


def load(state: StateDict) -> HRNet:
    """Build HRNet with the widths, depths and points that the weights have."""
    stem, points = state[_STEM].shape[0], state[_POINTS].shape[0]
    widths = [state[key].shape[0] for key in _WIDTHS]
    bottlenecks = _count(state, "layer1.")
    modules = [_count(state, f"stage{stage}.") for stage in (2, 3, 4)]
    blocks = [_count(state, f"stage{stage}.0.branches.0.") for stage in (2, 3, 4)]

    def build() -> HRNetNetwork:
        return HRNetNetwork(stem, bottlenecks, widths, modules, blocks, points)

    return HRNet(fill(build, state), points)


def _count(state: StateDict, prefix: str) -> int:
    """How many modules a list of them has."""
    keys = (key.removeprefix(prefix) for key in state if key.startswith(prefix))
    return len({key.split(".")[0] for key in keys})


ARCHITECTURE = Architecture(
    name=HRNet.name,
    role=HRNet.role,
    usual_files=("hr18_wflw_landmarks.pth", "HR18-WFLW.pth"),
    detect=detect,
    load=load,
)
