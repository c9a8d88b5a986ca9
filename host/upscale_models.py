"""ComfyUI's UPSCALE_MODEL: what its Load Upscale Model gives, run as its own nodes run it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from . import inside_comfyui
from .device import compute_device

TILE, LEAST_TILE, OVERLAP = 512, 128, 32
# What ComfyUI itself reckons with for the activations of a tile, by the scale of the upscaler.
_TILE_BYTES = TILE * TILE * 3 * 4 * 384


@runtime_checkable
class UpscaleModel(Protocol):
    """What travels on an UPSCALE_MODEL wire: a `spandrel.ImageModelDescriptor`."""

    @property
    def model(self) -> nn.Module:
        """The network itself."""

    @property
    def architecture(self) -> Any:
        """What spandrel knows of it; its `id` is the architecture's name."""

    scale: int
    input_channels: int
    output_channels: int

    def to(self, device: torch.device | str) -> Any:
        """Move the network."""

    def __call__(self, image: Tensor) -> Tensor:
        """[1, C, H, W] in 0..1 -> [1, C, H * scale, W * scale] in 0..1, for any H and W."""


@contextmanager
def on_device(model: UpscaleModel) -> Iterator[None]:
    """Keep an upscaler on the compute device for the block; other models make room for it."""
    # ComfyUI 0.8.0 moves its upscalers itself, later ones leave them to a patcher.
    patcher = getattr(model, "patcher", None)
    if inside_comfyui():
        from comfy import model_management

        needed = _TILE_BYTES * max(model.scale, 1)
        if patcher is not None:
            model_management.load_models_gpu([patcher], needed, force_full_load=True)
        else:
            needed += model_management.module_size(model.model)
            model_management.free_memory(needed, compute_device())
    model.to(compute_device())
    try:
        yield
    finally:
        if patcher is None:
            model.to("cpu")


def upscale(model: UpscaleModel, images: Tensor) -> Tensor:
    """Enlarge pictures one by one; inside ComfyUI in tiles, smaller ones where memory runs out.

    Args:
        model: an upscaler for RGB, on the device of `images`.
        images: [N, 3, H, W] float32 RGB 0..1.

    Returns:
        [N, 3, H * scale, W * scale] float32 RGB 0..1.
    """
    run = _in_tiles if inside_comfyui() else _whole
    sides = [side * model.scale for side in images.shape[2:]]
    return torch.cat([images.new_zeros(0, 3, *sides), *(run(model, image) for image in images)])


def _whole(model: UpscaleModel, image: Tensor) -> Tensor:
    return model(image[None])


def _in_tiles(model: UpscaleModel, image: Tensor, tile: int = TILE) -> Tensor:
    from comfy.utils import tiled_scale

    try:
        result: Tensor = tiled_scale(
            image[None], model, tile, tile, OVERLAP, model.scale, output_device=image.device
        )
    except torch.cuda.OutOfMemoryError:
        if tile // 2 < LEAST_TILE:
            raise
    else:
        return result
    # Outside the handler, whose error still holds the tensors that filled the memory.
    return _in_tiles(model, image, tile // 2)
