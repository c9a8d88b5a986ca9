"""How alike identities are: cosines, who is who in a frame, means and mixtures."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from .identity import Identity

BANDS = (
    (0.5, "the same person"),
    (0.4, "probably the same person"),
    (0.25, "hard to say"),
    (float("-inf"), "different people"),
)
"""Lowest cosine of each verdict. Of MobileFaceNet, two pictures of one person measured 0.62 to
0.82; two people at most 0.16 in photographs, and up to 0.38 in old paintings."""


def verdict(cosine: float) -> str:
    """Say what a cosine of -1..1 means, by `BANDS`."""
    return next(text for lowest, text in BANDS if cosine >= lowest)


def cosine_matrix(one: Tensor, other: Tensor) -> Tensor:
    """Cosine [N, K] between each of the vectors [N, D] and each of [K, D]; 0 of a zero vector."""
    return functional.normalize(one, dim=1) @ functional.normalize(other, dim=1).mT


def assign(cosine: Tensor, frame: Tensor, threshold: float, one_to_one: bool = True) -> Tensor:
    """Find which reference each face is.

    One to one, the most alike pair of a frame is joined first, then the most alike of what is
    left, and so on. (The assignment of the greatest sum would give up a sure pair for two
    doubtful ones.) Otherwise every face is the reference it is most like.

    Args:
        cosine: [N, K] float, of N faces and K references.
        frame: [N] int, the frame each face is in.
        threshold: lowest cosine of a pair.
        one_to_one: whether a reference is at most one face of a frame.

    Returns:
        [N] int64: index of the reference; -1 where there is none. Of equals the first wins.
    """
    face, reference = (cosine >= threshold).nonzero().unbind(dim=1)
    order = cosine[face, reference].argsort(descending=True, stable=True)
    frames, matched, taken = frame.tolist(), [-1] * len(cosine), set()
    for row, column in zip(face[order].tolist(), reference[order].tolist(), strict=True):
        key = (frames[row], column)
        if matched[row] < 0 and not (one_to_one and key in taken):
            matched[row] = column
            taken.add(key)
    return torch.tensor(matched, dtype=torch.int64, device=cosine.device)


def mean_embedding(embedding: Tensor) -> Tensor:
    """Average identity [1, D] of several pictures [K, D] of one person; of none, none.

    The mean direction at the mean length: a long vector, which means a sharp picture and no
    likelier identity, counts no more than the others.
    """
    if not len(embedding):
        return embedding
    direction = functional.normalize(embedding, dim=1).mean(dim=0, keepdim=True)
    length: Tensor = embedding.norm(dim=1).mean()
    return functional.normalize(direction, dim=1) * length


def mix_embeddings(one: Tensor, other: Tensor, weight: float) -> Tensor:
    """Go the part `weight`, 0..1, of the way from identities [K, D] to others [K, D].

    Directions turn evenly along the great circle (spherical interpolation: Shoemake, "Animating
    Rotation with Quaternion Curves", SIGGRAPH 1985, section 3.3), because identity lies in the
    direction; lengths go linearly. Opposite directions have no such circle and meet at zero.
    """
    start, end = functional.normalize(one, dim=1), functional.normalize(other, dim=1)
    angle = (start * end).sum(dim=1, keepdim=True).clamp(-1, 1).acos()
    # Where the sine vanishes the two are one direction, or opposite, and a straight line does.
    straight = angle.sin() < 1e-3
    sine = angle.sin().masked_fill(straight, 1.0)
    near = torch.where(straight, 1 - weight, ((1 - weight) * angle).sin() / sine)
    far = torch.where(straight, weight, (weight * angle).sin() / sine)
    length = torch.lerp(one.norm(dim=1, keepdim=True), other.norm(dim=1, keepdim=True), weight)
    return functional.normalize(near * start + far * end, dim=1) * length


def check_comparable(one: Identity, other: Identity) -> None:
    """Raise ValueError unless both identities are of one encoder's space."""
    if one.encoder != other.encoder:
        raise ValueError(
            f"identities of '{one.encoder}' and of '{other.encoder}' do not compare. "
            "Encode both with the same Load Face Encoder."
        )


def mean_identity(identity: Identity) -> Identity:
    """Average the identities of one person's pictures by `mean_embedding`; of none, none.

    The reference crop is the one most like the mean.
    """
    if not len(identity):
        return identity
    mean = mean_embedding(identity.embedding)
    likest = cosine_matrix(identity.embedding, mean).argmax(dim=0)
    return replace(identity[likest], embedding=mean)


def mix_identities(one: Identity, other: Identity, weight: float) -> Identity:
    """Mix each identity with its counterpart, or with the only one, by `mix_embeddings`.

    Args:
        one: what a `weight` of 0 gives.
        other: what a `weight` of 1 gives.
        weight: 0..1.

    Returns:
        As many identities as the longer one. Pictures do not mix: the reference crops are those
        of `other` from a `weight` of 0.5, before of `one`.

    Raises:
        ValueError: the encoders differ, one is empty, or both hold several and not as many.
    """
    check_comparable(one, other)
    count = max(len(one), len(other))
    if 0 in (len(one), len(other)) or {len(one), len(other)} - {1, count}:
        raise ValueError(
            f"cannot mix {len(one)} identities with {len(other)}; give as many of both, or one "
            "of either. (None means that no face was found in its picture.)"
        )
    device = one.device
    pair = [part[[0] * count if len(part) == 1 else slice(None)] for part in (one, other)]
    first, second = (part.to(device) for part in pair)
    mixed = mix_embeddings(first.embedding, second.embedding, weight)
    return replace(second if weight >= 0.5 else first, embedding=mixed)
