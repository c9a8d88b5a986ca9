"""What people's graphs rely on: ids, inputs, defaults. After a wanted change: --update-schemas."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import textwrap
from pathlib import Path

import pytest

import faceloom
from faceloom.nodes import NODES, choices, saved_identity

SNAPSHOT = Path(__file__).with_name("schemas.json")
README = Path(faceloom.__file__).with_name("README.md")
KEPT_OPTIONS = ("default", "min", "max", "step", "options")


@pytest.fixture(autouse=True)
def no_model_files(monkeypatch):
    monkeypatch.setattr(choices, "model_files", list)
    monkeypatch.setattr(saved_identity, "identity_files", list)


def describe(node):
    """What a saved graph depends on, from the form that `/object_info` serves."""
    info = node.GET_NODE_INFO_V1()
    inputs = {
        name: {"type": kind, "optional": group == "optional"}
        | {key: options[key] for key in KEPT_OPTIONS if key in options}
        for group, sockets in info["input"].items()
        if group != "hidden"  # the host's own, of which nothing is saved
        for name, (kind, options) in sockets.items()
    }
    outputs = dict(zip(info["output_name"], info["output"], strict=True))
    return {
        "display_name": info["display_name"],
        "category": info["category"],
        "inputs": inputs,
        "outputs": outputs,
    }


EVERY_INPUT = [
    pytest.param(socket, id=f"{node.__name__}.{socket.id}")
    for node in NODES
    for socket in node.GET_SCHEMA().inputs
]


def test_ids_inputs_and_defaults_stay(pytestconfig):
    schemas = {node.GET_SCHEMA().node_id: describe(node) for node in NODES}
    # Inputs in their order too: the editor saves the values of widgets as a list.
    text = json.dumps(schemas, indent=1) + "\n"
    if pytestconfig.getoption("--update-schemas"):
        SNAPSHOT.write_text(text, encoding="utf-8")
    assert text == SNAPSHOT.read_text(encoding="utf-8")


def test_ids_are_unique_and_ours():
    ids = [node.GET_SCHEMA().node_id for node in NODES]
    assert len(set(ids)) == len(ids)
    assert all(name.startswith("FaceLoom") for name in ids)


def test_extension_gives_every_node():
    async def load():
        extension = await faceloom.comfy_entrypoint()
        return await extension.get_node_list()

    assert asyncio.run(load()) == NODES


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.__name__)
def test_node_explains_itself(node):
    schema = node.GET_SCHEMA()
    assert schema.display_name
    assert schema.description.endswith(".")
    assert schema.category.startswith("FaceLoom/")
    assert schema.search_aliases
    assert f"**{schema.display_name}**" in README.read_text(encoding="utf-8")


@pytest.mark.parametrize("socket", EVERY_INPUT)
def test_input_has_a_tooltip_and_a_possible_default(socket):
    options = socket.as_dict()
    assert options["tooltip"].endswith(".")
    if options.get("options") is not None:
        assert options["default"] in options["options"]
    if options.get("min") is not None:
        assert options["min"] <= options["default"] <= options["max"]


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.__name__)
def test_execute_is_short_and_takes_the_inputs(node):
    (function,) = ast.parse(textwrap.dedent(inspect.getsource(node.execute))).body
    assert function.end_lineno - function.lineno < 25
    parameters = inspect.signature(node.execute).parameters
    named = {name for name, value in parameters.items() if value.kind is not value.VAR_KEYWORD}
    inputs = {socket.id: socket for socket in node.GET_SCHEMA().inputs}
    assert named <= set(inputs)
    if len(named) == len(parameters):
        assert named == set(inputs)
    # The host leaves out optional inputs that nothing is connected to.
    optional = {name for name, socket in inputs.items() if socket.optional}
    assert {name for name in named if parameters[name].default is None} == optional
