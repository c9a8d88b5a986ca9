from __future__ import annotations

import csv

import pytest
import torch
from PIL import Image

from faceloom.headless import cli
from faceloom.headless.demo import packaged
from faceloom.training.evaluate import Judges, NoFaceError, Score, bootstrap


@pytest.fixture
def judges(detector, landmarker, encoder):
    return Judges(detector.use(), encoder.use(), landmarker.use())


@pytest.fixture
def frames(world):
    """A red and a green person at the same place, and a wall."""
    picture = world.picture(90, 100, [(20, 10, 76, 80)], seed=1)
    red, green = (world.dye(picture, [hue]) for hue in ("red", "green"))
    wall = torch.full_like(picture, 0.5)
    return [each.movedim(-1, 1) for each in (red, green, wall)]


def test_a_copy_of_the_source_is_the_source_and_one_of_the_target_the_target(judges, frames):
    red, green, _ = frames
    swapped, _ = judges.score(red, green, red)
    assert swapped.to_source == pytest.approx(1, abs=1e-5)
    assert swapped.to_target == pytest.approx(swapped.between, abs=1e-5)
    kept, seen = judges.score(red, green, green)
    assert kept.to_target == pytest.approx(1, abs=1e-5)
    assert kept.to_source == pytest.approx(kept.between, abs=1e-5)
    # The faces lie at one place, so their landmarks agree.
    assert swapped.landmarks == kept.landmarks == 0
    assert len(seen) == 3


def test_pictures_without_a_face_or_of_another_size_are_refused(judges, frames):
    red, green, wall = frames
    for pair, where in (((wall, green), "source"), ((red, wall), "target")):
        with pytest.raises(NoFaceError, match=f"no face in the {where}"):
            judges.score(*pair, pair[1])
    with pytest.raises(NoFaceError, match="no face in the result"):
        judges.score(red, green, wall)
    with pytest.raises(ValueError, match="of the target's size"):
        judges.score(red, green, green[..., :50])


def test_bootstrap_gives_the_mean_inside_its_interval():
    # scipy.stats.bootstrap((x,), numpy.mean, method="percentile"): about mean +- 1.96 std / sqrt(n)
    values = torch.linspace(0, 1, 101)
    mean, low, high = bootstrap(values)
    assert mean == pytest.approx(0.5)
    half = 1.96 * float(values.std(correction=0)) / 101**0.5
    assert low == pytest.approx(0.5 - half, abs=0.01)
    assert high == pytest.approx(0.5 + half, abs=0.01)


def test_the_command_judges_the_shipped_swap(tmp_path, capsys):
    Image.open(packaged("skimage", "data", "astronaut.png")).save(tmp_path / "a.png")
    friends = Image.open(packaged("insightface", "data", "images", "t1.jpg"))
    friends.crop((660, 250, 960, 550)).save(tmp_path / "b.png")
    Image.new("RGB", (64, 64)).save(tmp_path / "wall.png")
    lines = [f"{tmp_path / 'a.png'}\t{tmp_path / name}" for name in ("b.png", "wall.png")]
    (tmp_path / "pairs.txt").write_text("\n".join(lines))
    out = tmp_path / "out"
    assert cli.main(["evaluate", "--pairs", str(tmp_path / "pairs.txt"), "-o", str(out)]) == 0
    printed, warned = capsys.readouterr()
    assert "1 pairs judged, 1 not." in printed
    assert "wall.png: no face in the target" in warned
    listed = (out / "pairs.csv").read_text("utf-8").splitlines()
    first, second = csv.DictReader(listed)
    assert float(first["to_target"]) < 0.9
    assert float(first["landmarks"]) < 0.15
    assert second["failure"]
    with Image.open(out / "sheet.png") as sheet:
        assert sheet.size[1] > 100
    assert set(Score.__dataclass_fields__) < set(first)
