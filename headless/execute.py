"""Run a graph: every node once, after what it needs, unless an earlier run left its result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch

from ..host.node_api import io
from ..host.progress import Interrupted
from ..host.session import Session, ignore_progress, using
from .check import check_graph
from .graph import Graph, Link, Node, WorkflowError, describe
from .nodeclass import NodeClass, Result
from .specs import NodeSpec
from .workflow import to_api

Report = Callable[[int, int], None]
# Opens something that shows one node's progress, and takes its reports.
Watch = Callable[[Node], AbstractContextManager[Report]]


@dataclass(frozen=True)
class Run:
    """What a run gave.

    Attributes:
        results: by node id, of all nodes that the run needed.
        executed: the ids of the nodes that ran, in order; the others came from the cache.
        notes: a line on each output node that was left out.
    """

    results: dict[str, Result]
    executed: list[str]
    notes: list[str]

    @property
    def images(self) -> list[dict[str, Any]]:
        """What was saved and previewed: filename, subfolder, type and path of each picture."""
        shown = (result.ui.get("images", []) for result in self.results.values())
        return [entry for entries in shown for entry in entries]


def _unwatched(node: Node) -> AbstractContextManager[Report]:
    return nullcontext(ignore_progress)


class Runner:
    """Runs graphs, and keeps the results of the last one."""

    def __init__(
        self,
        classes: Iterable[type[io.ComfyNode]],
        session: Session,
        watch: Watch = _unwatched,
    ) -> None:
        """Make a runner.

        Args:
            classes: the known node classes.
            session: where networks run, and where files are.
            watch: shows the progress of the nodes.
        """
        self.session = session
        self.watch = watch
        self._classes = list(classes)
        self._cache: dict[str, Result] = {}

    @property
    def specs(self) -> dict[str, NodeSpec]:
        """What is known about the node types; the files that a COMBO offers are those of now."""
        return {name: node_class.spec for name, node_class in self._known().items()}

    def run(self, graph: Graph) -> Run:
        """Check a graph, then run what its output nodes need.

        A node runs again only where its type, one of its values, the fingerprint of a file that it
        reads, or something that it depends on has changed since the last run.

        Raises:
            WorkflowError: the graph cannot run, or a node failed; the text names the node. The
                node's own error is its cause.
            Interrupted: the session's interrupt was set.
        """
        known = self._known()
        specs = {name: node_class.spec for name, node_class in known.items()}
        with using(self.session), torch.inference_mode():
            order, notes = check_graph(graph, specs)
            for node in map(graph.nodes.__getitem__, order):
                known[node.type].validate(node)
            results, executed = self._run_nodes(graph, order, known)
        return Run(results, executed, notes)

    def _known(self) -> dict[str, NodeClass]:
        with using(self.session):
            classes = map(NodeClass, self._classes)
            return {node_class.spec.id: node_class for node_class in classes}

    def _run_nodes(
        self, graph: Graph, order: list[str], known: dict[str, NodeClass]
    ) -> tuple[dict[str, Result], list[str]]:
        # As it is now, with the command line's changes, because saved pictures carry it.
        workflow = {"workflow": graph.workflow} if graph.workflow else {}
        hidden = {"prompt": to_api(graph), "extra_pnginfo": workflow}
        keys: dict[str, str] = {}
        results: dict[str, Result] = {}
        executed = []
        for name in order:
            node = graph.nodes[name]
            node_class = known[node.type]
            keys[name] = key = _key(node, keys, node_class.fingerprint(node))
            if key not in self._cache:
                self._cache[key] = self._run_node(node, node_class, results, hidden)
                executed.append(name)
            results[name] = self._cache[key]
        # Only one run's results stay, or a long session would fill the memory.
        self._cache = {key: self._cache[key] for key in keys.values()}
        return results, executed

    def _run_node(
        self,
        node: Node,
        node_class: NodeClass,
        results: dict[str, Result],
        hidden: dict[str, Any],
    ) -> Result:
        if self.session.interrupt.is_set():
            raise Interrupted("The run was interrupted.")
        inputs = {
            name: results[value.node].outputs[value.slot] if isinstance(value, Link) else [value]
            for name, value in node.inputs.items()
        }
        try:
            with self.watch(node) as report, using(replace(self.session, report=report)):
                return node_class.call(inputs, hidden | {"unique_id": node.id})
        except Interrupted:
            raise
        except Exception as error:
            # FaceLoom's own nodes begin with their name, for hosts that do not say it.
            text = describe(error).removeprefix(f"{node_class.schema.display_name}: ")
            raise WorkflowError(f"{node.label}: {text}") from error


def _key(node: Node, keys: dict[str, str], fingerprint: object) -> str:
    """Sum up all that a node's result depends on."""
    inputs = {
        name: ["link", keys[value.node], value.slot] if isinstance(value, Link) else ["is", value]
        for name, value in node.inputs.items()
    }
    text = json.dumps([node.type, inputs, repr(fingerprint)], sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()
