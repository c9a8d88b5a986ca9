"""The stand-in for ComfyUI's node API; test_real_comfyui.py compares it with the original."""

from __future__ import annotations

import asyncio
from enum import Enum

import pytest

from faceloom.host import standalone_io as io
from faceloom.host.node_api import io as chosen
from faceloom.host.node_api import known_keywords, schema


class Double(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return schema(
            node_id="Double",
            inputs=[io.Int.Input("number", default=1, min=0, display_mode=io.NumberDisplay.slider)],
            outputs=[io.Int.Output(), io.Custom("FL_X").Output("x")],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, number):
        return io.NodeOutput(2 * number, cls.hidden.unique_id)


def test_without_comfyui_the_stand_in_is_chosen():
    assert chosen is io


# Printed by ComfyUI 0.8.0:
#   from comfy_api.latest import io
#   print(io.Int.Input("n", default=1, min=0, step=2, display_mode=io.NumberDisplay.slider)
#         .as_dict())  # and so on
@pytest.mark.parametrize(
    ("socket", "io_type", "options"),
    [
        (
            io.Int.Input("n", default=1, min=0, step=2, display_mode=io.NumberDisplay.slider),
            "INT",
            {"optional": False, "default": 1, "min": 0, "step": 2, "display": "slider"},
        ),
        (
            io.Float.Input("f", optional=True, round=0.1, force_input=True),
            "FLOAT",
            {"optional": True, "round": 0.1, "forceInput": True},
        ),
        (
            io.String.Input("s", dynamic_prompts=True, raw_link=True),
            "STRING",
            {"optional": False, "multiline": False, "dynamicPrompts": True, "rawLink": True},
        ),
        (
            io.Combo.Input("c", ["a", "b"], upload=io.UploadType.image),
            "COMBO",
            {
                "optional": False,
                "multiselect": False,
                "options": ["a", "b"],
                "image_upload": True,
            },
        ),
        (
            io.Custom("FL_FACES").Input("faces", tooltip="t", extra_dict={"a": 1, "b": None}),
            "FL_FACES",
            {"optional": False, "tooltip": "t", "a": 1},
        ),
    ],
)
def test_sockets_describe_themselves_as_in_comfyui(socket, io_type, options):
    assert socket.get_io_type() == io_type
    assert socket.as_dict() == options


def test_combo_takes_an_enum():
    class Order(str, Enum):
        LEFT = "left first"
        RIGHT = "right first"

    combo = io.Combo.Input("order", options=Order, default=Order.RIGHT)
    assert combo.as_dict()["options"] == ["left first", "right first"]
    assert combo.as_dict()["default"] == "right first"


def test_schema_is_finished_and_described():
    info = Double.GET_NODE_INFO_V1()
    assert Double.GET_SCHEMA().hidden == [io.Hidden.prompt, io.Hidden.extra_pnginfo]
    assert [output.id for output in Double.GET_SCHEMA().outputs] == ["_0_INT_", "x"]
    assert info["output"] == ["INT", "FL_X"]
    assert info["output_name"] == ["INT", "x"]
    assert info["input_order"] == {
        "required": ["number"],
        "hidden": ["prompt", "extra_pnginfo"],
    }


@pytest.mark.parametrize("side", ["inputs", "outputs"])
def test_two_sockets_of_one_name_are_refused(side):
    make = io.Int.Input if side == "inputs" else io.Int.Output
    twice = schema(node_id="Twice", **{side: [make("a"), make("a")]})
    with pytest.raises(ValueError, match=r"Twice: .* must be unique, but \['a'\]"):
        twice.validate()


def test_keywords_that_the_host_lacks_are_dropped_but_not_mistakes():
    class Older:
        def __init__(self, node_id):
            self.node_id = node_id

    given = {"node_id": "a", "search_aliases": ["b"], "colour": "red"}
    assert known_keywords(Older, given) == {"node_id": "a", "colour": "red"}
    assert known_keywords(io.Schema, {"search_aliases": []}) == {"search_aliases": []}
    with pytest.raises(TypeError, match="colour"):
        schema(node_id="a", colour="red")


def test_hidden_values_reach_one_execution_only():
    clone = Double.PREPARE_CLASS_CLONE({"hidden_inputs": {io.Hidden.unique_id: "7"}})
    assert clone.EXECUTE_NORMALIZED(number=3).result == (6, "7")
    assert clone.hidden.prompt is None
    assert Double.EXECUTE_NORMALIZED(number=3).result == (6, None)
    assert Double.PREPARE_CLASS_CLONE(None).hidden.unique_id is None


@pytest.mark.parametrize(("returned", "result"), [(None, None), ((1, 2), (1, 2)), ((), None)])
def test_bare_results_become_node_outputs(returned, result):
    class Bare(io.ComfyNode):
        @classmethod
        def execute(cls):
            return returned

    assert Bare.EXECUTE_NORMALIZED().result == result


def test_other_results_are_refused():
    class Wrong(io.ComfyNode):
        @classmethod
        def execute(cls):
            return 3

    with pytest.raises(TypeError, match=r"Wrong.execute must return io.NodeOutput, got int"):
        Wrong.EXECUTE_NORMALIZED()


def test_node_must_define_itself():
    class Empty(io.ComfyNode):
        pass

    with pytest.raises(NotImplementedError, match="Empty has no define_schema"):
        Empty.GET_SCHEMA()
    assert Empty.check_lazy_status(a=None, b=1) == ["a"]


def test_extension_lists_its_nodes():
    class Pack(io.ComfyExtension):
        async def get_node_list(self):
            return [Double]

    async def load():
        await Pack().on_load()
        return await Pack().get_node_list()

    assert asyncio.run(load()) == [Double]
    with pytest.raises(TypeError, match="abstract"):
        io.ComfyExtension()
