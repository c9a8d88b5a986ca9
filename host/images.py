"""The border between ComfyUI's IMAGE and MASK and the package's NCHW tensors."""

from __future__ import annotations

import torch
from torch import Tensor

from .device import to_intermediate

# What counts as 1.0 in an integer tensor, which a careless pack may send.
WHITE = {torch.bool: 1, torch.uint8: 255, torch.int16: 32767, torch.uint16: 65535}
# Half precision's largest number. No picture needs more, and squares of 1e20 are infinite.
LARGEST = 65504.0


def frames_from_image(image: Tensor, node: str, name: str = "image") -> Tensor:
    """Turn an IMAGE into frames, where it is: a long clip need not fit the compute device.

    Args:
        image: [B,H,W,C] with C = 1 (grey, repeated), 3 or 4 (alpha ignored); floats, or integers
            that are scaled to 0..1. Values outside 0..1 (HDR) are kept.
        node: the node's display name, for messages.
        name: the input's name, for messages.

    Returns:
        [B,3,H,W] float32, perhaps a view of `image`: do not write into it.

    Raises:
        TypeError: `image` is not a tensor of floats or of 8- or 16-bit integers.
        ValueError: its shape is not an IMAGE's, or it holds NaN or values beyond 65504.
    """
    wanted = "a batch of pictures [B,H,W,C] with 1, 3 or 4 channels"
    advice = "connect an IMAGE, for example from Load Image"
    _check_tensor(image, f"{node}: {name} must be {wanted}", advice)
    if image.ndim != 4 or image.shape[-1] not in (1, 3, 4) or 0 in image.shape[1:]:
        raise ValueError(f"{node}: {name} must be {wanted}, got {list(image.shape)}; {advice}.")
    _check_values(image, node, name)
    channels = image[..., :3].permute(0, 3, 1, 2)
    return _unit_floats(channels).expand(-1, 3, -1, -1)


def image_from_frames(frames: Tensor) -> Tensor:
    """Turn frames [B,3,H,W] into an IMAGE [B,H,W,3] where the host wants it; values unchanged."""
    return to_intermediate(frames.permute(0, 2, 3, 1)).contiguous()


def masks_from_mask(mask: Tensor, node: str, name: str = "mask") -> Tensor:
    """Turn a MASK into masks, where it is.

    Args:
        mask: [B,H,W], or one [H,W]; floats, or integers that are scaled to 0..1.
        node: the node's display name, for messages.
        name: the input's name, for messages.

    Returns:
        [B,1,H,W] float32, limited to 0..1.

    Raises:
        TypeError: `mask` is not a tensor of floats or of 8- or 16-bit integers.
        ValueError: its shape is not a MASK's, or it holds NaN or values beyond 65504.
    """
    wanted = "a mask [H,W] or a batch of masks [B,H,W]"
    advice = "connect a MASK, or turn a picture into one with Convert Image to Mask"
    _check_tensor(mask, f"{node}: {name} must be {wanted}", advice)
    if mask.ndim not in (2, 3) or 0 in mask.shape[-2:]:
        raise ValueError(f"{node}: {name} must be {wanted}, got {list(mask.shape)}; {advice}.")
    _check_values(mask, node, name)
    return _unit_floats(mask).clamp(0, 1).reshape(-1, 1, *mask.shape[-2:])


def mask_from_masks(masks: Tensor) -> Tensor:
    """Turn masks [B,1,H,W] into a MASK [B,H,W] where the host wants it; values unchanged."""
    return to_intermediate(masks.squeeze(1)).contiguous()


def _check_tensor(value: object, problem: str, advice: str) -> None:
    if not isinstance(value, Tensor):
        raise TypeError(f"{problem}, got {type(value).__name__}; {advice}.")
    if not value.is_floating_point() and value.dtype not in WHITE:
        dtype = str(value.dtype).removeprefix("torch.")
        raise TypeError(f"{problem} of floats in 0..1, got {dtype}; {advice}.")


def _check_values(value: Tensor, node: str, name: str) -> None:
    # Two numbers instead of a boolean for each pixel of a long clip.
    if not value.is_floating_point() or value.numel() == 0:
        return
    if not (torch.stack(torch.aminmax(value)).abs() <= LARGEST).all():
        raise ValueError(
            f"{node}: {name} holds NaN or infinite values, or values beyond {LARGEST:g}; look at "
            "the node that made it (a VAE that decodes in half precision may do this)."
        )


def _unit_floats(value: Tensor) -> Tensor:
    floats = value.to(torch.float32)
    return floats if value.is_floating_point() else floats / WHITE[value.dtype]
