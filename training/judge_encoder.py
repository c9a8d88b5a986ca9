"""How well an encoder's student agrees with its teacher, and tells people apart."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from ..models.loom_encoder.adapter import LoomEncoder
from ..models.mobilefacenet.adapter import MobileFaceNet
from .augment import degrade, jitter
from .strangers import cut_faces

COPIES = 4
"""Degraded copies of each face."""


@torch.no_grad()
def judge_encoder(
    student: LoomEncoder, teacher: MobileFaceNet, sources: Tensor, random: Generator
) -> dict[str, float]:
    """Compare student and teacher on faces that the student was not trained on.

    Args:
        student: who is judged.
        teacher: who knows.
        sources: [P, 3, SOURCE, SOURCE] uint8, one picture a person; see `aligned_sources`.
        random: source of chance, for the copies.

    Returns:
        `cosine`, `cosine_5th` (the 5th percentile) and `cosine_copies` of student to teacher,
        the last on copies turned, shifted and degraded; then of each, with the name before it,
        how it tells a face's copies from other people: `same_5th` and `other_99th` (percentiles
        of the cosine), `area` (under the ROC curve), and `hits` (share of the copies that are
        more like their own than 99.9 % of the others are).
    """
    people = len(sources)
    clean = cut_faces(sources, torch.eye(2, 3).expand(people, 2, 3))
    rows = torch.arange(people).repeat(COPIES)
    turn = jitter(random, len(rows), clean.shape[-1], turn=4, zoom=1.06, shift=0.02)
    copies = degrade(cut_faces(sources[rows], turn), random)
    embedded = {
        name: [F.normalize(_embed(model, crops)) for crops in (clean, copies)]
        for name, model in (("student", student), ("teacher", teacher))
    }
    pairs = zip(embedded["student"], embedded["teacher"], strict=True)
    agreed, agreed_copies = ((one * other).sum(1) for one, other in pairs)
    result = {
        "cosine": agreed.mean().item(),
        "cosine_5th": agreed.quantile(0.05).item(),
        "cosine_copies": agreed_copies.mean().item(),
    }
    for name, (vectors, copied) in embedded.items():
        own = (copied * vectors[rows]).sum(1)
        everyone = copied @ vectors.T
        others = everyone[torch.arange(people) != rows[:, None]]
        result |= {f"{name}_{key}": value for key, value in separation(own, others).items()}
    return result


def separation(same: Tensor, other: Tensor) -> dict[str, float]:
    """Say how well a threshold parts the cosines [A] of one person from those [B] of two."""
    other = other.sort().values
    below = torch.searchsorted(other, same).float()
    strict = other[min(len(other) - 1, int(0.999 * len(other)))]
    return {
        "same_5th": same.quantile(0.05).item(),
        "other_99th": other[int(0.99 * len(other))].item(),
        "area": (below.mean() / len(other)).item(),
        "hits": (same > strict).float().mean().item(),
    }


def _embed(model: LoomEncoder | MobileFaceNet, crops: Tensor) -> Tensor:
    starts = range(0, len(crops), 32)
    return torch.cat([model.embed(crops[start : start + 32]) for start in starts])
