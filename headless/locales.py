"""Names and texts of the nodes in other languages: writes the English ones, reports what is amiss.

ComfyUI reads `locales/<language>/nodeDefs.json` and `main.json`, and shows
`web/docs/<NodeId>/<language>.md` as a node's help. `python -m faceloom.headless.locales` writes the
English files from the schemas, and says which translations and help files are missing or left over.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from ..host.node_api import io

ROOT = Path(__file__).parents[1]
ENGLISH = "en"
COMPLETE = (ENGLISH, "ko")
"""Languages with every text, and a help file for every node."""
NAMED = ("zh", "ja")
"""Languages with at least the names of categories, nodes, inputs and outputs."""
NODES, MAIN = "nodeDefs.json", "main.json"
HOSTS = ("loaders", "mask")
"""Parts of our categories that ComfyUI's page has translations for."""

Tree: TypeAlias = dict[str, Any]
"""Dictionaries in dictionaries, with texts as leaves."""


def english(nodes: Iterable[type[io.ComfyNode]]) -> dict[str, Tree]:
    """Give the names and texts of nodes as ComfyUI wants them, by file."""
    schemas = [node.GET_SCHEMA() for node in nodes]
    parts = dict.fromkeys(part for each in schemas for part in each.category.split("/"))
    return {
        NODES: {schema.node_id: _texts(schema) for schema in schemas},
        MAIN: {"nodeCategories": {part: part for part in parts if part not in HOSTS}},
    }


def faults(root: Path, nodes: Iterable[type[io.ComfyNode]]) -> list[str]:
    """Say what the languages lack, and what they hold of inputs that are gone.

    Args:
        root: folder with `locales` and `web`.
        nodes: the nodes to speak of.

    Returns:
        A sentence for each fault, with the file and what to do.
    """
    wanted = english(nodes)
    found = [
        f"locales/{ENGLISH}/{file} is not what the schemas say. "
        "Run `python -m faceloom.headless.locales`, which writes it."
        for file, tree in wanted.items()
        if read(root, ENGLISH, file) != tree
    ]
    for language in (*COMPLETE, *NAMED):
        for file, tree in wanted.items():
            found += _faults_of(root, language, file, flat(tree))
    for language in COMPLETE:
        found += _help_faults(root, language, wanted[NODES])
    return found + _leftover_help(root, wanted[NODES])


def flat(tree: Mapping[str, Any], before: str = "") -> dict[str, str]:
    """Give the texts of a tree by their paths, such as `Node.inputs.image.name`."""
    texts: dict[str, str] = {}
    for key, value in tree.items():
        path = f"{before}{key}"
        texts.update(flat(value, f"{path}.") if isinstance(value, Mapping) else {path: value})
    return texts


def read(root: Path, language: str, file: str) -> Tree:
    """Read a file of a language; one that is not there is empty."""
    path = root / "locales" / language / file
    tree: Tree = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return tree


def main() -> int:
    """Write the English files, and report faults; 0 where there are none."""
    from ..nodes import NODES as EVERY_NODE

    for file, tree in english(EVERY_NODE).items():
        known = flat(read(ROOT, ENGLISH, file))
        for path, text in flat(tree).items():
            if known.get(path, text) != text:
                print(f"{path} says something else now; so should every translation of it.")
        place = ROOT / "locales" / ENGLISH / file
        place.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(tree, indent=2, ensure_ascii=False)
        place.write_text(f"{text}\n", encoding="utf-8")
    found = faults(ROOT, EVERY_NODE)
    print("\n".join(found) or f"{len(EVERY_NODE)} nodes have what they need in every language.")
    return 1 if found else 0


def _texts(schema: io.Schema) -> Tree:
    inputs = {each.id: _named(each.id, each.tooltip) for each in schema.inputs}
    outputs = [_named(each.display_name or "", each.tooltip) for each in schema.outputs]
    return {
        "display_name": schema.display_name,
        "description": schema.description,
        "inputs": inputs,
        "outputs": {str(place): text for place, text in enumerate(outputs)},
    }


def _named(name: str, tooltip: str | None) -> Tree:
    return {"name": name} if tooltip is None else {"name": name, "tooltip": tooltip}


def _faults_of(root: Path, language: str, file: str, wanted: Mapping[str, str]) -> Iterator[str]:
    """What one file lacks of the wanted texts, and what is wrong with those that it has."""
    place, known = f"locales/{language}/{file}", flat(read(root, language, file))
    for path, text in wanted.items():
        may_lack = language in NAMED and path.endswith((".tooltip", ".description"))
        if path not in known and not may_lack:
            yield f"{place} lacks {path}. Add it; in English it is: {text}"
    for path, text in known.items():
        if path not in wanted:
            yield f"{place} has {path}, which no node has any more. Take it out."
        # The page takes a bare text, and these for the syntax of its own messages (vue-i18n).
        if not text.strip() or re.search(r"[@{}|]", text):
            yield f"{place} has {text!r} as {path}. Write a text without any of @ {{ }} |."


def _help_faults(root: Path, language: str, wanted: Tree) -> Iterator[str]:
    known = read(root, language, NODES)
    for node, schema in wanted.items():
        place = f"web/docs/{node}/{language}.md"
        if not (root / place).is_file():
            yield f"{place} is missing. Write what the node does, a graph, inputs, outputs, tips."
            continue
        text = (root / place).read_text(encoding="utf-8")
        for kind in ("inputs", "outputs"):
            for key, socket in schema[kind].items():
                name = known.get(node, {}).get(kind, {}).get(key, socket)["name"]
                if f"**{name}**" not in text:
                    yield f"{place} does not say what **{name}** of its {kind} is. Add it."


def _leftover_help(root: Path, wanted: Tree) -> list[str]:
    return [
        f"{folder.relative_to(root).as_posix()} is the help of no node. Remove it."
        for folder in sorted((root / "web" / "docs").glob("*"))
        if folder.name not in wanted
    ]


if __name__ == "__main__":
    sys.exit(main())
