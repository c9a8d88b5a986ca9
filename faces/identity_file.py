"""Identities as `.safetensors` files: ReActor's face models, and our own for other spaces.

ReActor's nodes read every tensor of a file as a field of a face, and take `embedding` for a vector
of the network w600k_r50, whatever made it. So only vectors of that space get that key, with the
eight other tensors ReActor always writes; those of other spaces are stored as `KEY`, which it does
not know. The header says encoder and weights; ReActor ignores it.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from .identity import Identity

REACTOR_SPACE = "arcface_w600k_r50"
REACTOR_KEY, KEY = "embedding", "faceloom_identity"
FORMAT = "faceloom identity 1"


def is_reactors(identity: Identity) -> bool:
    """Tell whether the identity is of the space that ReActor's generators were trained for."""
    return identity.encoder == REACTOR_SPACE


def identity_bytes(identity: Identity) -> bytes:
    """Give the content of the file of one identity.

    ReActor's bbox, kps and det_score are those of the reference crop's face, in pixels of its
    picture with centres at integers, and zero without one. Pose and both sets of landmarks are
    zero: no set of ours converts to those. Gender and age are -1, for unknown. ReActor needs none
    of these of a loaded face model.

    Raises:
        ValueError: there is not exactly one identity, or its vector is zero, infinite or of
            the wrong length.
    """
    if len(identity) != 1:
        raise ValueError(
            f"a file holds one identity, got {len(identity)}. Keep one face with Select Faces, or "
            "set combine of Encode Identity to 'mean of all' for several pictures of one person."
        )
    vector = identity.embedding[0].detach().float().cpu().contiguous()
    _check_vector(vector, identity.encoder)
    if is_reactors(identity):
        tensors = {REACTOR_KEY: vector, **_reactor_fields(identity)}
    else:
        tensors = {KEY: vector}
    about = {"format": FORMAT, "encoder": identity.encoder, "sha256": identity.sha256}
    return save(tensors, metadata=about)


def read_identity(path: Path) -> Identity:
    """Read an identity from a file of ours or of ReActor.

    Without an encoder in its header a file is ReActor's, and of its space.

    Returns:
        One identity on the CPU, without reference crops.

    Raises:
        ValueError: the file is missing, damaged, or holds no identity; one line says which.
    """
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            keys = [key for key in (KEY, REACTOR_KEY) if key in file.keys()]  # noqa: SIM118
            vector = file.get_tensor(keys[0]) if keys else None
    except (SafetensorError, OSError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path.name} is not a readable .safetensors file ({reason}).") from error
    if vector is None:
        raise ValueError(
            f"{path.name} holds no identity; wanted a face model of ReActor or a file of "
            "Save Identity."
        )
    encoder = about.get("encoder", REACTOR_SPACE if keys[0] == REACTOR_KEY else "")
    try:
        if not encoder:
            raise ValueError("its header names no encoder.")
        _check_vector(vector, encoder)
    except ValueError as error:
        raise ValueError(f"{path.name} holds no usable identity: {error}") from error
    return Identity(vector.float()[None], encoder, sha256=about.get("sha256", ""))


def _check_vector(vector: Tensor, encoder: str) -> None:
    fits = vector.ndim == 1 and (encoder != REACTOR_SPACE or len(vector) == 512)
    if not (fits and vector.is_floating_point()):
        wanted = "512" if encoder == REACTOR_SPACE else "D"
        kind = str(vector.dtype).removeprefix("torch.")
        raise ValueError(
            f"the vector is {kind} {list(vector.shape)}, wanted floating-point numbers [{wanted}]."
        )
    if not (vector.isfinite().all() and vector.norm() > 0):
        raise ValueError("the vector is zero, infinite or NaN.")


def _reactor_fields(identity: Identity) -> dict[str, Tensor]:
    fields = {
        "bbox": torch.zeros(4),
        "kps": torch.zeros(5, 2),
        "det_score": torch.tensor(0.0),
        "landmark_3d_68": torch.zeros(68, 3),
        "pose": torch.zeros(3),
        "landmark_2d_106": torch.zeros(106, 2),
        "gender": torch.tensor(-1),
        "age": torch.tensor(-1),
    }
    if identity.reference is not None:
        faces = identity.reference.faces.to("cpu")
        # InsightFace counts pixel centres at integers, these faces at integer + 0.5.
        found = {
            "bbox": faces.box[0] - 0.5,
            "kps": faces.keypoints[0] - 0.5,
            "det_score": faces.score[0],
        }
        fields |= {name: value.float().clone() for name, value in found.items()}
    return fields
