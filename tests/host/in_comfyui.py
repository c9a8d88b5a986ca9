"""Runs inside a real ComfyUI, started by test_real_comfyui.py with ComfyUI's own Python.

    python in_comfyui.py CHECKOUT PACK BASE_DIRECTORY REPORT

Loads the pack from the folder PACK as ComfyUI does and writes what it finds to REPORT as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

MODULES = ("node_api", "device", "memory", "progress", "folders", "upscale_models")


def probe_node(io, schema, advanced):
    """Make a node from either side's `io` that uses all that ComfyUI has had since 0.3.60."""
    own = io.Custom("FL_PROBE")

    class Probe(io.ComfyNode):
        @classmethod
        def define_schema(cls):
            return schema(
                node_id="FL_Probe",
                display_name="Probe",
                category="FaceLoom/test",
                description="Tries everything.",
                search_aliases=["nothing"],
                is_output_node=True,
                is_experimental=True,
                not_idempotent=True,
                hidden=[io.Hidden.unique_id],
                inputs=[
                    io.Image.Input("image", tooltip="A picture."),
                    io.Mask.Input("mask", optional=True, lazy=True, display_name="where"),
                    advanced(own.Input("own")),
                    io.AnyType.Input("anything", optional=True),
                    advanced(io.Boolean.Input("on", default=True, label_on="yes", label_off="no")),
                    io.Int.Input(
                        "count",
                        default=1,
                        min=0,
                        max=9,
                        step=2,
                        control_after_generate=True,
                        display_mode=io.NumberDisplay.slider,
                    ),
                    io.Float.Input(
                        "amount",
                        default=0.5,
                        min=0.0,
                        max=1.0,
                        step=0.1,
                        round=0.01,
                        display_mode=io.NumberDisplay.number,
                    ),
                    io.String.Input(
                        "text",
                        default="a",
                        multiline=True,
                        placeholder="b",
                        dynamic_prompts=False,
                        force_input=True,
                    ),
                    io.String.Input("plain", socketless=True),
                    io.Combo.Input("choice", options=["a", "b"], default="b"),
                    io.Combo.Input(
                        "file",
                        options=["a.png"],
                        upload=io.UploadType.image,
                        image_folder=io.FolderType.input,
                    ),
                ],
                outputs=[
                    io.Image.Output(),
                    io.Mask.Output("mask_out", display_name="where", tooltip="A mask."),
                    own.Output("own_out", display_name="own"),
                    io.Int.Output("ints", display_name="ints", is_output_list=True),
                    io.Float.Output(),
                    io.Boolean.Output(),
                    io.String.Output(),
                ],
            )

        @classmethod
        def execute(cls, image):
            return io.NodeOutput(cls.hidden.unique_id, image, ui={"text": ["done"]})

    return Probe


def describe(node) -> dict:
    """Say what the editor and the runner see of a node, and of its schema."""
    info = node.GET_NODE_INFO_V1()
    info.pop("python_module", None)
    return info | {
        "types": node.INPUT_TYPES(),
        "ids": [out.id for out in node.GET_SCHEMA().outputs],
    }


def run_probe(node, io) -> list:
    """Execute the probe as ComfyUI's executor does; return results and what the page shows."""
    hidden = {io.Hidden.unique_id: "7"}
    # 0.3.60 takes them bare.
    clone = node.PREPARE_CLASS_CLONE({**hidden, "hidden_inputs": hidden})
    output = clone.EXECUTE_NORMALIZED(image="picture")
    return [output.result, output.ui, output[1]]


def try_memory(host) -> dict:
    """Put a network under ComfyUI's memory manager, and let go of it."""
    import torch
    from comfy import model_management

    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4))
    adapter = SimpleNamespace(name="net", role="detector", network=network)
    hosted = host.memory.Hosted(adapter)
    used = [hosted.use() is adapter, hosted.use() is adapter]
    held = [loaded.model for loaded in model_management.current_loaded_models]
    model_management.unload_all_models()
    return {
        "used": used,
        "held": [patcher.model is network for patcher in held],
        "left": len(model_management.current_loaded_models),
        "device": str(network[0].weight.device),
    }


