"""Cosines, assignments, means and mixtures, against slow twins and known angles."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import cosine_similarity

from faceloom.faces import Identity
from faceloom.faces.similarity import (
    assign,
    cosine_matrix,
    mean_embedding,
    mean_identity,
    mix_embeddings,
    mix_identities,
    verdict,
)


def vectors(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def identity(embedding, space="a", reference=None):
    return Identity(embedding, space, reference, "ab" * 32)


def test_cosine_matrix_is_the_cosine_of_every_pair():
    one, other = 9 * vectors(4, 7), vectors(3, 7, seed=1)
    slow = [[float(cosine_similarity(a, b, dim=0)) for b in other] for a in one]
    torch.testing.assert_close(cosine_matrix(one, other), torch.tensor(slow))
    assert cosine_matrix(torch.zeros(1, 7), other).abs().max() == 0
    assert cosine_matrix(one[:0], other).shape == (0, 3)


def slow_assign(cosine, frame, threshold, one_to_one):
    """Frame by frame, cross out the row, and the column, of the largest number left."""
    matched = torch.full((len(cosine),), -1)
    for number in frame.unique():
        rows = (frame == number).nonzero().flatten()
        table = cosine[rows].clone()
        while table.numel() and table.max() >= threshold:
            row, column = divmod(int(table.argmax()), table.shape[1])
            matched[rows[row]] = column
            table[row] = -2
            if one_to_one:
                table[:, column] = -2
    return matched


@pytest.mark.parametrize("one_to_one", [True, False])
@pytest.mark.parametrize("threshold", [-1.0, 0.0, 0.4, 1.0])
@pytest.mark.parametrize("references", [0, 1, 3])
def test_assignment_equals_its_slow_twin(one_to_one, threshold, references):
    cosine = vectors(40, references, seed=references).tanh()
    frame = torch.randint(0, 9, (40,), generator=torch.Generator().manual_seed(1))
    found = assign(cosine, frame, threshold, one_to_one)
    assert torch.equal(found, slow_assign(cosine, frame, threshold, one_to_one))
    assert (found >= 0).any() == (references > 0 and threshold < 1)


def test_a_sure_pair_is_not_given_up_for_two_doubtful_ones():
    cosine = torch.tensor([[0.8, 0.7], [0.6, 0.1]])
    frame = torch.zeros(2, dtype=torch.int64)
    assert assign(cosine, frame, 0.35).tolist() == [0, -1]
    assert assign(cosine, frame, 0.35, one_to_one=False).tolist() == [0, 0]
    assert assign(cosine, torch.arange(2), 0.35).tolist() == [0, 0]
    assert assign(cosine, frame, 0.0).tolist() == [0, 1]


def test_of_equals_the_first_wins():
    assert assign(torch.full((2, 2), 0.5), torch.zeros(2).long(), 0.5).tolist() == [0, 1]


def test_no_face_matches_nothing():
    assert assign(torch.zeros(0, 2), torch.zeros(0).long(), 0.0).shape == (0,)


def test_mean_is_the_mean_direction_at_the_mean_length():
    # A long vector counts no more: (1, 0) and (0, 3) meet at 45 degrees, 2 long.
    mean = mean_embedding(torch.tensor([[1.0, 0.0], [0.0, 3.0]]))
    torch.testing.assert_close(mean, torch.tensor([[math.sqrt(2), math.sqrt(2)]]))
    one = vectors(1, 5)
    torch.testing.assert_close(mean_embedding(one), one)
    assert mean_embedding(one[:0]).shape == (0, 5)


def test_mean_identity_keeps_the_crop_most_like_it(crops_of):
    embedding = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    mean = mean_identity(identity(embedding, reference=crops_of(3)))
    assert len(mean) == len(mean.reference) == 1
    assert mean.reference.image.mean() == 1.0
    assert (mean.encoder, mean.sha256) == ("a", "ab" * 32)
    assert len(mean_identity(identity(embedding[:0], reference=crops_of(0)))) == 0


@pytest.mark.parametrize("weight", [0.0, 0.25, 0.5, 0.9, 1.0])
def test_mixture_turns_evenly(weight):
    one, other = torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([[0.0, 4.0, 0.0]])
    angle, length = weight * math.pi / 2, 2 + 2 * weight
    wanted = torch.tensor([[math.cos(angle), math.sin(angle), 0.0]]) * length
    torch.testing.assert_close(mix_embeddings(one, other, weight), wanted)


@pytest.mark.parametrize("weight", [0.0, 0.3, 0.8, 1.0])
def test_mixture_equals_many_small_steps(weight):
    """Slow twin: walk straight towards the goal in tiny steps and stay on the sphere."""
    one, other = vectors(5, 8).double(), vectors(5, 8, seed=1).double()
    start, goal = (x / x.norm(dim=1, keepdim=True) for x in (one, other))
    whole = (start * goal).sum(1, keepdim=True).acos()
    walker, steps = start, 4000
    for _ in range(round(steps * weight)):
        tangent = goal - (goal * walker).sum(1, keepdim=True) * walker
        walker = walker + tangent / tangent.norm(dim=1, keepdim=True) * whole / steps
        walker = walker / walker.norm(dim=1, keepdim=True)
    mixed = mix_embeddings(one, other, weight)
    torch.testing.assert_close(mixed / mixed.norm(dim=1, keepdim=True), walker, atol=1e-3, rtol=0)


def test_mixture_of_one_direction_and_of_opposite_ones_is_finite():
    one = vectors(1, 6)
    torch.testing.assert_close(mix_embeddings(one, 3 * one, 0.5), 2 * one)
    assert mix_embeddings(one, -one, 0.5).abs().max() < 1e-3
    torch.testing.assert_close(mix_embeddings(one, -one, 0.2), one, atol=1e-5, rtol=0)


def test_one_identity_mixes_with_several(crops_of):
    one = identity(vectors(1, 4), reference=crops_of(1))
    other = identity(vectors(3, 4, seed=1), reference=crops_of(3))
    for first, second in ((one, other), (other, one)):
        mixed = mix_identities(first, second, 0.4)
        wanted = mix_embeddings(first.embedding, second.embedding, 0.4)
        torch.testing.assert_close(mixed.embedding, wanted)
        assert len(mixed.reference) == 3
    values = [mix_identities(one, other, w).reference.image.amax() for w in (0.49, 0.5)]
    assert values == [0.0, 2.0]


@pytest.mark.parametrize(
    ("other", "match"),
    [
        (identity(vectors(2, 4), "b"), "'a' and of 'b' do not compare.*Load Face Encoder"),
        (identity(vectors(3, 4)), "2 identities with 3"),
        (identity(torch.zeros(0, 4)), "2 identities with 0.*no face"),
    ],
)
def test_mixing_what_does_not_fit_is_refused(other, match):
    with pytest.raises(ValueError, match=match):
        mix_identities(identity(vectors(2, 4)), other, 0.5)


@pytest.mark.parametrize(
    ("cosine", "text"),
    [
        (1.0, "the same person"),
        (0.62, "the same person"),
        (0.45, "probably the same person"),
        (0.38, "hard to say"),
        (0.16, "different people"),
        (-1.0001, "different people"),
    ],
)
def test_verdicts(cosine, text):
    assert verdict(cosine) == text
