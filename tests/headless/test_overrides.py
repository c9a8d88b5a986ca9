import pytest

from faceloom.headless.graph import WorkflowError
from faceloom.headless.overrides import override
from faceloom.headless.workflow import from_api

GOOD = {"text": "", "seed": 0, "mode": "soft", "keep": True, "scale": 1.0}


@pytest.fixture
def graph(specs):
    data = {
        "1": {"class_type": "Number", "inputs": {"value": 1}, "_meta": {"title": "First v1.0"}},
        "2": {"class_type": "Number", "inputs": {"value": 1}, "_meta": {"title": "Second"}},
        "3:4": {"class_type": "Settings", "inputs": GOOD},
        "5": {"class_type": "Show", "inputs": {"value": ["1", 0]}},
        "6": {
            "class_type": "LoadImage",
            "inputs": {"image": "a.png"},
            "_meta": {"title": "Source"},
        },
        "7": {"class_type": "Add", "inputs": {"a": ["1", 0], "b": ["2", 0]}},
        "8": {"class_type": "Zap", "inputs": {}},
    }
    return from_api(data, specs)


@pytest.mark.parametrize(
    ("assignment", "name", "socket", "value"),
    [
        ("1.value=5", "1", "value", 5),
        ("First v1.0.value=5", "1", "value", 5),
        ("second.value=5", "2", "value", 5),
        ("3:4.scale=0.25", "3:4", "scale", 0.25),
        ("Settings.mode=hard", "3:4", "mode", "hard"),
        ("settings.keep=False", "3:4", "keep", False),
        ("Settings.text=a=b.c", "3:4", "text", "a=b.c"),
        ("Settings.text=", "3:4", "text", ""),
        ("Source.image=/somewhere/face.png", "6", "image", "/somewhere/face.png"),
        ("Add.b=9", "7", "b", 9),
    ],
)
def test_values_are_set_by_type(graph, specs, assignment, name, socket, value):
    override(graph, specs, assignment)
    assert graph.nodes[name].inputs[socket] == value
    assert type(graph.nodes[name].inputs[socket]) is type(value)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("1.value", r"write it as NODE\.INPUT=VALUE"),
        ("value=1", r"write it as NODE\.INPUT=VALUE"),
        ("Third.value=1", r"'Third'; there are First v1\.0 \(#1\), Second \(#2\)"),
        ("Number.value=1", r"more than one node; give the id: First v1\.0 \(#1\), Second \(#2\)$"),
        ("1.size=1", r"First v1\.0 \(#1\) has no input 'size'; those with a value: value"),
        ("5.value=1", r"Show \(#5\): 'value' takes a wire \(\*\), not a value"),
        ("1.value=x", r"First v1\.0 \(#1\): 'value': 'x' is not a whole number"),
        ("1.value=1.5", "'1.5' is not a whole number"),
        ("1.value=11", "11 is outside the range 0 to 10"),
        ("Settings.mode=wild", "'wild' is not one of soft, hard"),
        ("8.a=1", r"Zap \(#8\): the node type 'Zap' is unknown here"),
    ],
)
def test_faults_list_the_choices(graph, specs, assignment, message):
    with pytest.raises(WorkflowError, match=message):
        override(graph, specs, assignment)
