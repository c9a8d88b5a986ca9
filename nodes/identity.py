"""Encode Identity, Mix Identities, Compare Identities: who a face is, as vectors."""

from __future__ import annotations

import torch
from torch import Tensor

from ..faces import Crops, Faces, Identity
from ..faces.similarity import (
    check_comparable,
    cosine_matrix,
    mean_identity,
    mix_identities,
    verdict,
)
from ..host.device import compute_device
from ..host.memory import Hosted
from ..host.node_api import io, schema
from ..models import Encoder
from .chunks import faces_in_chunks
from .inputs import frames_of, naming
from .sockets import CropsSocket, EncoderSocket, FacesSocket, IdentitySocket

EACH, MEAN = "one for each face", "mean of all"


class EncodeIdentity(io.ComfyNode):
    """FL_ENCODER + FL_CROPS, or IMAGE + FL_FACES -> FL_IDENTITY."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomEncodeIdentity",
            display_name="Encode Identity",
            category="FaceLoom/identity",
            description=(
                "Turns faces into identities: vectors that are alike for pictures of one person. "
                "Connect either crops, or image and faces. No face gives an empty identity."
            ),
            search_aliases=["face embedding", "arcface", "face recognition", "build face model"],
            inputs=[
                EncoderSocket.Input("encoder", tooltip="From Load Face Encoder."),
                io.Combo.Input(
                    "combine",
                    options=[EACH, MEAN],
                    default=EACH,
                    tooltip=(
                        f"{MEAN}: one identity of several pictures of one person, as a batch; the "
                        "mean direction at the mean length, with the crop most like it."
                    ),
                ),
                CropsSocket.Input(
                    "crops",
                    optional=True,
                    tooltip="From Align Faces; they travel with the identity, as its picture.",
                ),
                io.Image.Input(
                    "image", optional=True, tooltip="The frames that the faces were found in."
                ),
                FacesSocket.Input(
                    "faces", optional=True, tooltip="From Detect Faces or Select Faces."
                ),
            ],
            outputs=[
                IdentitySocket.Output(display_name="identity"),
                io.Int.Output(display_name="count", tooltip="Identities: 0 where no face was."),
            ],
        )

    @classmethod
    def execute(
        cls,
        encoder: Hosted[Encoder],
        combine: str,
        crops: Crops | None = None,
        image: Tensor | None = None,
        faces: Faces | None = None,
    ) -> io.NodeOutput:
        given = [value is not None for value in (crops, image, faces)]
        if crops is not None and given == [True, False, False]:
            own = crops.to(compute_device()).as_frames()
            identity = encode(encoder.use(), own.image, own.faces, crops)
        elif image is not None and faces is not None and crops is None:
            frames = frames_of(faces, image, "Encode Identity")
            identity = encode(encoder.use(), frames, faces)
        else:
            raise ValueError(_wrong_inputs(given))
        if combine == MEAN:
            identity = mean_identity(identity)
        return io.NodeOutput(identity, len(identity))


def _wrong_inputs(given: list[bool]) -> str:
    names = [name for name, here in zip(("crops", "image", "faces"), given, strict=True) if here]
    return (
        f"Encode Identity: got {' and '.join(names) or 'no faces at all'}. Connect crops from "
        "Align Faces alone, or else image and faces together, the faces from Detect Faces on it."
    )


def encode(
    network: Encoder, frames: Tensor, faces: Faces, reference: Crops | None = None
) -> Identity:
    """Embed the faces of frames [B,3,H,W], a few at a time; no face does not need the network."""
    vectors = [network.encode(frames, chunk) for chunk in faces_in_chunks(faces)]
    embedding = torch.cat(vectors) if vectors else torch.zeros(0, 0, device=compute_device())
    return Identity(embedding, network.space, reference, network.sha256)


class MixIdentities(io.ComfyNode):
    """Two FL_IDENTITY -> FL_IDENTITY in between."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomMixIdentities",
            display_name="Mix Identities",
            category="FaceLoom/identity",
            description=(
                "Blends two identities: turns the one's direction evenly towards the other's "
                "(spherical), and its length with it. Both must come from the same encoder."
            ),
            search_aliases=["blend faces", "interpolate identity", "blend face models"],
            inputs=[
                IdentitySocket.Input(
                    "identity_a", tooltip="One identity, or as many as identity_b holds."
                ),
                IdentitySocket.Input(
                    "identity_b", tooltip="One identity, or as many as identity_a holds."
                ),
                io.Float.Input(
                    "weight",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip=(
                        "0 is identity_a, 1 is identity_b. Crops do not blend: those of the "
                        "heavier one travel on, identity_b's at a half."
                    ),
                ),
            ],
            outputs=[IdentitySocket.Output(display_name="identity")],
        )

    @classmethod
    def execute(cls, identity_a: Identity, identity_b: Identity, weight: float) -> io.NodeOutput:
        with naming("Mix Identities"):
            return io.NodeOutput(mix_identities(identity_a, identity_b, weight))


class CompareIdentities(io.ComfyNode):
    """Two FL_IDENTITY -> FLOAT and STRING."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomCompareIdentities",
            display_name="Compare Identities",
            category="FaceLoom/identity",
            description=(
                "Says how alike two identities are. From 0.5: the same person; from 0.4: "
                "probably; from 0.25: hard to say; below: different people. Of several identities "
                "the two most alike count."
            ),
            search_aliases=["face similarity", "same person", "face distance"],
            inputs=[
                IdentitySocket.Input("identity_a", tooltip="From Encode Identity or another."),
                IdentitySocket.Input("identity_b", tooltip="From the same encoder."),
            ],
            outputs=[
                io.Float.Output(display_name="similarity", tooltip="Cosine, -1 to 1."),
                io.String.Output(display_name="text"),
            ],
        )

    @classmethod
    def execute(cls, identity_a: Identity, identity_b: Identity) -> io.NodeOutput:
        with naming("Compare Identities"):
            check_comparable(identity_a, identity_b)
            first, second = (_filled(part).embedding for part in (identity_a, identity_b))
        cosine = cosine_matrix(first, second.to(first.device))
        similarity, place = (value.item() for value in cosine.flatten().max(dim=0))
        text = f"{similarity:.2f}: {verdict(similarity)}"
        if cosine.numel() > 1:
            one, other = divmod(int(place), cosine.shape[1])
            text += f" (number {one} of identity_a and number {other} of identity_b)"
        return io.NodeOutput(similarity, text)


def _filled(identity: Identity) -> Identity:
    if not len(identity):
        raise ValueError("an identity is empty: no face was found in its picture.")
    return identity
