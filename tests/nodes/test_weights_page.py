"""What the page is told about a loader's choice, and what it may fetch."""

from __future__ import annotations

import json

import pytest

from faceloom.host.download import DownloadError
from faceloom.host.progress import steps
from faceloom.models import LOADER_NODES, CheckpointError
from faceloom.models.catalog import catalog, find_entry
from faceloom.nodes import weights_page
from faceloom.nodes.choices import BUILT_IN, DOWNLOAD, NOTHING, label, verdict
from faceloom.nodes.weights_page import fetch_weights, find_out

YOLO = find_entry("yoloface_8n.onnx")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The only model folder, which holds nothing."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("FACELOOM_MODELS", raising=False)
    made = tmp_path / "faceloom" / "models"
    made.mkdir(parents=True)
    return made


@pytest.fixture
def network(monkeypatch):
    """Stands for the network: what was fetched, by address."""
    fetched = {}

    def download(address, target, sha256, size):
        fetched[address] = sha256
        list(steps(range(400)))
        return write(target.parent, target.name, size or 1)

    monkeypatch.setattr("faceloom.nodes.choices.download", download)
    return fetched


def write(folder, name, size):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(size)
    return path


def test_built_in_is_present_with_its_terms():
    weights = find_out(BUILT_IN, "detector")
    assert (weights.present, weights.fetchable, weights.commercial) == (True, False, False)
    assert weights.licence.startswith("research only")
    assert weights.size > 1000


@pytest.mark.parametrize("choice", [YOLO.file, label(YOLO), f"{DOWNLOAD}{YOLO.file} (old, 9 MB)"])
def test_missing_file_names_its_folder_and_can_be_fetched(folder, choice):
    weights = find_out(choice, "detector")
    assert (weights.file, weights.folder) == (YOLO.file, str(folder))
    assert (weights.present, weights.fetchable, weights.size) == (False, True, YOLO.size)
    assert (weights.licence, weights.commercial) == ("GPL-3.0", True)
    assert weights.project.startswith("https://")


def test_present_file_is_known_by_name_and_size(folder):
    write(folder, f"deep/{YOLO.file}", YOLO.size)
    weights = find_out(f"deep/{YOLO.file}", "detector")
    assert (weights.folder, weights.present) == (str(folder / "deep"), True)
    assert weights.licence == "GPL-3.0"
    assert find_out(label(YOLO), "detector").present
    write(folder, f"deep/{YOLO.file}", 5)
    other = find_out(f"deep/{YOLO.file}", "detector")
    assert (other.present, other.licence, other.commercial, other.size) == (True, None, None, 5)


def test_unknown_file_and_no_choice_at_all(folder):
    weights = find_out("mine.pth", "swapper")
    assert (weights.file, weights.present, weights.fetchable) == ("mine.pth", False, False)
    assert (weights.licence, weights.commercial, weights.project) == (None, None, None)
    nothing = find_out(NOTHING, "swapper")
    assert (nothing.file, nothing.present, nothing.folder) == (None, False, str(folder))


@pytest.mark.parametrize("role", LOADER_NODES)
def test_built_in_of_every_role_is_there_or_there_is_none(role):
    weights = find_out(BUILT_IN, role)
    has_built_in = verdict(BUILT_IN, role) is True
    assert (weights.present, not weights.problem) == (has_built_in, has_built_in)
    assert not has_built_in or weights.licence


@pytest.mark.parametrize(
    "choice",
    ["auto", "../x.pth", f"{DOWNLOAD}nothing.pth", f"{DOWNLOAD}w600k_r50.onnx (MIT, 1 MB)"],
)
def test_what_can_be_no_file_is_a_problem_with_its_reason(choice):
    weights = find_out(choice, "detector")
    assert (weights.present, weights.fetchable, weights.licence) == (False, False, None)
    assert weights.problem


def test_answers_are_json():
    for fields in ({"role": "parser", "choice": BUILT_IN}, {"role": "parser", "choice": "x.pth"}):
        json.dumps(weights_page.asdict(find_out(*weights_page._asked(fields))))


@pytest.mark.parametrize("fields", [{}, {"role": "detector"}, {"role": "chef", "choice": "x.pth"}])
def test_questions_without_a_role_or_a_choice_are_refused(fields):
    with pytest.raises(ValueError, match=r"^Wanted a role and a choice; roles are detector, "):
        weights_page._asked(fields)


@pytest.mark.parametrize("choice", [YOLO.file, label(YOLO)])
def test_fetching_takes_the_catalogues_address_and_tells_percents(
    folder, network, monkeypatch, choice
):
    told = []
    monkeypatch.setattr(weights_page, "tell", lambda event, content: told.append((event, content)))
    weights = fetch_weights(choice, "detector")
    assert network == {YOLO.address: YOLO.sha256}
    assert (weights.choice, weights.present) == (choice, True)
    assert (folder / YOLO.file).stat().st_size == YOLO.size
    assert {event for event, _ in told} == {"faceloom.fetch"}
    assert [content["percent"] for _, content in told] == list(range(101))
    assert fetch_weights(choice, "detector") == weights
    assert len(told) == 101


def test_file_that_comes_under_another_name_is_chosen_by_it(network):
    entry, other = next(
        (entry, path)
        for entry in catalog()
        for path in entry.kept_in
        if entry.address and not path.endswith(entry.file)
    )
    weights = fetch_weights(other, entry.role)
    assert (weights.choice, weights.present) == (label(entry), True)


@pytest.mark.parametrize(
    ("choice", "error"),
    [
        ("../../x.pth", ValueError),
        ("/etc/passwd", ValueError),
        ("C:/x.pth", ValueError),
        ("page.html", ValueError),
        ("mine.pth", CheckpointError),
        (NOTHING, CheckpointError),
        (f"{DOWNLOAD}https://example.com/x.pth (MIT, 1 MB)", CheckpointError),
        (f"{DOWNLOAD}w600k_r50.onnx (MIT, 1 MB)", CheckpointError),
        ("retinaface_10g.onnx", CheckpointError),
    ],
)
def test_nothing_but_the_catalogue_is_fetched(folder, network, choice, error):
    with pytest.raises(error):
        fetch_weights(choice, "detector")
    assert network == {}
    assert list(folder.iterdir()) == []


def test_failed_fetch_says_so(folder, monkeypatch):
    def download(*_):
        raise DownloadError("no network")

    monkeypatch.setattr("faceloom.nodes.choices.download", download)
    with pytest.raises(DownloadError, match="no network"):
        fetch_weights(YOLO.file, "detector")
