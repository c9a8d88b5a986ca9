"""ComfyUI's nodes that read and write pictures: same ids, inputs, outputs and results."""

# The methods are the node API's.
# ruff: noqa: D102

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from torch import Tensor

from ..host import session
from ..host.node_api import io, schema
from .images import read_image, read_mask
from .saving import save_frames

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")
PREVIEW_FOLDER = "preview"


def find_picture(name: str) -> Path:
    """Find a picture by a path from here, or by a name in the input folder.

    The suffixes of ComfyUI's own folders, as in "a.png [output]", are understood.
    """
    now = session.current()
    folders = {
        " [input]": now.input_dir,
        " [output]": now.output_dir,
        " [temp]": now.output_dir / PREVIEW_FOLDER,
    }
    for suffix, folder in folders.items():
        if name.endswith(suffix):
            return folder / name.removesuffix(suffix)
    path = Path(name).expanduser()
    return path if path.is_file() else now.input_dir / path


def _picture_input() -> Any:
    folder = session.current().input_dir
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    pictures = [name for name in names if name.lower().endswith(PICTURES)]
    return io.Combo.Input("image", options=pictures, upload=io.UploadType.image)


def _judge_picture(image: str) -> bool | str:
    if find_picture(image).is_file():
        return True
    folder = session.current().input_dir
    return f"there is no picture {image!r}, neither here nor in the input folder {folder}"


def _fingerprint(image: str) -> str:
    return hashlib.sha256(find_picture(image).read_bytes()).hexdigest()


class LoadImage(io.ComfyNode):
    """Read a picture."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="LoadImage",
            display_name="Load Image",
            category="image",
            inputs=[_picture_input()],
            outputs=[io.Image.Output(), io.Mask.Output()],
        )

    @classmethod
    def execute(cls, image: str) -> io.NodeOutput:
        return io.NodeOutput(*read_image(find_picture(image)))

    @classmethod
    def validate_inputs(cls, image: str) -> bool | str:
        return _judge_picture(image)

    @classmethod
    def fingerprint_inputs(cls, image: str) -> str:
        return _fingerprint(image)


class LoadImageMask(io.ComfyNode):
    """Read one channel of a picture as a mask."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        channels = ["alpha", "red", "green", "blue"]
        return schema(
            node_id="LoadImageMask",
            display_name="Load Image (as Mask)",
            category="mask",
            inputs=[_picture_input(), io.Combo.Input("channel", options=channels)],
            outputs=[io.Mask.Output()],
        )

    @classmethod
    def execute(cls, image: str, channel: str) -> io.NodeOutput:
        return io.NodeOutput(read_mask(find_picture(image), channel))

    @classmethod
    def validate_inputs(cls, image: str) -> bool | str:
        return _judge_picture(image)

    @classmethod
    def fingerprint_inputs(cls, image: str, channel: str) -> str:
        return _fingerprint(image)


def _save(
    node: type[io.ComfyNode], images: Tensor, folder: Path, prefix: str, kind: str
) -> io.NodeOutput:
    # The workflow travels in the picture, so that dropping it on ComfyUI's page opens it again.
    chunks = {"prompt": node.hidden.prompt} | (node.hidden.extra_pnginfo or {})
    texts = {key: json.dumps(value) for key, value in chunks.items() if value is not None}
    level = 1 if kind == "temp" else 4
    saved = save_frames(images, folder, prefix, texts, level)
    return io.NodeOutput(ui={"images": [entry | {"type": kind} for entry in saved]})


class SaveImage(io.ComfyNode):
    """Write pictures into the output folder."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SaveImage",
            display_name="Save Image",
            category="image",
            inputs=[
                io.Image.Input("images"),
                io.String.Input("filename_prefix", default="ComfyUI"),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, images: Tensor, filename_prefix: str) -> io.NodeOutput:
        return _save(cls, images, session.current().output_dir, filename_prefix, "output")


class PreviewImage(io.ComfyNode):
    """Write pictures into the preview folder inside the output folder."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="PreviewImage",
            display_name="Preview Image",
            category="image",
            inputs=[io.Image.Input("images")],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, images: Tensor) -> io.NodeOutput:
        folder = session.current().output_dir / PREVIEW_FOLDER
        return _save(cls, images, folder, "ComfyUI_temp", "temp")
