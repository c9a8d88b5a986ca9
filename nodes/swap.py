"""Swap Face, Heuristic Error: the generator, and where it fails to rebuild a face."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ..faces import Crops, Identity
from ..faces.features import Features
from ..host.device import compute_device, half_precision
from ..host.memory import Hosted
from ..host.node_api import io, schema
from ..models import Parser, StyleSwapper, Swapper
from ..ops.heuristic_error import rebuilt_mask
from .chunks import in_chunks
from .inputs import check_crops, mask_output
from .pairing import source_row
from .sockets import (
    CropsSocket,
    FeaturesSocket,
    IdentitySocket,
    SwapperSocket,
)
from .styles import STYLE_INPUTS, Edit, Source, read_strength, swap_styles

_TRUST = io.Boolean.Input(
    "trust_encoder",
    default=False,
    tooltip=(
        "Take identities of an encoder that is not known to be the generator's. For weights that "
        "FaceLoom cannot name, such as GHOST's own backbone.pth; with another encoder the result "
        "is a stranger."
    ),
)


class SwapFace(io.ComfyNode):
    """FL_SWAPPER + FL_CROPS + FL_IDENTITY or FL_CROPS -> FL_CROPS, FL_FEATURES."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomSwapFace",
            display_name="Swap Face",
            category="FaceLoom/generate",
            description=(
                "Gives every face the source's identity by a generator network, and keeps its "
                "pose, expression and light. GHOST and FaceShifter read the source from an "
                "identity, RAFSwap and MFIM from its picture."
            ),
            search_aliases=[
                "face swap",
                "ghost",
                "faceshifter",
                "aei-net",
                "rafswap",
                "mfim",
                "stylegan2",
                "deepfake",
            ],
            inputs=[
                SwapperSocket.Input("swapper", tooltip="From Load Swap Generator."),
                CropsSocket.Input(
                    "crops", tooltip="The faces to replace, aligned as the generator wants them."
                ),
                IdentitySocket.Input(
                    "identity",
                    optional=True,
                    tooltip=(
                        "Who they become, from Encode Identity. One goes onto every face; of "
                        "several, the first goes onto the first face of each frame, and so on; a "
                        "face from Match Identity gets the one of its reference's number."
                    ),
                ),
                _TRUST,
                CropsSocket.Input(
                    "source",
                    optional=True,
                    tooltip=(
                        "Who they become, for generators that read pictures: crops of any size in "
                        "the generator's alignment. They pair with the targets as identities do."
                    ),
                ),
                *STYLE_INPUTS,
                io.String.Input(
                    "strength",
                    default="1",
                    optional=True,
                    tooltip=(
                        "Generators that read pictures only: how far each code goes from the "
                        "target's own, 0, to the swapped one, 1. One number for all, or one for "
                        "each code with commas between, coarse to fine."
                    ),
                ),
            ],
            outputs=[
                CropsSocket.Output(display_name="crops"),
                FeaturesSocket.Output(
                    display_name="features", tooltip="For Predict Face Mask; see keep_features."
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        swapper: Hosted[Swapper | StyleSwapper],
        crops: Crops,
        trust_encoder: bool,
        identity: Identity | None = None,
        source: Crops | None = None,
        parser: Hosted[Parser] | None = None,
        truncation: float | None = None,
        keep_features: bool | None = None,
        strength: str | None = None,
    ) -> io.NodeOutput:
        network, crops = swapper.use(), crops.to(compute_device())
        if isinstance(network, StyleSwapper):
            looks = None if parser is None else parser.use()
            numbers = read_strength("1" if strength is None else strength, "Swap Face")
            edit = Edit((), 1.0 if truncation is None else truncation, numbers, bool(keep_features))
            sources = [_pictured(network, crops, source, identity)]
            image, features = swap_styles(network, crops, sources, looks, edit, "Swap Face")
            return io.NodeOutput(replace(crops, image=image), features)
        who = _named(network, identity)
        (image,) = _swap(network, crops, _paired(network, crops, who, trust_encoder, "Swap Face"))
        return io.NodeOutput(replace(crops, image=image), Features((), network.name))


class HeuristicError(io.ComfyNode):
    """FL_SWAPPER + FL_CROPS + two FL_IDENTITY -> swapped and rebuilt FL_CROPS, and a MASK."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomHeuristicError",
            display_name="Heuristic Error",
            category="FaceLoom/generate",
            description=(
                "Swaps as Swap Face does, and from the same look at each face also gives it its "
                "own identity. What that fails to rebuild hides the face: hands, hair, glasses. "
                "Refine Face brings it back, or the mask keeps it out of the blend."
            ),
            search_aliases=["faceshifter", "hear", "occlusion", "self swap", "error map"],
            inputs=[
                SwapperSocket.Input("swapper", tooltip="From Load Swap Generator."),
                CropsSocket.Input(
                    "crops", tooltip="The faces to replace, aligned as the generator wants them."
                ),
                IdentitySocket.Input("identity", tooltip="Who they become, as for Swap Face."),
                IdentitySocket.Input(
                    "own_identity",
                    tooltip="Who they are: Encode Identity of these crops, one for each face.",
                ),
                io.Float.Input(
                    "threshold",
                    default=0.1,
                    min=0.01,
                    max=1.0,
                    step=0.01,
                    tooltip=(
                        "Difference of brightness, 0 to 1, up to which a place counts as rebuilt. "
                        "For the mask only; Refine Face sees the difference itself."
                    ),
                ),
                _TRUST,
            ],
            outputs=[
                CropsSocket.Output(display_name="crops", tooltip="The swapped faces."),
                CropsSocket.Output(
                    display_name="reconstructed", tooltip="The faces with their own identity."
                ),
                io.Mask.Output(
                    display_name="mask",
                    tooltip="White where the face was rebuilt, for the mask of Blend Faces.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        swapper: Hosted[Swapper],
        crops: Crops,
        identity: Identity,
        own_identity: Identity,
        threshold: float,
        trust_encoder: bool,
    ) -> io.NodeOutput:
        network, crops = _by_identity(swapper.use()), crops.to(compute_device())
        source = _paired(network, crops, identity, trust_encoder, "Heuristic Error")
        own = _own(network, crops, own_identity, trust_encoder)
        swapped, rebuilt = _swap(network, crops, source, own)
        mask = rebuilt_mask(crops.image, rebuilt, threshold)
        return io.NodeOutput(
            replace(crops, image=swapped), replace(crops, image=rebuilt), mask_output(mask)
        )


def _by_identity(network: Swapper) -> Swapper:
    """A generator that can also give faces their own identity."""
    if isinstance(network, Swapper):
        return network
    raise ValueError(
        f"Heuristic Error: {network.name} reads its source from a picture, and errors are measured "
        "of generators that read identities. Use Swap Face, with Predict Face Mask or Occlusion "
        "Mask for what hides a face."
    )


def _named(network: Swapper, identity: Identity | None) -> Identity:
    """The identity, which a generator of this kind must have."""
    if identity is not None:
        return identity
    raise ValueError(
        f"Swap Face: {network.name} reads the source from an identity, and none is connected. "
        f"Connect Encode Identity, with {network.encoder} in its Load Face Encoder, to identity."
    )


def _pictured(
    network: StyleSwapper, crops: Crops, source: Crops | None, identity: Identity | None
) -> Source:
    """The source's pictures: its crops, or those that its identity was read from."""
    if source is None and identity is not None:
        source = identity.reference
    if source is None:
        kept = "" if identity is None else "; the identity holds only numbers"
        raise ValueError(
            f"Swap Face: {network.name} reads the source from its picture, and none is "
            f"connected{kept}. Connect Align Faces of the source, with template "
            f"{network.templates[0]}, to source."
        )
    check_crops(network, crops, network.templates, "Swap Face")
    rows = source_row(len(source), crops.faces, "Swap Face")
    return Source(source.to(crops.device), rows.cpu())


def _swap(network: Swapper, crops: Crops, *sources: tuple[Identity, Tensor]) -> list[Tensor]:
    """Swap a few faces at a time.

    Args:
        network: the generator.
        crops: N crops on the compute device.
        sources: each some identities, and [N] which of them each crop gets.

    Returns:
        For each of `sources` [N, 3, S, S].
    """

    def swap(chunk: Tensor) -> tuple[Tensor, ...]:
        chosen = [identity[rows[chunk]].to(crops.device) for identity, rows in sources]
        with half_precision():
            images = network.swap(crops[chunk], *chosen)
        return tuple(image.float() for image in images)

    if not len(crops):  # an empty identity does not even know its length
        return [crops.image] * len(sources)
    return in_chunks(swap, torch.arange(len(crops)))


def _paired(
    network: Swapper, crops: Crops, identity: Identity, trust_encoder: bool, node: str
) -> tuple[Identity, Tensor]:
    """Say which identity each crop gets, after a check of both."""
    check_crops(network, crops, network.templates, node)
    rows = source_row(len(identity), crops.faces, node).to(identity.device)
    _check_identity(network, identity, trust_encoder, node)
    return identity, rows


def _own(
    network: Swapper, crops: Crops, own: Identity, trust_encoder: bool
) -> tuple[Identity, Tensor]:
    """The identity of each crop itself, after a check."""
    if len(own) != len(crops):
        raise ValueError(
            f"Heuristic Error: own_identity holds {len(own)} identities for {len(crops)} crops. "
            "Connect Encode Identity of these very crops, set to 'one for each face'."
        )
    _check_identity(network, own, trust_encoder, "Heuristic Error")
    return own, torch.arange(len(own), device=own.device)


def _check_identity(network: Swapper, identity: Identity, trust_encoder: bool, node: str) -> None:
    if not len(identity):
        return
    if network.space and not trust_encoder:
        identity.require_space(network.space, node, network.encoder)
    length = identity.embedding.shape[1]
    if length != network.length:
        raise ValueError(
            f"{node}: {network.name} wants identities of {network.length} numbers, got {length} "
            f"of the encoder '{identity.encoder}'. Choose {network.encoder} in Load Face Encoder."
        )
