"""Every language has what the nodes have, and every node its help."""

from __future__ import annotations

import json
import re
import shutil

import pytest

from faceloom.headless import locales
from faceloom.headless.locales import ENGLISH, NODES, ROOT, english, faults, flat
from faceloom.nodes import NODES as EVERY_NODE
from faceloom.nodes import DetectFaces, SelectFaces, choices, saved_identity

LANGUAGES = [*locales.COMPLETE, *locales.NAMED]
PAIR = [DetectFaces, SelectFaces]


@pytest.fixture(autouse=True)
def no_model_files(monkeypatch):
    monkeypatch.setattr(choices, "model_files", list)
    monkeypatch.setattr(saved_identity, "identity_files", list)


@pytest.fixture
def root(tmp_path):
    """A folder with files of two nodes alone, without a fault."""
    ids = [node.GET_SCHEMA().node_id for node in PAIR]
    for language in LANGUAGES:
        folder = tmp_path / "locales" / language
        folder.mkdir(parents=True)
        tree = locales.read(ROOT, language, NODES)
        write(folder / NODES, {node: tree[node] for node in ids})
        parts = english(PAIR)[locales.MAIN]
        write(folder / locales.MAIN, parts)
    for node in ids:
        shutil.copytree(ROOT / "web" / "docs" / node, tmp_path / "web" / "docs" / node)
    assert faults(tmp_path, PAIR) == []
    return tmp_path


def write(path, tree):
    path.write_text(json.dumps(tree, ensure_ascii=False), encoding="utf-8")


def change(root, language, edit):
    """Let `edit` change what a language has of Detect Faces."""
    path = root / "locales" / language / NODES
    tree = json.loads(path.read_text(encoding="utf-8"))
    edit(tree["FaceLoomDetectFaces"])
    write(path, tree)


def test_every_language_is_in_step_with_the_schemas():
    found = faults(ROOT, EVERY_NODE)
    assert not found, "\n".join(found)


def test_english_is_what_the_page_shows_without_locales():
    texts = english(EVERY_NODE)[NODES]
    for node in EVERY_NODE:
        info = node.GET_NODE_INFO_V1()
        text = texts[info["name"]]
        assert text["display_name"] == info["display_name"]
        assert text["description"] == info["description"]
        given = {
            name: options["tooltip"]
            for group in ("required", "optional")
            for name, (_, options) in info["input"].get(group, {}).items()
        }
        assert {name: socket["tooltip"] for name, socket in text["inputs"].items()} == given
        assert [socket["name"] for socket in text["outputs"].values()] == info["output_name"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_names_in_a_node_differ(language):
    # The page shows nothing else of them.
    for node, text in locales.read(ROOT, language, NODES).items():
        for kind in ("inputs", "outputs"):
            names = [socket["name"] for socket in text[kind].values()]
            assert len(set(names)) == len(names), f"{language}: {node} {kind}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_names_of_nodes_differ(language):
    names = [text["display_name"] for text in locales.read(ROOT, language, NODES).values()]
    assert len(set(names)) == len(names)


def test_flat_gives_paths():
    assert flat({"a": {"b": "1", "c": {"d": "2"}}, "e": "3"}) == {
        "a.b": "1",
        "a.c.d": "2",
        "e": "3",
    }


def test_new_input_asks_for_its_translations(root):
    class Newer(DetectFaces):
        @classmethod
        def define_schema(cls):
            schema = super().define_schema()
            schema.inputs = [*schema.inputs, type(schema.inputs[2])("newer", tooltip="New.")]
            return schema

    found = "\n".join(faults(root, [Newer, SelectFaces]))
    assert "Run `python -m faceloom.headless.locales`" in found
    for language in locales.COMPLETE:
        assert f"web/docs/FaceLoomDetectFaces/{language}.md does not say what **newer**" in found
    path = "FaceLoomDetectFaces.inputs.newer"
    assert f"locales/ko/nodeDefs.json lacks {path}.tooltip. Add it; in English it is: New." in found
    assert f"locales/ja/nodeDefs.json lacks {path}.name" in found
    assert f"locales/ja/nodeDefs.json lacks {path}.tooltip" not in found


def test_new_category_asks_for_its_name(root):
    path = root / "locales" / "zh" / locales.MAIN
    write(path, {"nodeCategories": {"FaceLoom": "FaceLoom"}})
    (fault,) = faults(root, PAIR)
    assert fault.startswith("locales/zh/main.json lacks nodeCategories.analysis.")


def test_left_over_input_and_help_are_told(root):
    change(root, "zh", lambda text: text["inputs"].update(older={"name": "旧"}))
    (root / "web" / "docs" / "FaceLoomGone").mkdir()
    first, second = faults(root, PAIR)
    assert "locales/zh/nodeDefs.json has FaceLoomDetectFaces.inputs.older.name" in first
    assert second.startswith("web/docs/FaceLoomGone is the help of no node.")


def test_missing_help_is_told(root):
    (root / "web" / "docs" / "FaceLoomSelectFaces" / "ko.md").unlink()
    (fault,) = faults(root, PAIR)
    assert fault.startswith("web/docs/FaceLoomSelectFaces/ko.md is missing.")


@pytest.mark.parametrize("text", ["", " ", "a | b", "mail@home", "{count} faces"])
def test_texts_that_the_page_would_not_show(root, text):
    change(root, "ko", lambda node: node.update(description=text))
    (fault,) = faults(root, PAIR)
    assert "ko/nodeDefs.json" in fault
    assert "FaceLoomDetectFaces.description" in fault


def test_changed_text_is_written_and_told(root, monkeypatch, capsys):
    monkeypatch.setattr(locales, "ROOT", root)
    monkeypatch.setattr("faceloom.nodes.NODES", PAIR)
    change(root, ENGLISH, lambda node: node.update(description="Older."))
    assert locales.main() == 0
    said = capsys.readouterr().out
    assert "FaceLoomDetectFaces.description says something else now" in said
    assert locales.read(root, ENGLISH, NODES) == english(PAIR)[NODES]
    assert locales.main() == 0
    assert capsys.readouterr().out == "2 nodes have what they need in every language.\n"


@pytest.mark.parametrize("language", [name for name in LANGUAGES if name != "en"])
def test_texts_of_the_page_s_own_parts_are_translated(language):
    web = ROOT / "web"
    calls = (
        re.findall(r'\bsay\(\s*"([^"]+)"', path.read_text("utf-8")) for path in web.glob("*.js")
    )
    said = {text for texts in calls for text in texts}
    words = (web / "words.js").read_text("utf-8")
    block = re.search(rf"^  {language}: \{{\n(.*?)^  \}},$", words, re.DOTALL | re.MULTILINE)[1]
    entries = re.findall(r'^    (?:"([^"]+)"|(\w+)):\s*"([^"]+)"', block, re.MULTILINE)
    found = {quoted or bare: text for quoted, bare, text in entries}
    assert set(found) == said
    for english_text, text in found.items():
        values = (sorted(re.findall(r"\{\d\}", each)) for each in (english_text, text))
        assert next(values) == next(values), english_text