def try_progress(host) -> dict:
    """Interrupt a loop from outside, watching the progress bar."""
    import comfy.utils
    from comfy import model_management

    bar, seen, error = [], [], None
    comfy.utils.set_progress_bar_global_hook(
        lambda done, total, *_, **__: bar.append([done, total])
    )
    try:
        for item in host.progress.steps(iter("abc")):
            seen.append(item)
            model_management.interrupt_current_processing(item == "b")
    except model_management.InterruptProcessingException as interrupt:
        error = type(interrupt).__name__
    return {"seen": seen, "bar": bar, "error": error}


def try_upscaling(host) -> dict:
    """Run ComfyUI's own kind of upscaler in tiles, the first of them too large for the memory."""
    import torch
    from spandrel import ModelLoader
    from spandrel.architectures.Compact import Compact

    network = Compact(num_feat=4, num_conv=1, upscale=2)
    for weight in network.parameters():
        torch.nn.init.zeros_(weight)  # what is left is the shortcut, which repeats pixels
    descriptor = ModelLoader().load_from_state_dict(network.state_dict()).eval()
    sides = []

    def scarce(module, inputs):
        sides.append(max(inputs[0].shape[2:]))
        if sides[-1] > 300:
            raise torch.cuda.OutOfMemoryError

    descriptor.model.register_forward_pre_hook(scarce)
    picture = torch.rand(1, 3, 320, 400)
    with host.upscale_models.on_device(descriptor):
        larger = host.upscale_models.upscale(descriptor, picture)
    wanted = picture.repeat_interleave(2, 2).repeat_interleave(2, 3)
    return {"sides": [sides[0], max(sides[1:])], "off": float((larger - wanted).abs().max())}


def try_folders(host, base: Path) -> dict:
    """List weights of FaceLoom's and another pack's folder."""
    for name in ("models/faceloom/a.safetensors", "models/insightface/models/b.onnx"):
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        (base / name).touch()
    return {
        "files": host.folders.model_files(),
        "found": str(host.folders.find_model("models/b.onnx").relative_to(base)),
        "input": str(host.folders.input_dir().relative_to(base)),
        "output": str(host.folders.output_dir().relative_to(base)),
    }


async def examine(pack: Path, base: Path) -> dict:
    """Load the pack as ComfyUI does and collect the report."""
    import nodes

    core = set(nodes.NODE_CLASS_MAPPINGS)
    loaded = await nodes.load_custom_node(str(pack))
    found = {name: node for name, node in nodes.NODE_CLASS_MAPPINGS.items() if name not in core}
    root = str(pack).replace(".", "_x_")
    host = SimpleNamespace(**{name: import_module(f"{root}.host.{name}") for name in MODULES})
    api = host.node_api
    probe = probe_node(api.io, api.schema, api.advanced)
    return {
        "loaded": loaded,
        "nodes": {name: describe(node) for name, node in found.items()},
        "probe": describe(probe),
        "probe_run": run_probe(probe, api.io),
        "devices": [str(host.device.compute_device()), str(host.device.intermediate_device())],
        "memory": try_memory(host),
        "progress": try_progress(host),
        "upscaling": try_upscaling(host),
        "folders": try_folders(host, base),
    }


if __name__ == "__main__":
    checkout, pack_folder, base_folder, report = sys.argv[1:]
    sys.argv[1:] = ["--cpu", "--base-directory", base_folder]
    sys.path.insert(0, checkout)
    import comfy.options

    comfy.options.enable_args_parsing()
    # As main.py does: `nodes` puts the folder comfy, with another utils, before the checkout.
    import_module("utils.extra_config")
    result = asyncio.run(examine(Path(pack_folder), Path(base_folder)))
    Path(report).write_text(json.dumps(result))
