"""Checks of inputs that several nodes share; each message names the node and what to connect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor

from ..faces import Crops, Faces
from ..host.images import frames_from_image, mask_from_masks, masks_from_mask
from ..models import Blender, Inpainter, Refiner, StyleSwapper, Swapper
from ..ops.geometry import transform_points
from ..ops.landmark_sets import IRIS_MESH, MESH, convert_landmarks
from ..ops.masks import fit_mask

Stage = TypeVar("Stage", Blender, Inpainter)


@contextmanager
def naming(node: str) -> Iterator[None]:
    """Put the node's name before errors of code that cannot know it.

    Raises:
        ValueError: instead of a ValueError or TypeError of the block.
    """
    try:
        yield
    except (TypeError, ValueError) as error:
        raise ValueError(f"{node}: {error}") from error


def frames_of(faces: Faces, image: Tensor, node: str) -> Tensor:
    """The frames [B,3,H,W] that `faces` were found in.

    Raises:
        ValueError: the image is not the batch the faces came from.
    """
    frames = frames_from_image(image, node)
    height, width = faces.image_size
    if frames.shape[0] != faces.frames or tuple(frames.shape[2:]) != faces.image_size:
        raise ValueError(
            f"{node}: image holds {frames.shape[0]} frames of "
            f"{frames.shape[3]}x{frames.shape[2]}, but the faces were found in {faces.frames} "
            f"frames of {width}x{height}. Connect the image that Detect Faces was given."
        )
    return frames


def landmarks_of(crops: Crops, node: str) -> Tensor:
    """Landmarks [N,L,2|3] of the crops' faces, in pixels of the crops; a mesh without irises.

    Raises:
        ValueError: the faces carry no landmarks.
    """
    landmarks = crops.faces.landmarks
    if landmarks is None and len(crops):
        raise ValueError(
            f"{node}: these crops carry no landmarks. Put Find Landmarks between "
            "Detect Faces and Align Faces."
        )
    if landmarks is None:
        return crops.matrix.new_zeros(0, MESH, 3)
    if landmarks.shape[1] == IRIS_MESH:
        landmarks = convert_landmarks(landmarks, MESH)
    return transform_points(crops.matrix, landmarks.to(crops.device))


def mask_of(crops: Crops, mask: Tensor | None, node: str) -> Tensor:
    """The mask [N,1,S,S] to work in: the given MASK resized to the crops, else the crops' own.

    Raises:
        ValueError: the number of masks is neither one nor that of the crops.
    """
    count, size = len(crops), crops.size
    if mask is None:
        return crops.image.new_ones(count, 1, size, size) if crops.mask is None else crops.mask
    masks = masks_from_mask(mask, node).to(crops.device)
    if count and len(masks) not in (1, count):
        raise ValueError(
            f"{node}: mask holds {len(masks)} masks for {count} crops. "
            "Give one mask, or one for each crop."
        )
    return fit_mask(masks[:1] if len(masks) != count else masks, size).expand(count, -1, -1, -1)


def mask_output(masks: Tensor) -> Tensor:
    """MASK of the masks [N,1,S,S] of crops; of no crop one black mask, as others choke on none."""
    masks = masks if len(masks) else masks.new_zeros(1, 1, *masks.shape[2:])
    return mask_from_masks(masks)


def check_pair(crops: Crops, target: Crops, node: str) -> Crops:
    """The target's crops on the device of `crops`, one for each of them.

    Raises:
        ValueError: the two differ in number, size or alignment.
    """
    if (len(crops), crops.size) != (len(target), target.size):
        raise ValueError(
            f"{node}: crops holds {len(crops)} crops of {crops.size} px, target "
            f"{len(target)} of {target.size} px. Connect the crops that the swap was made for."
        )
    target = target.to(crops.device)
    if not torch.allclose(crops.matrix, target.matrix, atol=1e-3, equal_nan=True):
        raise ValueError(
            f"{node}: crops and target were not cut from the same places. "
            "Connect the Align Faces of the target picture to target."
        )
    return target


def check_crops(
    network: Swapper | StyleSwapper | Refiner, crops: Crops, templates: Sequence[str], node: str
) -> None:
    """Refuse crops of another size than the network's, or aligned otherwise.

    Args:
        network: what is to look at them.
        crops: any number of crops, also none.
        templates: the alignments that will do, the best one first.
        node: who asks, for the error.

    Raises:
        ValueError: naming what came and what is wanted.
    """
    if crops.size == network.size and crops.template in templates:
        return
    wanted = f"{network.size} px aligned to {' or '.join(templates[:2])}"
    raise ValueError(
        f"{node}: {network.name} wants crops of {wanted}; got {crops.size} px aligned to "
        f"{crops.template}. Set size and template in Align Faces."
    )


def fitting(network: Stage, crops: Crops, node: str) -> Stage:
    """Give a network back that takes crops of this size, in any alignment.

    Raises:
        ValueError: it takes only ones of another size.
    """
    if network.size in (0, crops.size) or not len(crops):
        return network
    raise ValueError(
        f"{node}: {network.name} wants crops of {network.size} px, got {crops.size} px. Set "
        "that in Align Faces."
    )
