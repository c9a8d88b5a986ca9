import json

import pytest

from faceloom.headless.graph import Link, WorkflowError
from faceloom.headless.workflow import from_api, read_workflow, to_api

API = {
    "1": {"class_type": "Number", "inputs": {"value": 4}},
    "2": {"class_type": "Show", "inputs": {"value": ["1", 0]}, "_meta": {"title": "End"}},
}


def test_api_form_round_trip(specs):
    graph = from_api(API, specs)
    assert graph.nodes["2"].inputs == {"value": Link("1", 0)}
    assert [node.label for node in graph.nodes.values()] == ["A Number (#1)", "End (#2)"]
    assert to_api(graph) == {
        "1": API["1"] | {"_meta": {"title": "A Number"}},
        "2": API["2"],
    }


def test_a_list_as_a_value_is_wrapped(specs):
    data = {"1": {"class_type": "Show", "inputs": {"value": {"__value__": ["a", 0]}}}}
    graph = from_api(data, specs)
    assert graph.nodes["1"].inputs == {"value": ["a", 0]}
    assert to_api(graph)["1"]["inputs"] == data["1"]["inputs"]


@pytest.mark.parametrize("link", [["1"], ["1", "0"], ["1", 0, 0], []])
def test_a_broken_link_names_the_node(specs, link):
    data = {"2": {"class_type": "Show", "inputs": {"value": link}}}
    with pytest.raises(WorkflowError, match=r"Show \(#2\): 'value' should be a link"):
        from_api(data, specs)


def test_both_forms_are_recognised(specs, editor, tmp_path):
    path = tmp_path / "workflow.json"
    path.write_text(json.dumps(API))
    assert read_workflow(path, specs).workflow is None
    data = editor((1, "Number", {}, [4], {}))
    # Notepad puts a byte order mark in front.
    path.write_text(json.dumps(data), encoding="utf-8-sig")
    assert read_workflow(path, specs).workflow == data


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "is not a workflow"),
        ("{}", "is not a workflow"),
        ('{"a": 1}', "is not a workflow"),
        ('{"1": {"class_type": "A"}, "2": 3}', "node #2 has no class_type"),
        ('{"nodes": [{"id": 1}], "links": []}', "damaged workflow"),
        ('{"nodes": [3], "links": []}', "damaged workflow"),
        ('{"nodes": [], "links": [[1, 2]]}', "damaged workflow"),
        ('{"nodes": [], "definitions": {"subgraphs": [{}]}}', "damaged workflow"),
    ],
)
def test_what_is_no_workflow_is_an_error(specs, tmp_path, text, message):
    path = tmp_path / "workflow.json"
    path.write_text(text)
    with pytest.raises(WorkflowError, match=rf"workflow.json: .*{message}"):
        read_workflow(path, specs)


def test_what_cannot_be_read_is_an_error(specs, tmp_path):
    with pytest.raises(WorkflowError, match=r"none.json: there is no such file"):
        read_workflow(tmp_path / "none.json", specs)
    with pytest.raises(WorkflowError, match="cannot be read"):
        read_workflow(tmp_path, specs)
    (tmp_path / "a.png").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(WorkflowError, match=r"a.png: cannot be read"):
        read_workflow(tmp_path / "a.png", specs)
