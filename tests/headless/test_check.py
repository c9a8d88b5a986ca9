import pytest

from faceloom.headless.check import check_graph
from faceloom.headless.editor import from_editor
from faceloom.headless.graph import WorkflowError
from faceloom.headless.specs import types_match
from faceloom.headless.workflow import from_api


def check(specs, **nodes):
    data = {name[1:]: {"class_type": kind, "inputs": more} for name, (kind, more) in nodes.items()}
    graph = from_api(data, specs)
    return graph, check_graph(graph, specs)


def test_order_puts_causes_first_and_leaves_out_the_rest(specs):
    _, (order, notes) = check(
        specs,
        n1=("Show", {"value": ["2", 0]}),
        n2=("Add", {"a": ["3", 0], "b": ["3", 0]}),
        n3=("Number", {"value": 1}),
        n4=("Number", {"value": 99}),
    )
    assert order == ["3", "2", "1"]
    assert notes == []


def test_a_long_chain_does_not_exhaust_the_stack(specs):
    nodes = {f"n{at}": ("Add", {"a": [str(at - 1), 0], "b": 0}) for at in range(1, 3000)}
    _, (order, _) = check(
        specs, n0=("Number", {"value": 1}), **nodes, n3000=("Show", {"value": ["2999", 0]})
    )
    assert order == [str(at) for at in range(3001)]


def test_values_get_the_inputs_types(specs):
    graph, _ = check(
        specs,
        n1=("Settings", {"text": 5, "seed": "7", "mode": "soft", "keep": "no", "scale": 1}),
        n2=("Show", {"value": ["1", 0]}),
    )
    found = graph.nodes["1"].inputs
    assert found == {"text": "5", "seed": 7, "mode": "soft", "keep": False, "scale": 1.0}
    assert list(map(type, found.values())) == [str, int, str, bool, float]


SHOW = ("Show", {"value": ["1", 0]})
GOOD = {"text": "", "seed": 0, "mode": "soft", "keep": True}


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ({"n1": ("Number", {"value": 1})}, "nothing to run: add an output node"),
        ({"n1": ("Number", {}), "n2": SHOW}, r"A Number \(#1\): the input 'value' \(INT\) is"),
        ({"n2": ("Show", {})}, r"Show \(#2\): the input 'value' \(\*\) is missing; connect it"),
        ({"n1": ("Number", {"value": 11}), "n2": SHOW}, r"#1\): 'value': 11 .* range 0 to 10"),
        ({"n1": ("Number", {"value": -1}), "n2": SHOW}, r"#1\): 'value': -1 .* range 0 to 10"),
        ({"n1": ("Number", {"value": "x"}), "n2": SHOW}, "'x' is not a whole number"),
        ({"n1": ("Number", {"value": float("inf")}), "n2": SHOW}, "inf is not a whole number"),
        ({"n1": ("Number", {"value": {}}), "n2": SHOW}, "is not a whole number"),
        (
            {"n1": ("Settings", GOOD | {"mode": "wild"}), "n2": SHOW},
            "'wild' is not one of soft, hard",
        ),
        ({"n1": ("Settings", GOOD | {"scale": "nan"}), "n2": SHOW}, "'nan' is not a number"),
        ({"n1": ("Settings", GOOD | {"keep": "maybe"}), "n2": SHOW}, "neither true nor false"),
        ({"n2": ("Show", {"value": ["9", 0]})}, r"Show \(#2\): 'value' hangs on node #9"),
        (
            {"n1": ("Number", {"value": 1}), "n2": ("Show", {"value": ["1", 1]})},
            r"Show \(#2\): 'value' hangs on output 1 of A Number \(#1\), which has 1",
        ),
        (
            {
                "n1": ("LoadImage", {"image": "a.png"}),
                "n2": ("Add", {"a": ["1", 1], "b": 0}),
                "n3": ("Show", {"value": ["2", 0]}),
            },
            r"Add \(#2\): 'a' wants INT, but the output 'MASK' of Load Image \(#1\) gives MASK",
        ),
        (
            {
                "n1": ("Add", {"a": ["2", 0], "b": 0}),
                "n2": ("Add", {"a": ["1", 0], "b": 0}),
                "n3": ("Show", {"value": ["1", 0]}),
            },
            r"in a circle: Add \(#2\) -> Add \(#1\) -> Add \(#2\)",
        ),
        (
            {"n1": ("Number", {"value": 1}), "n2": SHOW, "n3": ("Zap", {}), "n4": ("Pow", {})},
            r"Zap \(#3\): the node type 'Zap' is unknown here; .*another node pack.*unknown: Pow",
        ),
    ],
)
def test_each_fault_is_one_line_that_names_the_node(specs, nodes, message):
    with pytest.raises(WorkflowError, match=message) as caught:
        check(specs, **nodes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"cnr_id": "comfyui-impact-pack"}, "from the node pack comfyui-impact-pack"),
        ({"aux_id": "someone/pack"}, "from the node pack someone/pack"),
        ({"cnr_id": "comfy-core"}, "one of ComfyUI's own"),
    ],
)
def test_an_unknown_type_names_its_pack(specs, editor, properties, message):
    graph = from_editor(editor((1, "Zap", {}, [1], {"properties": properties})), specs)
    with pytest.raises(WorkflowError, match=message):
        check_graph(graph, specs)


def test_a_branch_behind_a_muted_node_is_left_out(specs, editor):
    data = editor(
        (1, "Number", {}, [4], {"mode": 2}),
        (2, "Add", {"a": (1, 0)}, [5], {}),
        (3, "Show", {"value": (2, 0)}, None, {}),
        (4, "Spread", {}, [5], {}),
        (5, "Show", {"value": (4, 0)}, None, {}),
    )
    order, notes = check_graph(from_editor(data, specs), specs)
    assert order == ["4", "5"]
    reason = "Show (#3) is left out: 'a' of Add (#2) hangs on Number (#1), which is muted"
    assert notes == [reason]
    del data["nodes"][3:]
    with pytest.raises(WorkflowError, match=r"nothing to run: Show \(#3\) is left out"):
        check_graph(from_editor(data, specs), specs)


def test_an_optional_input_may_hang_on_a_muted_node(specs, editor):
    data = editor(
        (1, "Number", {}, [4], {"mode": 2}),
        (2, "Number", {}, [4], {}),
        (3, "Add", {"a": (2, 0), "extra": (1, 0)}, [5], {}),
        (4, "Show", {"value": (3, 0)}, None, {}),
    )
    assert check_graph(from_editor(data, specs), specs) == (["2", "3", "4"], [])


@pytest.mark.parametrize(
    ("given", "wanted", "expected"),
    [
        ("IMAGE", "IMAGE", True),
        ("IMAGE", "MASK", False),
        ("IMAGE", "*", True),
        ("*", "MASK", True),
        ("MASK", "IMAGE, MASK", True),
        ("INT,FLOAT", "FLOAT,STRING", True),
        ("INT,FLOAT", "STRING", False),
        ("IMAGE", "COMFY_MATCHTYPE_V3", True),
    ],
)
def test_types_match(given, wanted, expected):
    assert types_match(given, wanted) is expected
