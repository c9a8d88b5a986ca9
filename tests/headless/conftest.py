"""Small nodes that count their calls, and builders of workflows in both forms."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch

from faceloom.headless.core_nodes import CORE_NODES
from faceloom.headless.execute import Runner
from faceloom.headless.specs import from_class
from faceloom.host.node_api import io, schema
from faceloom.host.progress import steps
from faceloom.host.session import Session

CALLS: Counter[str] = Counter()


class Number(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema(
            node_id="Number",
            display_name="A Number",
            description="Gives its value.",
            inputs=[io.Int.Input("value", default=3, min=0, max=10)],
            outputs=[io.Int.Output("number")],
        )

    @classmethod
    def execute(cls, value):
        CALLS["Number"] += 1
        return io.NodeOutput(value)


class Add(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema(
            node_id="Add",
            inputs=[
                io.Int.Input("extra", default=100, optional=True),
                io.Int.Input("a", force_input=True),
                io.Int.Input("b", default=1),
            ],
            outputs=[io.Int.Output()],
        )

    @classmethod
    def execute(cls, a, b, extra=0):
        CALLS["Add"] += 1
        return io.NodeOutput(a + b + extra)


class Show(io.ComfyNode):
    """The output node; takes anything."""

    @classmethod
    def define_schema(cls):
        return schema(
            node_id="Show", inputs=[io.AnyType.Input("value")], outputs=[], is_output_node=True
        )

    @classmethod
    def execute(cls, value):
        CALLS["Show"] += 1
        return io.NodeOutput(ui={"values": [value]})


class Settings(io.ComfyNode):
    """One widget of each kind, with a seed in the middle."""

    @classmethod
    def define_schema(cls):
        return schema(
            node_id="Settings",
            inputs=[
                io.String.Input("text"),
                io.Int.Input("seed", default=0),
                io.Combo.Input("mode", options=["soft", "hard"]),
                io.Image.Input("image", optional=True),
                io.Boolean.Input("keep", default=True),
                io.Float.Input("scale", default=1.0, min=0.0, max=2.0, optional=True),
            ],
            outputs=[io.AnyType.Output("settings")],
        )

    @classmethod
    def execute(cls, **settings):
        return io.NodeOutput(settings)


class Spread(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema(
            node_id="Spread",
            inputs=[io.Int.Input("count", default=3)],
            outputs=[io.Int.Output("each", is_output_list=True)],
        )

    @classmethod
    def execute(cls, count):
        return io.NodeOutput(list(range(count)))


class Total(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema(
            node_id="Total",
            inputs=[io.Int.Input("values", force_input=True), io.Int.Input("factor", default=1)],
            outputs=[io.Int.Output()],
            is_input_list=True,
        )

    @classmethod
    def execute(cls, values, factor):
        return io.NodeOutput(sum(values) * factor[0])


class Fail(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema(
            node_id="Fail",
            display_name="Detect Faces",
            inputs=[io.AnyType.Input("value"), io.String.Input("kind", default="value")],
            outputs=[io.Int.Output()],
        )

    @classmethod
    def execute(cls, value, kind):
        raise {
            "value": ValueError("no\nluck"),
            "key": KeyError("x"),
            "none": OSError(),
            "named": ValueError("Detect Faces: no luck"),
        }[kind]


class Words(io.ComfyNode):
    """Reads a file, and says so."""

    @classmethod
    def define_schema(cls):
        return schema(
            node_id="Words",
            inputs=[io.String.Input("path")],
            outputs=[io.String.Output()],
        )

    @classmethod
    def fingerprint_inputs(cls, path):
        return Path(path).read_text()

    @classmethod
    def validate_inputs(cls, path):
        return Path(path).is_file() or f"no file {path}"

    @classmethod
    def execute(cls, path):
        CALLS["Words"] += 1
        return io.NodeOutput(Path(path).read_text())


class Slow(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema(
            node_id="Slow",
            inputs=[io.Int.Input("count", default=3)],
            outputs=[io.Int.Output()],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def execute(cls, count):
        return io.NodeOutput(sum(steps(range(count))))


class Convert(io.ComfyNode):
    """An IMAGE and a MASK in, both out: what bypassing has to match by type."""

    @classmethod
    def define_schema(cls):
        return schema(
            node_id="Convert",
            inputs=[io.Mask.Input("mask"), io.Image.Input("image")],
            outputs=[io.Image.Output("image_out"), io.Mask.Output("mask_out")],
        )

    @classmethod
    def execute(cls, mask, image):
        return io.NodeOutput(image, mask)


FAKES = [Number, Add, Show, Settings, Spread, Total, Fail, Words, Slow, Convert]


@pytest.fixture
def calls():
    CALLS.clear()
    return CALLS


@pytest.fixture
def classes():
    return [*FAKES, *CORE_NODES]


@pytest.fixture
def specs(classes):
    return {spec.id: spec for spec in map(from_class, classes)}


@pytest.fixture
def runner(classes, tmp_path, calls):
    session = Session(
        device=torch.device("cpu"), input_dir=tmp_path / "input", output_dir=tmp_path / "output"
    )
    return Runner(classes, session)


@pytest.fixture
def editor(specs):
    """Build the editor's JSON from nodes (id, type, {input: (from id, slot)}, widgets, extras)."""

    def build(*nodes, **more):
        links, entries = [], []
        for name, kind, wires, values, extras in nodes:
            spec = specs.get(kind)
            slots = []
            for number, (socket, (origin, slot)) in enumerate(wires.items()):
                known = spec and spec.find_input(socket)
                kind_of_wire = known.type if known else "*"
                links.append([len(links) + 1, origin, slot, name, number, kind_of_wire])
                slots.append({"name": socket, "type": kind_of_wire, "link": len(links)})
            outputs = [{"name": out.name, "type": out.type} for out in spec.outputs] if spec else []
            entry = {"id": name, "type": kind, "mode": 0, "inputs": slots, "outputs": outputs}
            entries.append(entry | {"widgets_values": values} | extras)
        return {"nodes": entries, "links": links, "groups": [], "version": 0.4} | more

    return build
