import csv
import json

import numpy as np
import pytest
from PIL import Image

from faceloom.headless import cli, evaluate
from faceloom.training.evaluate import Judges

SIZE, BOX = (64, 72), (12.0, 8.0, 58.0, 58.0)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch, classes, detector, encoder, landmarker):
    """Work in an empty folder, with the small nodes and with judges that need no weights."""
    judges = Judges(detector.use(), encoder.use(), landmarker.use())
    monkeypatch.setattr(cli, "node_classes", lambda: classes)
    monkeypatch.setattr(evaluate, "_load_judges", lambda args: judges)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def pictures(here, world):
    """Two people, and a wall."""
    image = world.picture(*SIZE, [BOX])
    for hue in ("red", "blue"):
        levels = (world.dye(image, [hue])[0] * 255).byte().numpy()
        Image.fromarray(levels).save(here / f"{hue}.png")
    Image.fromarray(np.full((*SIZE, 3), 90, np.uint8)).save(here / "wall.png")
    return here


@pytest.fixture
def workflow(here, editor):
    """Gives the picture of one of its two Load Image nodes: by default the source's, unchanged."""

    def save(result=1, saves="SaveImage"):
        data = editor(
            (1, "LoadImage", {}, ["a.png", "image"], {"title": "Source"}),
            (2, "LoadImage", {}, ["b.png", "image"], {"title": "Target"}),
            (3, "ImageBatch", {"image1": (result, 0), "image2": (result, 0)}, None, {}),
            (4, saves, {"images": (3, 0)}, ["x"] if saves == "SaveImage" else None, {}),
        )
        (here / "workflow.json").write_text(json.dumps(data))
        return ["--workflow", "workflow.json", "--device", "cpu"]

    return save


def rows():
    with open("out/pairs.csv", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_all_pairs_are_judged_and_shown(workflow, pictures, capsys):
    command = ["evaluate", *workflow(), "--pairs", "red.png", "blue.png", "-o", "out"]
    assert cli.main(command) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith("2 pairs judged, 0 not.\n\n| | mean | 95 % confidence |\n")
    assert "| cos(result, source) | 1.000 | 1.000 to 1.000 |" in out
    assert "outer eye corners | 0.00 % | 0.00 % to 0.00 % |" in out
    assert [(row["source"], row["target"]) for row in rows()] == [
        ("blue.png", "red.png"),
        ("red.png", "blue.png"),
    ]
    for row in rows():
        assert float(row["to_source"]) == 1
        assert row["to_target"] == row["between"]
        assert row["failure"] == ""
    with Image.open("out/sheet.png") as sheet:
        assert sheet.width == 2 * 192


def test_a_workflow_that_does_nothing_shows_the_target(workflow, pictures, capsys):
    command = ["evaluate", *workflow(result=2), "--pairs", "red.png", "blue.png", "-o", "out"]
    assert cli.main(command) == 0
    assert "| cos(result, target) | 1.000 | 1.000 to 1.000 |" in capsys.readouterr().out


def test_pairs_without_a_face_are_listed(workflow, pictures, capsys):
    pairs = "red.png\tblue.png\nwall.png\tblue.png\nred.png\twall.png\n"
    (pictures / "pairs.txt").write_text(pairs)
    assert cli.main(["evaluate", *workflow(), "--pairs", "pairs.txt", "-o", "out"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("1 pairs judged, 2 not.")
    assert err.splitlines() == [
        "faceloom: wall.png onto blue.png: no face in the source",
        "faceloom: red.png onto wall.png: no face in the target",
    ]
    assert [row["failure"] != "" for row in rows()] == [False, True, True]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--pairs", "red.png"], "a pair wants two pictures, there are 0"),
        (["--pairs", "wall.png", "wall.png"], "none of 2 pairs could be judged: no face in the"),
        (["--pairs", "red.png", "blue.png", "-i", "9.x=1"], "no node has the id, title or type"),
    ],
)
def test_errors_are_one_line(workflow, pictures, capsys, change, message):
    assert cli.main(["evaluate", *workflow(), *change, "-o", "out"]) == 1
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_a_workflow_must_save_its_result(workflow, pictures, capsys):
    command = ["evaluate", *workflow(saves="PreviewImage"), "--pairs", "red.png", "blue.png"]
    assert cli.main([*command, "-o", "out"]) == 1
    assert "the workflow saved no picture" in capsys.readouterr().err
