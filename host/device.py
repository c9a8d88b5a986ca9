"""Where tensors live: the device for work, and the one for what travels on IMAGE and MASK wires."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor

from . import inside_comfyui, session


def compute_device() -> torch.device:
    """Give the device for networks and tensor work."""
    if inside_comfyui():
        from comfy import model_management

        device: torch.device = model_management.get_torch_device()
        return device
    return session.current().device


def intermediate_device() -> torch.device:
    """Give the device for IMAGE and MASK: the CPU, unless ComfyUI was started with --gpu-only."""
    if inside_comfyui():
        from comfy import model_management

        device: torch.device = model_management.intermediate_device()
        return device
    return torch.device("cpu")


def intermediate_dtype() -> torch.dtype:
    """Give the dtype for IMAGE and MASK: float32, unless a newer ComfyUI was told otherwise."""
    if inside_comfyui():
        from comfy import model_management

        # Not in 0.8.0.
        chosen = getattr(model_management, "intermediate_dtype", None)
        if chosen is not None:
            dtype: torch.dtype = chosen()
            return dtype
    return torch.float32


def half_precision() -> AbstractContextManager[Any]:
    """Let networks compute in half precision where that is faster and the host allows it.

    Within it matrix products and convolutions run in float16 on a GPU (`torch.autocast`), unless
    ComfyUI was started with --force-fp32 or finds the card unfit; on a CPU nothing changes.
    Weights and what a network gives stay as they are: results may be float16.
    """
    device = compute_device()
    allowed = device.type == "cuda"
    if allowed and inside_comfyui():
        from comfy import model_management

        allowed = model_management.should_use_fp16(device)
    return torch.autocast(device.type, torch.float16, enabled=allowed)


def to_intermediate(tensor: Tensor) -> Tensor:
    """Move a tensor to where, and into the dtype in which, the host wants IMAGE and MASK."""
    return tensor.to(device=intermediate_device(), dtype=intermediate_dtype())
