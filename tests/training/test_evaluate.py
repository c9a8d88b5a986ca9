from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from faceloom.training.contact_sheet import CELL, column, contact_sheet, view
from faceloom.training.evaluate import Judges, NoFaceError, bootstrap, choose_pairs

SIZE = (60, 140)
LARGE, SMALL = (70.0, 8.0, 110.0, 54.0), (8.0, 20.0, 32.0, 48.0)


@pytest.fixture
def judges(detector, encoder, landmarker):
    return Judges(detector.use(), encoder.use(), landmarker.use())


@pytest.fixture
def people(world):
    """Two people of different sizes, as [1, 3, H, W]; their faces in the colours asked for."""
    image = world.picture(*SIZE, [SMALL, LARGE])
    return lambda *hues: world.dye(image, hues).movedim(-1, 1)


@pytest.fixture
def portrait(world):
    """One person of a hue, in a picture of another size."""
    image = world.picture(64, 64, [(10.0, 8.0, 54.0, 58.0)])
    return lambda hue: world.dye(image, [hue]).movedim(-1, 1)


def test_a_perfect_swap_shows_the_source_in_the_targets_place(judges, people, portrait):
    score, seen = judges.score(portrait("red"), people("blue", "green"), people("blue", "red"))
    assert score.to_source > 0.95
    assert score.to_target == pytest.approx(score.between, abs=0.05)
    assert score.landmarks == 0
    assert [tuple(one.faces.box[0].tolist()) for one in seen[1:]] == [LARGE, LARGE]


def test_the_target_itself_is_no_swap(judges, people, portrait):
    target = people("blue", "green")
    score, _ = judges.score(portrait("red"), target, target)
    assert score.to_target == pytest.approx(1)
    assert score.to_source == score.between


def test_the_landmark_error_is_a_share_of_the_eye_distance(judges, people, portrait, monkeypatch):
    target, find = people("blue", "green"), judges.landmarker.find
    calls = []

    def moved(frame, faces):
        found = find(frame, faces)
        calls.append(None)
        shift = torch.tensor([3.0, 4.0, 9.0]) * (len(calls) == 3)  # in the result alone
        return replace(found, landmarks=found.landmarks + shift)

    monkeypatch.setattr(judges.landmarker, "find", moved)
    score, seen = judges.score(portrait("red"), target, target)
    corners = seen[1].landmarks[0, [33, 263]]
    assert score.landmarks == pytest.approx(5 / float((corners[0] - corners[1]).norm()))


def test_it_is_said_which_picture_shows_no_face(judges, people, portrait):
    person, group = portrait("red"), people("blue", "green")
    with pytest.raises(NoFaceError, match="in the source"):
        judges.score(torch.zeros_like(person), group, group)
    with pytest.raises(NoFaceError, match="in the target"):
        judges.score(person, torch.zeros_like(group), group)
    with pytest.raises(NoFaceError, match="in the result"):
        judges.score(person, group, torch.zeros_like(group))
    with pytest.raises(ValueError, match=r"target's size, got 64x64 for 140x60"):
        judges.score(person, group, person)


def test_a_face_elsewhere_is_not_the_result(judges, people, portrait, world):
    target = people("blue", "green")
    place = judges.look(target)
    world.places[SIZE] = [SMALL]
    assert judges.look(target, place.faces) is None


def test_bootstrap_gives_the_textbooks_interval():
    values = torch.randn(400, generator=torch.Generator().manual_seed(1)) * 2 + 5
    mean, low, high = bootstrap(values)
    half = 1.96 * values.std().item() / math.sqrt(400)  # the normal one, of many values
    assert mean == pytest.approx(values.mean().item())
    assert (low, high) == pytest.approx((mean - half, mean + half), abs=0.02)
    assert bootstrap(values) == (mean, low, high)
    assert bootstrap(torch.tensor([0.3])) == pytest.approx((0.3, 0.3, 0.3))
    with pytest.raises(ValueError, match="no values"):
        bootstrap(torch.zeros(0))


@pytest.fixture
def folder(tmp_path):
    for number in range(6):
        Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / f"{number}.png")
    return tmp_path


def test_every_picture_serves_before_any_serves_again(folder):
    pairs = choose_pairs([folder], 6, seed=0)
    assert len(pairs) == 6
    assert all(source != target for source, target in pairs)
    for side in zip(*pairs, strict=True):
        assert sorted(path.name for path in side) == [f"{number}.png" for number in range(6)]
    assert choose_pairs([folder], 6, seed=0) == pairs
    assert choose_pairs([folder], 6, seed=1) != pairs


def test_all_ordered_pairs_are_the_most(folder):
    files = sorted(folder.glob("*.png"))[:3]
    pairs = choose_pairs(files, 40, seed=0)
    assert pairs == [(a, b) for a in files for b in files if a != b]


def test_of_training_pictures_only_those_held_out_are_taken(folder):
    images = folder / "images"
    images.mkdir()
    for number in range(11):
        Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(images / f"{number:02}.png")
    pairs = choose_pairs([folder], 40, seed=0)
    assert {path.name for pair in pairs for path in pair} == {"00.png", "05.png", "10.png"}


def test_a_list_says_the_pairs(folder):
    (folder / "list.txt").write_text("0.png\t1.png\n\n2.png\t0.png\n")
    wanted = [(folder / "0.png", folder / "1.png"), (folder / "2.png", folder / "0.png")]
    assert choose_pairs([folder / "list.txt"], 1, seed=0) == wanted


@pytest.mark.parametrize(
    ("text", "message"),
    [("0.png 1.png\n", "line 1: wanted a source and a target with a tab"), ("", "no pairs")],
)
def test_a_bad_list_is_an_error(folder, text, message):
    (folder / "list.txt").write_text(text)
    with pytest.raises(ValueError, match=message):
        choose_pairs([folder / "list.txt"], 1, seed=0)


def test_pictures_must_be_there(folder):
    with pytest.raises(ValueError, match=r"no picture .*9\.png"):
        choose_pairs([folder / "9.png", folder / "0.png"], 40, seed=0)
    (folder / "list.txt").write_text("0.png\t9.png\n")
    with pytest.raises(ValueError, match=r"no picture .*9\.png"):
        choose_pairs([folder / "list.txt"], 40, seed=0)
    (folder / "empty").mkdir()
    with pytest.raises(ValueError, match="two pictures, there are 0"):
        choose_pairs([folder / "empty"], 40, seed=0)


def test_the_sheet_has_ten_columns_a_row(people, judges):
    frame = people("red", "blue")
    face = view(frame, judges.look(frame).faces)
    assert face.shape == (3, CELL, CELL)
    assert face[2].mean() > 1.3 * face[0].mean()  # blue: the large one's
    one = column([face, face, face], "0.54 -0.12 4.3")
    assert one.shape[1] > 3 * CELL
    assert torch.equal(one[:, :CELL], face)
    assert one[:, 3 * CELL :].amax() == 1  # the numbers
    sheet = contact_sheet([one] * 12)
    assert sheet.shape == (3, 2 * one.shape[1], 10 * CELL)
    assert torch.equal(sheet[:, one.shape[1] :, CELL : 2 * CELL], one)
    assert sheet[:, one.shape[1] :, 2 * CELL :].max() == 0
    assert contact_sheet([one]).shape == one.shape
    with pytest.raises(ValueError, match="at least one"):
        contact_sheet([])
