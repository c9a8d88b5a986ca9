"""ComfyUI's own nodes that ordinary workflows lean on: same ids, inputs, outputs and results."""

# The methods are the node API's.
# ruff: noqa: D102

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from torch import Tensor

from ..host import session
from ..host.node_api import io, schema
from . import composite
from .images import read_image, read_mask, save_frames

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")
PREVIEW_FOLDER = "preview"
LARGEST_SIDE = 16384
METHODS = ["nearest-exact", "bilinear", "area", "bicubic", "lanczos"]


def _find_picture(name: str) -> Path:
    """Find a picture by a path from here, or by a name in the input folder.

    ComfyUI's suffixes for its folders, as in "a.png [output]", are understood. Any path may be
    read, because the command line names pictures by path. Below the input folder backslashes
    separate too, because workflows travel.
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
    return path if path.is_file() else now.input_dir / name.replace("\\", "/")


def _picture_input() -> io.Input:
    folder = session.current().input_dir
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    pictures = [name for name in names if name.lower().endswith(PICTURES)]
    return io.Combo.Input("image", options=pictures, upload=io.UploadType.image)


class _PictureReader(io.ComfyNode):
    """What the nodes share whose input `image` names a file."""

    @classmethod
    def validate_inputs(cls, image: str) -> bool | str:
        if _find_picture(image).is_file():
            return True
        folder = session.current().input_dir
        return (
            f"there is no picture {image!r}, neither here nor in the folder {str(folder)!r}; "
            "name one with -i NODE.image=PATH"
        )

    @classmethod
    def fingerprint_inputs(cls, image: str) -> str:
        return hashlib.sha256(_find_picture(image).read_bytes()).hexdigest()


class LoadImage(_PictureReader):
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
        return io.NodeOutput(*read_image(_find_picture(image)))


class LoadImageMask(_PictureReader):
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
        return io.NodeOutput(read_mask(_find_picture(image), channel))


def _save(
    node: type[io.ComfyNode], images: Tensor, folder: Path, prefix: str, kind: str
) -> io.NodeOutput:
    # The workflow travels in the picture, so that dropping it on ComfyUI's page opens it again.
    chunks = {"prompt": node.hidden.prompt} | (node.hidden.extra_pnginfo or {})
    texts = {key: json.dumps(value) for key, value in chunks.items() if value is not None}
    saved = save_frames(images, folder, prefix, texts)
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


class ImageScale(io.ComfyNode):
    """Resize pictures; a side of 0 follows from the other."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="ImageScale",
            display_name="Upscale Image",
            category="image/upscaling",
            inputs=[
                io.Image.Input("image"),
                io.Combo.Input("upscale_method", options=METHODS),
                io.Int.Input("width", default=512, min=0, max=LARGEST_SIDE, step=1),
                io.Int.Input("height", default=512, min=0, max=LARGEST_SIDE, step=1),
                io.Combo.Input("crop", options=["disabled", "center"]),
            ],
            outputs=[io.Image.Output()],
        )

    @classmethod
    def execute(
        cls, image: Tensor, upscale_method: str, width: int, height: int, crop: str
    ) -> io.NodeOutput:
        if width == 0 and height == 0:
            return io.NodeOutput(image)
        width = width or max(1, round(image.shape[2] * height / image.shape[1]))
        height = height or max(1, round(image.shape[1] * width / image.shape[2]))
        frames = image.movedim(-1, 1)
        if crop == "center":
            frames = composite.crop_to_aspect(frames, width, height)
        return io.NodeOutput(composite.resize(frames, width, height, upscale_method).movedim(1, -1))


class ImageBatch(io.ComfyNode):
    """Put two batches of pictures one behind the other."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="ImageBatch",
            display_name="Batch Images",
            category="image",
            inputs=[io.Image.Input("image1"), io.Image.Input("image2")],
            outputs=[io.Image.Output()],
            is_deprecated=True,
        )

    @classmethod
    def execute(cls, image1: Tensor, image2: Tensor) -> io.NodeOutput:
        return io.NodeOutput(composite.batch(image1, image2))


class ImageCompositeMasked(io.ComfyNode):
    """Lay pictures onto others through a mask."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="ImageCompositeMasked",
            display_name="ImageCompositeMasked",
            category="image",
            inputs=[
                io.Image.Input("destination"),
                io.Image.Input("source"),
                io.Int.Input("x", default=0, min=0, max=LARGEST_SIDE, step=1),
                io.Int.Input("y", default=0, min=0, max=LARGEST_SIDE, step=1),
                io.Boolean.Input("resize_source", default=False),
                io.Mask.Input("mask", optional=True),
            ],
            outputs=[io.Image.Output()],
        )

    @classmethod
    def execute(
        cls,
        destination: Tensor,
        source: Tensor,
        x: int,
        y: int,
        resize_source: bool,
        mask: Tensor | None = None,
    ) -> io.NodeOutput:
        return io.NodeOutput(composite.lay_over(destination, source, x, y, resize_source, mask))


class InvertMask(io.ComfyNode):
    """Swap inside and outside."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="InvertMask",
            display_name="InvertMask",
            category="mask",
            inputs=[io.Mask.Input("mask")],
            outputs=[io.Mask.Output()],
        )

    @classmethod
    def execute(cls, mask: Tensor) -> io.NodeOutput:
        return io.NodeOutput(1.0 - mask)


class MaskToImage(io.ComfyNode):
    """Show a mask in grey."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="MaskToImage",
            display_name="Convert Mask to Image",
            category="mask",
            inputs=[io.Mask.Input("mask")],
            outputs=[io.Image.Output()],
        )

    @classmethod
    def execute(cls, mask: Tensor) -> io.NodeOutput:
        pixels = mask.reshape(-1, *mask.shape[-2:], 1)
        return io.NodeOutput(pixels.expand(-1, -1, -1, 3))


CORE_NODES: list[type[io.ComfyNode]] = [
    LoadImage,
    LoadImageMask,
    SaveImage,
    PreviewImage,
    ImageScale,
    ImageBatch,
    ImageCompositeMasked,
    InvertMask,
    MaskToImage,
]
