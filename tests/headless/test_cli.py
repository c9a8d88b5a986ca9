import json

import numpy as np
import pytest
from PIL import Image

from faceloom.headless import cli


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch, classes):
    """Work in an empty folder, with the small nodes in place of FaceLoom's."""
    monkeypatch.setattr(cli, "node_classes", lambda: classes)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def pictures(here):
    for name, level in (("red.png", 200), ("blue.png", 50)):
        Image.new("RGB", (6, 4), (level, 0, 0)).save(here / name)


@pytest.fixture
def save_file(here):
    def save(data, name="workflow.json"):
        (here / name).write_text(json.dumps(data))
        return name

    return save


@pytest.fixture
def swap_file(editor, save_file, here, monkeypatch):
    """The shipped workflow's contract: two pictures titled Source and Target, one result."""
    data = editor(
        (1, "LoadImage", {}, ["face.png", "image"], {"title": "Source"}),
        (2, "LoadImage", {}, ["photo.png", "image"], {"title": "Target"}),
        (3, "ImageBatch", {"image1": (1, 0), "image2": (2, 0)}, None, {}),
        (4, "SaveImage", {"images": (3, 0)}, ["swapped"], {}),
        (5, "PreviewImage", {"images": (1, 0)}, None, {}),
    )
    monkeypatch.setattr(cli, "SWAP_WORKFLOW", here / save_file(data))
    return data


def test_run_prints_the_paths_and_embeds_the_values(swap_file, pictures, capsys, here):
    command = ["run", "workflow.json", "-i", "Source.image=red.png", "-i", "2.image=blue.png"]
    assert cli.main([*command, "-i", "Save Image.filename_prefix=x", "--device", "cpu"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "output/x_00001_.png",
        "output/x_00002_.png",
        "output/preview/ComfyUI_temp_00001_.png",
    ]
    assert err == ""  # No bars where stderr is no terminal.
    assert np.asarray(Image.open("output/x_00002_.png"))[0, 0].tolist() == [50, 0, 0]
    saved = json.loads(Image.open("output/x_00001_.png").text["workflow"])
    assert saved["nodes"][0]["widgets_values"] == ["red.png", "image"]


def test_run_writes_where_it_is_told(swap_file, pictures, capsys, here):
    command = ["run", "workflow.json", "-i", "1.image=red.png", "-i", "2.image=blue.png"]
    assert cli.main([*command, "-o", "a/b", "--models", str(here)]) == 0
    assert (here / "a/b/swapped_00001_.png").is_file()


def test_run_says_what_a_muted_node_left_out(editor, save_file, capsys):
    data = editor(
        (1, "Number", {}, [4], {"mode": 2}),
        (2, "Show", {"value": (1, 0)}, None, {}),
        (3, "Number", {}, [4], {}),
        (4, "Show", {"value": (3, 0)}, None, {}),
    )
    assert cli.main(["run", save_file(data)]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("faceloom: Show (#2) is left out: 'value' of Show (#2) hangs on")


FAIL = {
    "1": {"class_type": "Number", "inputs": {"value": 1}},
    "3": {"class_type": "Fail", "inputs": {"value": ["1", 0], "kind": "key"}},
    "4": {"class_type": "Show", "inputs": {"value": ["3", 0]}},
}


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        (["run", "none.json"], 1, "none.json: there is no such file"),
        (["run", "fail.json"], 1, "Detect Faces (#3): KeyError: 'x'"),
        (["run", "fail.json", "-i", "1.value"], 1, "-i 1.value: write it as NODE.INPUT=VALUE"),
        (["run", "fail.json", "--models", "m"], 1, "--models m: there is no such folder"),
        (["run", "fail.json", "--server", "127.0.0.1:1"], 1, "no answer from http://127.0.0.1:1: "),
        (["run", "fail.json", "--server", "x", "--device", "cpu"], 1, "--models and --device have"),
        (["swap", "none.png", "b.png", "-o", "c.png"], 1, "there is no picture none.png"),
        (["swap", "a.png", "b.png", "-o", "c.jpg"], 1, "-o c.jpg: the result is a PNG"),
    ],
)
def test_errors_are_one_line(swap_file, save_file, capsys, command, code, message):
    save_file(FAIL, "fail.json")
    assert cli.main(command) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"faceloom: {message}")
    assert err.count("\n") == 1


@pytest.mark.parametrize("device", ["tpu9", "cuda:99"])
def test_a_missing_device_is_an_error(swap_file, capsys, device):
    assert cli.main(["run", "workflow.json", "--device", device]) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"faceloom: --device {device}: ")
    assert err.count("\n") == 1


def test_debug_shows_the_stack(save_file):
    with pytest.raises(ValueError, match="Detect Faces") as caught:
        cli.main(["run", save_file(FAIL), "--debug"])
    assert isinstance(caught.value.__cause__, KeyError)


def test_an_interrupt_is_no_stack_trace(swap_file, capsys, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "make_session", interrupt)
    assert cli.main(["run", "workflow.json"]) == 130
    assert capsys.readouterr().err == "faceloom: interrupted\n"


def test_a_wrong_command_line_exits_with_two(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["run"])
    assert caught.value.code == 2
    assert "workflow" in capsys.readouterr().err


def test_swap_moves_the_results(swap_file, pictures, capsys, here):
    assert cli.main(["swap", "red.png", "blue.png", "-o", "new/out.png"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["new/out_00001.png", "new/out_00002.png"]
    colours = [np.asarray(Image.open(here / line))[0, 0, 0] for line in lines]
    assert colours == [200, 50]
    assert not (here / "output").exists()


def test_swap_of_one_frame_keeps_the_name(swap_file, save_file, pictures, capsys, here):
    swap_file["nodes"][3]["inputs"][0]["link"] = swap_file["nodes"][4]["inputs"][0]["link"]
    save_file(swap_file)
    assert cli.main(["swap", "red.png", "blue.png", "-o", "out.png"]) == 0
    assert capsys.readouterr().out == "out.png\n"
    assert (here / "out.png").is_file()


def test_nodes_lists_what_there_is(capsys):
    assert cli.main(["nodes"]) == 0
    out = capsys.readouterr().out
    assert "== image/upscaling ==" in out
    block = """Batch Images (ImageBatch)
  in   image1  IMAGE
  in   image2  IMAGE
  out  IMAGE   IMAGE
"""
    assert block in out
    assert "  in   mode      one of: soft, hard; default soft\n" in out
    assert "  in   scale     FLOAT 0.0 to 2.0; default 1.0; optional\n" in out
    assert "A Number (Number)\n  Gives its value.\n  in   value   INT 0 to 10; default 3\n" in out
    assert "  in   image    a file\n  in   channel  one of: alpha, red" in out
