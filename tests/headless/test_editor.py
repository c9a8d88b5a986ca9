import pytest

from faceloom.headless.editor import from_editor
from faceloom.headless.graph import Link, WorkflowError
from faceloom.headless.workflow import to_api

MUTED, BYPASSED = {"mode": 2}, {"mode": 4}


def inputs(data, specs):
    return {node.id: node.inputs for node in from_editor(data, specs).nodes.values()}


def test_a_plain_workflow_gives_the_api_form(editor, specs):
    data = editor(
        (1, "Number", {}, [4], {"title": "Mine"}),
        (2, "Add", {"a": (1, 0)}, [5, 6], {}),
        (3, "Show", {"value": (2, 0)}, None, {}),
        (4, "Note", {}, ["remember"], {}),
        (5, "MarkdownNote", {}, ["# remember"], {}),
    )
    assert to_api(from_editor(data, specs)) == {
        "1": {"inputs": {"value": 4}, "class_type": "Number", "_meta": {"title": "Mine"}},
        "2": {
            "inputs": {"b": 5, "extra": 6, "a": ["1", 0]},
            "class_type": "Add",
            "_meta": {"title": "Add"},
        },
        "3": {"inputs": {"value": ["2", 0]}, "class_type": "Show", "_meta": {"title": "Show"}},
    }


def test_wires_may_be_objects(editor, specs):
    data = editor((1, "Number", {}, [4], {}), (2, "Show", {"value": (1, 0)}, None, {}))
    keys = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
    data["links"] = [dict(zip(keys, link, strict=True)) for link in data["links"]]
    assert inputs(data, specs)["2"] == {"value": Link("1", 0)}


def test_a_wire_replaces_a_widget_which_keeps_its_place(editor, specs):
    data = editor(
        (1, "Number", {}, [4], {}),
        (2, "Settings", {"seed": (1, 0)}, ["hi", 7, "fixed", "hard", False, 0.5], {}),
    )
    assert inputs(data, specs)["2"] == {
        "text": "hi",
        "seed": Link("1", 0),
        "mode": "hard",
        "keep": False,
        "scale": 0.5,
    }


def test_reroutes_and_primitives_dissolve(editor, specs):
    reroute = {"outputs": [{"name": "", "type": "INT"}]}
    data = editor(
        (1, "Number", {}, [4], {}),
        (2, "Reroute", {"": (1, 0)}, None, reroute),
        (3, "Reroute", {"": (2, 0)}, None, reroute),
        (4, "PrimitiveNode", {}, [8, "fixed"], {"outputs": [{"name": "INT", "type": "INT"}]}),
        (5, "Add", {"a": (3, 0), "b": (4, 0)}, [5, 6], {}),
    )
    assert inputs(data, specs) == {
        "1": {"value": 4},
        "5": {"a": Link("1", 0), "b": 8, "extra": 6},
    }


def test_a_muted_node_leaves_its_input_empty(editor, specs):
    data = editor(
        (1, "Number", {}, [4], MUTED | {"title": "Quiet"}),
        (2, "Add", {"a": (1, 0), "extra": (1, 0)}, [5, 6], {}),
    )
    node = from_editor(data, specs).nodes["2"]
    assert node.inputs == {"b": 5}
    assert node.muted == {"a": "Quiet (#1)", "extra": "Quiet (#1)"}


def test_a_bypassed_node_passes_by_type(editor, specs):
    data = editor(
        (1, "LoadImage", {}, ["a.png", "image"], {}),
        (2, "Convert", {"mask": (1, 1), "image": (1, 0)}, None, BYPASSED),
        (3, "Convert", {"mask": (2, 1), "image": (2, 0)}, None, {}),
    )
    assert inputs(data, specs)["3"] == {"mask": Link("1", 1), "image": Link("1", 0)}


def test_a_bypassed_node_without_the_type_passes_nothing(editor, specs):
    data = editor(
        (1, "Number", {}, [4], BYPASSED),
        (2, "Add", {"a": (1, 0)}, [5, 6], {}),
    )
    assert inputs(data, specs)["2"] == {"b": 5, "extra": 6}


def subgraph(editor, **more):
    """A definition: its input 0 feeds an Add's `a`, its input 1 the Add's `b`."""
    inner = editor((7, "Add", {"a": ("-10", 0), "b": ("-10", 1)}, [5, 6], {}))
    inner["links"].append([9, 7, 0, "-20", 0, "INT"])
    inner["nodes"][0]["inputs"][1]["widget"] = {"name": "b"}
    inner["inputs"] = [{"name": "first", "type": "INT"}, {"name": "second", "type": "INT"}]
    inner["outputs"] = [{"name": "sum", "type": "INT"}]
    return inner | {"id": "uuid-1", "name": "Sum"} | more


