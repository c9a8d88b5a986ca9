from contextlib import contextmanager

import pytest
import torch

from faceloom.headless.graph import WorkflowError
from faceloom.headless.workflow import from_api
from faceloom.host.node_api import io, schema
from faceloom.host.progress import Interrupted


def shown(run, name):
    return run.results[name].ui["values"]


@pytest.fixture
def graph_of(specs):
    def build(**nodes):
        data = {
            name[1:]: {"class_type": kind, "inputs": more} for name, (kind, more) in nodes.items()
        }
        return from_api(data, specs)

    return build


@pytest.fixture
def sums(graph_of):
    """3 + 1, shown; and a second branch of which only the 5 is shown."""

    def build(value=3, b=1):
        return graph_of(
            n1=("Number", {"value": value}),
            n2=("Add", {"a": ["1", 0], "b": b}),
            n3=("Show", {"value": ["2", 0]}),
            n4=("Number", {"value": 5}),
            n5=("Show", {"value": ["4", 0]}),
            n6=("Add", {"a": ["4", 0], "b": 7}),
        )

    return build


def test_only_what_the_outputs_need_runs(runner, sums, calls):
    run = runner.run(sums())
    assert shown(run, "3") == [4]
    assert shown(run, "5") == [5]
    assert run.executed == ["1", "2", "3", "4", "5"]
    assert calls == {"Number": 2, "Add": 1, "Show": 2}


def test_unchanged_results_are_kept(runner, sums, calls):
    runner.run(sums())
    again = runner.run(sums())
    assert again.executed == []
    assert shown(again, "3") == [4]
    changed = runner.run(sums(b=2))
    assert changed.executed == ["2", "3"]
    assert shown(changed, "3") == [5]
    assert runner.run(sums(value=4, b=2)).executed == ["1", "2", "3"]
    assert calls == {"Number": 3, "Add": 3, "Show": 4}


def test_only_the_last_runs_results_are_kept(runner, sums):
    runner.run(sums())
    runner.run(sums(b=2))
    assert runner.run(sums()).executed == ["2", "3"]


def test_a_changed_file_runs_its_reader_again(runner, graph_of, tmp_path, calls):
    path = tmp_path / "words.txt"
    graph = graph_of(n1=("Words", {"path": str(path)}), n2=("Show", {"value": ["1", 0]}))
    path.write_text("one")
    assert shown(runner.run(graph), "2") == ["one"]
    assert runner.run(graph).executed == []
    path.write_text("two")
    assert shown(runner.run(graph), "2") == ["two"]
    assert calls["Words"] == 2


def test_a_nodes_own_check_stops_the_run(runner, graph_of, calls):
    graph = graph_of(n1=("Words", {"path": "none"}), n2=("Show", {"value": ["1", 0]}))
    with pytest.raises(WorkflowError, match=r"Words \(#1\): no file none"):
        runner.run(graph)
    assert not calls


def test_a_list_maps_the_next_node(runner, graph_of):
    run = runner.run(
        graph_of(
            n1=("Spread", {"count": 3}),
            n2=("Add", {"a": ["1", 0], "b": 10}),
            n3=("Show", {"value": ["2", 0]}),
        )
    )
    assert run.results["2"].outputs == [[10, 11, 12]]
    assert shown(run, "3") == [10, 11, 12]


def test_a_shorter_list_repeats_its_last_value(runner, graph_of):
    run = runner.run(
        graph_of(
            n1=("Spread", {"count": 4}),
            n2=("Spread", {"count": 2}),
            n3=("Add", {"a": ["1", 0], "b": ["2", 0]}),
            n4=("Show", {"value": ["3", 0]}),
        )
    )
    assert shown(run, "4") == [0, 2, 3, 4]


def test_a_list_node_gets_the_whole_list(runner, graph_of):
    run = runner.run(
        graph_of(
            n1=("Spread", {"count": 4}),
            n2=("Total", {"values": ["1", 0], "factor": 2}),
            n3=("Show", {"value": ["2", 0]}),
        )
    )
    assert shown(run, "3") == [12]


def test_an_empty_list_is_an_error(runner, graph_of):
    graph = graph_of(n1=("Spread", {"count": 0}), n2=("Show", {"value": ["1", 0]}))
    with pytest.raises(WorkflowError, match=r"Show \(#2\): 'value' got an empty list"):
        runner.run(graph)


@pytest.mark.parametrize(
    ("kind", "message"),
    [("value", "no luck"), ("key", "KeyError: 'x'"), ("none", "OSError"), ("named", "no luck")],
)
def test_a_failing_node_is_named_in_one_line(runner, graph_of, kind, message):
    graph = graph_of(
        n1=("Number", {"value": 1}),
        n2=("Fail", {"value": ["1", 0], "kind": kind}),
        n3=("Show", {"value": ["2", 0]}),
    )
    with pytest.raises(WorkflowError) as caught:
        runner.run(graph)
    assert str(caught.value) == f"Detect Faces (#2): {message}"
    assert caught.value.__cause__ is not None


def test_results_before_a_failure_are_kept(runner, graph_of, calls):
    graph = graph_of(
        n1=("Number", {"value": 1}),
        n2=("Fail", {"value": ["1", 0], "kind": "value"}),
        n3=("Show", {"value": ["2", 0]}),
    )
    for _ in range(2):
        with pytest.raises(WorkflowError):
            runner.run(graph)
    assert calls["Number"] == 1


class WrongCount(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema(node_id="WrongCount", outputs=[io.Int.Output()], is_output_node=True)

    @classmethod
    def execute(cls):
        return io.NodeOutput(1, 2)


class Secrets(io.ComfyNode):
    """Hands out its hidden values, and says whether gradients are recorded."""

    @classmethod
    def define_schema(cls):
        return schema(
            node_id="Secrets",
            inputs=[io.Int.Input("value", default=0)],
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, value):
        hidden = cls.hidden
        values = [hidden.unique_id, hidden.prompt, hidden.extra_pnginfo]
        return io.NodeOutput(ui={"values": [*values, torch.is_inference_mode_enabled()]})


def test_a_wrong_number_of_results_is_an_error(runner):
    runner._classes.append(WrongCount)
    graph = from_api({"1": {"class_type": "WrongCount", "inputs": {}}}, runner.specs)
    with pytest.raises(WorkflowError, match=r"\(#1\): gave 2 results for its 1 outputs"):
        runner.run(graph)


def test_hidden_values_reach_the_node(runner):
    runner._classes.append(Secrets)
    data = {"1": {"class_type": "Secrets", "inputs": {"value": 2}, "_meta": {"title": "S"}}}
    assert shown(runner.run(from_api(data, runner.specs)), "1") == ["1", data, {}, True]
    assert Secrets.hidden.prompt is None


def test_progress_reaches_the_watch(runner, graph_of):
    reports = []

    @contextmanager
    def watch(node):
        yield lambda done, total: reports.append((node.label, done, total))

    runner.watch = watch
    runner.run(graph_of(n1=("Slow", {"count": 2}), n2=("Show", {"value": ["1", 0]})))
    assert reports == [("Slow (#1)", 1, 2), ("Slow (#1)", 2, 2)]


def test_an_interrupt_stops_the_run(runner, graph_of, calls):
    @contextmanager
    def watch(node):
        yield lambda done, total: runner.session.interrupt.set()

    runner.watch = watch
    graph = graph_of(n1=("Slow", {"count": 2}), n2=("Show", {"value": ["1", 0]}))
    with pytest.raises(Interrupted):
        runner.run(graph)
    assert not calls
