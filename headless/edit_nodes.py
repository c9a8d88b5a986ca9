"""ComfyUI's nodes that change pictures: same ids, inputs, outputs and results."""

# The methods are the node API's.
# ruff: noqa: D102

from __future__ import annotations

from torch import Tensor

from ..host.node_api import io, schema
from . import composite

LARGEST_SIDE = 16384
METHODS = ["nearest-exact", "bilinear", "area", "bicubic", "lanczos"]


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
