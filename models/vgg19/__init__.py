"""VGG-19 with batch normalisation: recognising its weights and building its model."""

from __future__ import annotations

import torch

from ..architecture import Architecture
from ..weights import StateDict, check_keys, fill, matches
from .adapter import VGG19
from .network import CONVOLUTIONS, VGG19Network

_FEATURES, _CLASSIFIER = "features.", "classifier."
_CONVOLUTIONS = [f"features.{number}.weight" for number in CONVOLUTIONS]
_PATTERN = {
    **dict.fromkeys(_CONVOLUTIONS, (None, None, 3, 3)),
    "features.0.weight": (None, 3, 3, 3),
    "features.1.running_mean": (None,),
}
_HEADS = [f"classifier.{number}.weight" for number in (0, 3, 6)]


def detect(state: StateDict) -> bool:
    """Tell whether weights are VGG-19's with batch normalisation, of any width and classes.

    The classifier may be left out, but not be cut short.
    """
    if not all(key.startswith((_FEATURES, _CLASSIFIER)) for key in state):
        return False
    heads = _HEADS if any(key.startswith(_CLASSIFIER) for key in state) else []
    return matches(state, {**_PATTERN, **dict.fromkeys(heads, (None, None))})


def load(state: StateDict) -> VGG19:
    """Build VGG-19 with the widths that the weights have.

    The classifier, six sevenths of the weights or more, is checked like the rest and dropped.
    """
    widths = [state[key].shape[0] for key in _CONVOLUTIONS]
    heads = [state[key].shape for key in _HEADS if key in state]
    classifier = [heads[0][1], *(shape[0] for shape in heads)] if heads else []
    with torch.device("meta"):
        whole = VGG19Network(widths, classifier)
    check_keys(whole.state_dict(), state)
    kept = {key: value for key, value in state.items() if key.startswith(_FEATURES)}
    return VGG19(fill(lambda: VGG19Network(widths), kept))


ARCHITECTURE = Architecture(
    name=VGG19.name,
    role=VGG19.role,
    usual_files=(
        "vggface2_vgg19_256_1_2_id.pth",
        "vggface2_vgg19_256_2_0_id.pth",
        "celeba_vgg19_256_2_0_28_attr.pth",
        "vgg19_bn-c79401a0.pth",
    ),
    detect=detect,
    load=load,
)
