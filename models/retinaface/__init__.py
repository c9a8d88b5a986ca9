"""RetinaFace: recognising its weights and building its model."""

from __future__ import annotations

from ..architecture import Architecture
from ..weights import StateDict, fill, matches
from .adapter import RetinaFace
from .network import ANCHORS, HEADS, MobileNet, ResNet, RetinaFaceNetwork

_PYRAMID = [f"fpn.output{index}.0.weight" for index in (1, 2, 3)]
_PATTERN = {
    **dict.fromkeys(_PYRAMID, (None, None, 1, 1)),
    **{f"{name}.2.conv1x1.weight": (ANCHORS * n, None, 1, 1) for name, n in HEADS.items()},
}
_MOBILE = {"body.stage1.0.0.weight": (None, 3, 3, 3), **_PATTERN}
_RESIDUAL = {
    "body.conv1.weight": (None, 3, 7, 7),
    "body.layer4.0.conv3.weight": (None, None, 1, 1),
    **_PATTERN,
}


def detect(state: StateDict) -> bool:
    """Tell whether weights are RetinaFace's, of any width, on MobileNet or ResNet."""
    return matches(state, _MOBILE) or matches(state, _RESIDUAL)


def load(state: StateDict) -> RetinaFace:
    """Build RetinaFace with the backbone and the widths that the weights have."""
    width = state[_PYRAMID[0]].shape[0]
    inputs = [state[key].shape[1] for key in _PYRAMID]

    def build() -> RetinaFaceNetwork:
        if matches(state, _MOBILE):
            body: MobileNet | ResNet = MobileNet(state["body.stage1.0.0.weight"].shape[0])
        else:
            body = ResNet(state["body.conv1.weight"].shape[0], _blocks(state))
        return RetinaFaceNetwork(body, inputs, width)

    return RetinaFace(fill(build, state))


def _blocks(state: StateDict) -> list[int]:
    """Bottlenecks of each of the four layers."""
    parts = [key.split(".") for key in state if key.startswith("body.layer")]
    return [len({part[2] for part in parts if part[1] == f"layer{n}"}) for n in range(1, 5)]


ARCHITECTURE = Architecture(
    name=RetinaFace.name,
    role=RetinaFace.role,
    usual_files=(
        "detection_Resnet50_Final.pth",
        "Resnet50_Final.pth",
        "detection_mobilenet0.25_Final.pth",
        "mobilenet0.25_Final.pth",
    ),
    detect=detect,
    load=load,
)
"""RetinaFace as a detector."""
