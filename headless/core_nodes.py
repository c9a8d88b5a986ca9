"""The nodes of ComfyUI's own that ordinary workflows lean on."""

from __future__ import annotations

from ..host.node_api import io
from .edit_nodes import ImageBatch, ImageCompositeMasked, ImageScale, InvertMask
from .file_nodes import LoadImage, LoadImageMask, PreviewImage, SaveImage

CORE_NODES: list[type[io.ComfyNode]] = [
    LoadImage,
    LoadImageMask,
    SaveImage,
    PreviewImage,
    ImageScale,
    ImageBatch,
    ImageCompositeMasked,
    InvertMask,
]
