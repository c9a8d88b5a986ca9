"""Match Identity: which faces are those of a person."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ..faces import Faces, Identity, rank_in_frame
from ..faces.similarity import assign, check_comparable, cosine_matrix
from ..host.memory import Hosted
from ..host.node_api import io, schema
from ..models import Encoder
from .identity import encode
from .inputs import frames_of, naming
from .sockets import EncoderSocket, FacesSocket, IdentitySocket


class MatchIdentity(io.ComfyNode):
    """IMAGE + FL_FACES + FL_ENCODER + FL_IDENTITY -> the FL_FACES alike, and the rest."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomMatchIdentity",
            display_name="Match Identity",
            category="FaceLoom/identity",
            description=(
                "Keeps the faces that look like a reference, in every frame; frames without one "
                "are fine. Of several references, the track of a face is the number of its "
                "reference, from 0, and the faces of a frame come in the order of the references."
            ),
            search_aliases=["find person", "reference face", "filter faces by identity"],
            inputs=[
                io.Image.Input("image", tooltip="The frames that the faces were found in."),
                FacesSocket.Input("faces", tooltip="From Detect Faces or Select Faces."),
                EncoderSocket.Input("encoder", tooltip="The encoder of the reference."),
                IdentitySocket.Input(
                    "reference", tooltip="Who to look for, from Encode Identity or Load Identity."
                ),
                io.Float.Input(
                    "threshold",
                    default=0.4,
                    min=-1.0,
                    max=1.0,
                    step=0.01,
                    tooltip=(
                        "Lowest similarity (cosine) of a match. MobileFaceNet gives pictures of "
                        "one person 0.62 to 0.82, less when turned or blurred, and of two people "
                        "below 0.2 in photographs, up to 0.38 in paintings."
                    ),
                ),
                io.Boolean.Input(
                    "one_to_one",
                    default=True,
                    tooltip=(
                        "A reference is at most one face of a frame; the most alike pair is "
                        "joined first. Switch off for mirrors and collages."
                    ),
                ),
            ],
            outputs=[
                FacesSocket.Output(display_name="matched"),
                FacesSocket.Output(display_name="rest"),
                io.String.Output(display_name="text", tooltip="A line for each face."),
            ],
        )

    @classmethod
    def execute(
        cls,
        image: Tensor,
        faces: Faces,
        encoder: Hosted[Encoder],
        reference: Identity,
        threshold: float,
        one_to_one: bool,
    ) -> io.NodeOutput:
        found = encode(encoder.use(), frames_of(faces, image, "Match Identity"), faces)
        with naming("Match Identity"):
            check_comparable(reference, found)
        if not len(faces):
            return io.NodeOutput(faces, faces, "no faces")
        if not len(reference):
            raise ValueError(
                "Match Identity: the reference is empty, because no face was found in its picture. "
                "Choose a picture that shows one, or lower the threshold of its Detect Faces."
            )
        faces = faces.to(found.device)
        cosine = cosine_matrix(found.embedding, reference.embedding.to(found.device))
        row = assign(cosine, faces.frame, threshold, one_to_one)
        matched = replace(faces[row >= 0], track=row[row >= 0])
        return io.NodeOutput(_by_track(matched), faces[row < 0], listing(faces, cosine, row))


def _by_track(faces: Faces) -> Faces:
    rows = torch.argsort(faces.track, stable=True)
    return faces[rows[torch.argsort(faces.frame[rows], stable=True)]]


def listing(faces: Faces, cosine: Tensor, row: Tensor) -> str:
    """Tell of each face which reference it is, or which it is most like.

    Args:
        faces: N faces.
        cosine: [N, K] between faces and references.
        row: [N] the reference of each face, or -1.
    """
    matched = row >= 0
    reference = torch.where(matched, row, cosine.argmax(dim=1))
    value = cosine.gather(1, reference[:, None])[:, 0]
    columns = (faces.frame, rank_in_frame(faces), matched, reference, value)
    lines = [f"{int(matched.sum())} of {len(faces)} faces match"]
    for frame, rank, same, number, alike in zip(*(c.tolist() for c in columns), strict=True):
        who = f"is reference {number}" if same else f"is nobody, most like reference {number}"
        lines.append(f"frame {frame}, face {rank}: {who} ({alike:.2f})")
    return "\n".join(lines)
