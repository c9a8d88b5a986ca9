from __future__ import annotations

from collections import defaultdict

import pytest
import torch

from faceloom.ops.landmark_sets import CONTOURS, landmark_set

FACE = landmark_set(468)
MIRRORED = torch.tensor([-1.0, 1.0, 1.0])


@pytest.fixture(scope="module")
def edges():
    """Each edge, without direction, with the directions in which triangles run along it."""
    found = defaultdict(list)
    for a, b, c in FACE.triangles.tolist():
        for edge in ((a, b), (b, c), (c, a)):
            found[frozenset(edge)].append(edge)
    return found


def steps(contour):
    return [frozenset(pair) for pair in zip(contour, contour[1:] + contour[:1], strict=True)]


def test_shapes():
    assert FACE.mean.shape == (468, 3)
    assert FACE.mean.dtype == torch.float32
    assert FACE.triangles.shape[1] == 3
    assert FACE.mirror.shape == (468,)
    assert FACE.triangles.dtype == FACE.mirror.dtype == torch.int64
    assert landmark_set(468) is FACE


@pytest.mark.parametrize("count", [0, 5, 68, 478])
def test_other_sets_are_refused(count: int):
    with pytest.raises(ValueError, match=rf"{count} landmarks.*468 points"):
        landmark_set(count)


def test_mean_is_a_unit_frontal_face():
    torch.testing.assert_close(FACE.mean.mean(0), torch.zeros(3), atol=1e-4, rtol=0)
    assert FACE.mean.square().sum(1).mean().sqrt().item() == pytest.approx(1, abs=1e-3)
    # Anatomy, by MediaPipe's well-known numbers: forehead, nose tip, chin; eyes; cheeks.
    x, y, z = FACE.mean.unbind(1)
    assert y.argmin() == 10
    assert y.argmax() == 152
    assert y[10] < y[33] < y[4] < y[13] < y[152]
    assert z.argmin() in (1, 4)
    assert z[234] > z[33] > z[4]
    assert x[234] < x[33] < x[133] < 0 < x[362] < x[263] < x[454]


def test_mirror_maps_the_mean_onto_itself():
    mirror = FACE.mirror
    assert torch.equal(mirror[mirror], torch.arange(468))
    assert torch.equal(FACE.mean[mirror] * MIRRORED, FACE.mean)
    middle = mirror == torch.arange(468)
    assert torch.equal(middle, FACE.mean[:, 0] == 0)
    assert middle[[10, 152, 4, 13, 14]].all()


def test_triangles_form_a_disc(edges):
    corners = FACE.triangles.unique()
    assert torch.equal(corners, torch.arange(468))
    assert len(corners) - len(edges) + len(FACE.triangles) == 1
    rim = {edge for edge, runs in edges.items() if len(runs) == 1}
    assert rim == set(steps(CONTOURS["oval"]))
    # An inner edge has two triangles, which run along it in opposite directions.
    assert all(len(runs) == len(set(runs)) == 2 for edge, runs in edges.items() if edge not in rim)


def test_triangles_are_clockwise_in_a_frontal_face():
    a, b, c = FACE.mean[:, :2].double()[FACE.triangles].unbind(1)
    (ux, uy), (vx, vy) = (b - a).unbind(1), (c - a).unbind(1)
    area = (ux * vy - uy * vx) / 2
    assert (area > 0).double().mean() > 0.99
    assert area.clamp(max=0).sum().abs() < 1e-3 * area.sum()


def test_triangles_are_symmetric():
    ours = {frozenset(triangle) for triangle in FACE.triangles.tolist()}
    assert len(ours) == len(FACE.triangles)
    assert {frozenset(t) for t in FACE.mirror[FACE.triangles].tolist()} == ours


@pytest.mark.parametrize("name", [name for name in CONTOURS if name != "nose"])
def test_contours_run_along_edges(edges, name: str):
    assert set(steps(CONTOURS[name])) <= edges.keys()


@pytest.mark.parametrize("name", CONTOURS)
def test_contours_are_closed_without_repetition_and_have_a_mirrored_twin(name: str):
    contour = CONTOURS[name]
    assert len(set(contour)) == len(contour)
    swapped = {"left": "right", "right": "left"}
    side, _, part = name.partition("_")
    twin = f"{swapped[side]}_{part}" if side in swapped else name
    assert set(FACE.mirror[list(contour)].tolist()) == set(CONTOURS[twin])


def test_left_is_the_images_left():
    for part in ("eye", "brow"):
        assert FACE.mean[list(CONTOURS[f"left_{part}"]), 0].max() < 0
        assert FACE.mean[list(CONTOURS[f"right_{part}"]), 0].min() > 0


@pytest.mark.parametrize("name", ["left_eye", "right_eye", "lips", "inner_mouth"])
def test_openings_begin_at_a_corner(name: str):
    x = FACE.mean[list(CONTOURS[name]), 0]
    extreme = x.max() if name == "right_eye" else x.min()
    # An eye's corner may dip below its neighbour on the lid by a hair.
    assert (x[0] - extreme).abs() < 0.02
