"""IR-SE50: recognising its weights and building its model."""

from __future__ import annotations

from ..architecture import Architecture
from ..weights import StateDict, digest, fill, matches
from .adapter import IRSE50
from .network import IRSE50Network

_STEM, _LAST = "input_layer.0.weight", "output_layer.3.weight"
_PATTERN = {
    _STEM: (None, 3, 3, 3),
    "body.0.res_layer.1.weight": (None, None, 3, 3),
    "body.0.res_layer.5.fc1.weight": (None, None, 1, 1),
    _LAST: (None, None),
}


def detect(state: StateDict) -> bool:
    """Tell whether weights are IR-SE50's, of any width and depth."""
    return matches(state, _PATTERN)


def load(state: StateDict) -> IRSE50:
    """Build IR-SE50 with the blocks that the weights have."""
    blocks = len({key.split(".")[1] for key in state if key.startswith("body.")})
    convolutions = (state.get(f"body.{block}.res_layer.1.weight") for block in range(blocks))
    widths = [kernel.shape[0] for kernel in convolutions if kernel is not None]
    stem, length = state[_STEM].shape[0], state[_LAST].shape[0]
    network = fill(lambda: IRSE50Network(stem, widths, length), state)
    sha256 = digest(state)
    return IRSE50(network, f"{IRSE50.name}-{sha256[:8]}", sha256)


ARCHITECTURE = Architecture(
    name=IRSE50.name,
    role=IRSE50.role,
    usual_files=("model_ir_se50.pth",),
    detect=detect,
    load=load,
)
