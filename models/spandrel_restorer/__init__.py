"""GFPGAN, RestoreFormer and CodeFormer, whose networks the package spandrel holds."""

from __future__ import annotations

import warnings
from typing import Any

from torch import nn

from ..architecture import Architecture
from ..weights import CheckpointError, Pattern, StateDict, fill, matches
from .adapter import SpandrelRestorer

EXTRA = "spandrel_extra_arches"

# By the names that spandrel gives its architectures.
_PATTERNS: dict[str, Pattern] = {
    "GFPGAN": {
        "toRGB.0.weight": (3, None, 1, 1),
        "stylegan_decoder.style_mlp.1.weight": (None, None),
    },
    # The second norm is of its attention from decoder to encoder; other VQGANs have none.
    "RestoreFormer": {
        "quantize.embedding.weight": (None, None),
        "quant_conv.weight": (None, None, 1, 1),
        "encoder.conv_in.weight": (None, 3, 3, 3),
        "encoder.down.0.block.0.norm1.weight": (None,),
        "encoder.conv_out.weight": (None, None, 3, 3),
        "decoder.mid.attn_1.norm2.weight": (None,),
        "decoder.conv_out.weight": (3, None, 3, 3),
    },
    "CodeFormer": {
        "position_emb": (None, None),
        "idx_pred_layer.1.weight": (None, None),
        "quantize.embedding.weight": (None, None),
        "ft_layers.0.self_attn.in_proj_weight": (None, None),
        "encoder.blocks.0.weight": (None, 3, 3, 3),
    },
}


def detect(state: StateDict) -> bool:
    """Tell whether weights are of a face restorer that spandrel knows."""
    return bool(_kinds(state))


def load(state: StateDict) -> SpandrelRestorer:
    """Build the restorer that the weights belong to.

    Raises:
        CheckpointError: the tensors do not fit spandrel's network, or it is one that only the
            package spandrel_extra_arches holds, which is not installed.
    """
    kind = _kinds(state)[0]
    architecture = _architecture(kind)
    # Only their shapes say what to build; without storage that costs next to nothing.
    shapes = {key: tensor.to("meta") for key, tensor in state.items()}

    def build() -> nn.Module:
        try:
            network: nn.Module = architecture.load(shapes).model
        except (KeyError, RuntimeError, ValueError) as error:
            raise CheckpointError(
                f"spandrel builds no {kind} from these tensors. {error}"
            ) from error
        return network

    return SpandrelRestorer(fill(build, state), kind)


def _kinds(state: StateDict) -> list[str]:
    return [kind for kind, pattern in _PATTERNS.items() if matches(state, pattern)]


def _architecture(kind: str) -> Any:
    """Find spandrel's architecture of a name; nothing is added to its registry.

    It takes seconds to import: only those who load a restorer pay for it.
    """
    from spandrel import MAIN_REGISTRY

    if kind in MAIN_REGISTRY:
        return MAIN_REGISTRY[kind].architecture
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it uses torch.jit.script, which torch retires
            from spandrel_extra_arches import EXTRA_REGISTRY
    except ImportError as error:
        raise CheckpointError(
            f"this is {kind}, whose network is in the package {EXTRA}, because of its licence. "
            f"Install that beside FaceLoom: python -m pip install {EXTRA}"
        ) from error
    return EXTRA_REGISTRY[kind].architecture


ARCHITECTURE = Architecture(
    name=SpandrelRestorer.name,
    role=SpandrelRestorer.role,
    usual_files=(
        "GFPGANv1.4.pth",
        "GFPGANv1.3.pth",
        "GFPGANCleanv1-NoCE-C2.pth",
        "RestoreFormer.pth",
        "codeformer.pth",
    ),
    detect=detect,
    load=load,
)
"""The face restorers of spandrel, each by its own weights."""