@pytest.mark.parametrize(
    ("extras", "second"),
    [
        pytest.param({}, 5, id="the inner widget's value"),
        pytest.param({"widgets_values": [9]}, 9, id="the subgraph's own value, old files"),
        pytest.param(
            {
                "widgets_values": ["x", 9],
                "properties": {"proxyWidgets": [["7", "extra"], ["-1", "second"]]},
            },
            9,
            id="the subgraph's own value, listed",
        ),
    ],
)
def test_subgraphs_unfold(editor, specs, extras, second):
    data = editor(
        (1, "Number", {}, [4], {}),
        (2, "uuid-1", {"first": (1, 0)}, [], extras),
        (3, "Show", {"value": (2, 0)}, None, {}),
        definitions={"subgraphs": [subgraph(editor)]},
    )
    assert inputs(data, specs) == {
        "1": {"value": 4},
        "2:7": {"a": Link("1", 0), "b": second, "extra": 6},
        "3": {"value": Link("2:7", 0)},
    }


def test_subgraphs_nest(editor, specs):
    outer = editor((5, "uuid-1", {"first": ("-10", 0)}, [], {}))
    outer["links"].append([9, 5, 0, "-20", 0, "INT"])
    outer |= {"id": "uuid-2", "inputs": [{"name": "in", "type": "INT"}], "outputs": [{}]}
    data = editor(
        (1, "Number", {}, [4], {}),
        (2, "uuid-2", {"in": (1, 0)}, [], {}),
        (3, "Show", {"value": (2, 0)}, None, {}),
        definitions={"subgraphs": [subgraph(editor), outer]},
    )
    found = inputs(data, specs)
    assert found["3"] == {"value": Link("2:5:7", 0)}
    assert found["2:5:7"]["a"] == Link("1", 0)


def test_a_muted_or_bypassed_subgraph_runs_nothing_inside(editor, specs):
    definitions = {"subgraphs": [subgraph(editor)]}
    for mode, expected in ((2, {}), (4, {"value": Link("1", 0)})):
        data = editor(
            (1, "Number", {}, [4], {}),
            (2, "uuid-1", {"first": (1, 0)}, [], {"mode": mode, "outputs": [{"type": "INT"}]}),
            (3, "Show", {"value": (2, 0)}, None, {}),
            definitions=definitions,
        )
        data["nodes"][1]["inputs"][0]["type"] = "INT"
        found = inputs(data, specs)
        assert set(found) == {"1", "3"}
        assert found["3"] == expected


def test_a_subgraph_inside_itself_is_an_error(editor, specs):
    inner = editor((7, "uuid-1", {}, [], {}))
    inner |= {"id": "uuid-1", "inputs": [], "outputs": []}
    data = editor((2, "uuid-1", {}, [], {}), definitions={"subgraphs": [inner]})
    with pytest.raises(WorkflowError, match=r"uuid-1 \(#7\): the subgraph contains itself"):
        from_editor(data, specs)


def test_a_wire_that_is_missing_is_an_error(editor, specs):
    data = editor((1, "Number", {}, [4], {}), (2, "Show", {"value": (1, 0)}, None, {}))
    data["links"] = []
    with pytest.raises(WorkflowError, match=r"Show \(#2\): the wire 1 into 'value' is missing"):
        from_editor(data, specs)


def test_a_wire_from_a_missing_node_is_an_error(editor, specs):
    data = editor((2, "Show", {"value": (8, 0)}, None, {}))
    with pytest.raises(WorkflowError, match=r"Show \(#2\): 'value' hangs on node #8"):
        from_editor(data, specs)


def test_reroutes_in_a_circle_are_an_error(editor, specs):
    data = editor(
        (1, "Reroute", {"": (2, 0)}, None, {}),
        (2, "Reroute", {"": (1, 0)}, None, {}),
        (3, "Show", {"value": (1, 0)}, None, {}),
    )
    with pytest.raises(WorkflowError, match=r"Reroute \(#1\) run in a circle"):
        from_editor(data, specs)


def test_a_new_value_reaches_the_editors_json(editor, specs):
    data = editor((1, "Settings", {}, ["hi", 7, "fixed", "hard", False, 0.5], {}))
    graph = from_editor(data, specs)
    graph.nodes["1"].set("mode", "soft")
    assert graph.workflow["nodes"][0]["widgets_values"][3] == "soft"
    assert data["nodes"][0]["widgets_values"][3] == "hard"
