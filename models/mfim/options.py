"""Choices that MFIM's paper leaves open, each a named field with a default.

No code and no weights of MFIM (Na, arXiv:2308.01536, ECCV 2022) were published. The defaults are a
completion, not the paper's numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from re import fullmatch
from typing import Any, Literal

import torch
from torch import nn

from ..weights import CheckpointError, StateDict, matches


@dataclass(frozen=True)
class MFIMOptions:
    """How an MFIM is built; whatever cannot be seen from its tensors' shapes is stored with them.

    Codes are counted from 0, from the coarsest one: three a resolution, but two at 4 px.

    Raises:
        ValueError: a choice that no network can be built with.
    """

    boundary: int = 8
    """First code that comes from the source; 8 begins at 32 px. (The paper's.)"""
    local: int = 14
    """First code of the local source in ID mixing; 14 begins at 128 px. (Not in the paper.)"""
    code_latents: tuple[int, int] = (8, 14)
    """First codes read from the second and from the third latent map, those of 32 and of 64 px."""
    code_width: int = 512
    """Channels of the convolutions that turn latent maps into codes."""
    residual: bool = True
    """Whether codes are added to those of the mean face, at which training then begins."""
    map_sites: tuple[int, ...] = (16, 32, 64)
    """Sides in pixels of the decoder's layers that get style maps; the others get none.

    The encoder has latent maps of 16, 32 and 64 px. For other sites the nearest of them is resized
    and goes through two more convolutions; 128 and 256 hold a background better and cost much.
    """
    map_channels: Literal["full", 1] = "full"
    """Whether a style map has all channels of its layer, or one for all, as noise has."""
    map_gain: Literal["noise", "one"] = "noise"
    """What style maps are multiplied by: the layer's own strength of noise, or nothing."""
    encoder_size: int = 256
    """Side in pixels at which the encoder sees pictures."""
    train_generator: bool = False
    """Whether training changes the decoder, too."""

    def __post_init__(self) -> None:
        sides = (self.encoder_size, *self.map_sites)
        if self.encoder_size < 32 or any(side < 4 or side & (side - 1) for side in sides):
            raise ValueError(
                "encoder_size and map_sites must be powers of two, from 32 and from 4 on, "
                f"got {self.encoder_size} and {self.map_sites}."
            )
        if list(self.map_sites) != sorted(set(self.map_sites)):
            raise ValueError(f"map_sites must go up, each named once, got {self.map_sites}.")
        if self.map_channels not in ("full", 1) or self.map_gain not in ("noise", "one"):
            raise ValueError(
                'map_channels must be "full" or 1 and map_gain "noise" or "one", '
                f"got {self.map_channels!r} and {self.map_gain!r}."
            )
        starts = (0, *self.code_latents)
        if list(starts) != sorted(starts) or min(self.boundary, self.local) < 0:
            raise ValueError(
                "codes are counted from 0, and those of code_latents must not go down, got "
                f"{self.code_latents}, boundary {self.boundary} and local {self.local}."
            )

    def record(self) -> nn.Module:
        """Make a module that stores, as buffers, what cannot be seen from tensors' shapes."""
        module = nn.Module()
        for name in RECORDED:
            value = getattr(self, name)
            number = _GAINS.index(value) if name == "map_gain" else value
            module.register_buffer(name, torch.tensor(number, dtype=torch.int64))
        return module


RECORDED = (
    "boundary", "local", "code_latents", "residual", "map_gain", "encoder_size", "train_generator",
)  # fmt: skip
"""Options that weights store by name, as whole numbers."""
_GAINS = ("noise", "one")


def options_of(state: StateDict) -> MFIMOptions:
    """Read the options of weights.

    Raises:
        CheckpointError: they are not stored whole, or name choices that there are not.
    """
    shapes = {f"recorded.{name}": (2,) if name == "code_latents" else () for name in RECORDED}
    lacking = [key for key, shape in shapes.items() if not matches(state, {key: shape})]
    if lacking:
        raise CheckpointError(f"MFIM's options are missing or broken: {', '.join(lacking)}.")
    values: dict[str, Any] = {name: state[f"recorded.{name}"].tolist() for name in RECORDED}
    ends = [key for key in state if fullmatch(r"encoder\.maps\.\d+\.0\.2\.weight", key)]
    sites = {int(key.split(".")[2]): state[key].shape[0] for key in ends}
    values |= {
        "code_latents": tuple(values["code_latents"]),
        "code_width": state["encoder.codes.0.convs.0.weight"].shape[0],
        "residual": bool(values["residual"]),
        "map_sites": tuple(sorted(sites)),
        "map_channels": 1 if set(sites.values()) == {1} else "full",
        "map_gain": _GAINS[bool(values["map_gain"])],
        "train_generator": bool(values["train_generator"]),
    }
    try:
        return MFIMOptions(**values)
    except ValueError as error:
        raise CheckpointError(f"MFIM's stored options cannot be: {error}") from error
