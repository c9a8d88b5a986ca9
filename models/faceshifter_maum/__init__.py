"""FaceShifter by maum.ai: recognising its weights and building its model."""

from __future__ import annotations

from ..aei import load_network
from ..architecture import Architecture
from ..weights import StateDict, matches
from .adapter import MaumFaceShifter
from .network import LAYOUT

_LAYER = "G.model.layer_0.add1"
_PATTERN = {
    "G.convt.weight": (None, None, 2, 2),
    f"{_LAYER}.conv1.weight": (None, None, None, None),
    f"{_LAYER}.fc_1.weight": (None, None),
    f"{_LAYER}.conv_f.weight": (None, None, None, None),
}
_OTHERS = ("D.", "Z.")
"""Lightning keeps the discriminator and the face encoder in the same checkpoint."""


def detect(state: StateDict) -> bool:
    """Tell whether weights are this FaceShifter's, of any widths."""
    return matches(state, _PATTERN)


def load(state: StateDict) -> MaumFaceShifter:
    """Build FaceShifter with the widths that the weights have."""
    own = {key: value for key, value in state.items() if not key.startswith(_OTHERS)}
    return MaumFaceShifter(load_network(own, LAYOUT))


ARCHITECTURE = Architecture(
    name=MaumFaceShifter.name,
    role=MaumFaceShifter.role,
    usual_files=("epoch=0.ckpt",),
    detect=detect,
    load=load,
)
"""FaceShifter by maum.ai as a swapper."""
