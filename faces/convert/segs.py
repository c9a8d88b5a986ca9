"""Faces to and from the Impact Pack's SEGS, so that its detailers and filters work on our faces.

SEGS is `((H, W), [SEG, ...])` for one picture. Other packs match SEG by its field names alone,
so an equal named tuple of our own will do.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from ..faces import Faces
from .bounding_box import faces_from_boxes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Region = list[int]
"""x1, y1, x2, y2 in whole px, the last two outside."""


class SEG(NamedTuple):
    """One detected thing, with a part of the picture around it."""

    cropped_image: Tensor | None
    """[1, h, w, 3] float 0..1, or none."""
    cropped_mask: NDArray[np.float32]
    """[h, w], 0..1."""
    confidence: float
    crop_region: Region
    """Where the crop of h x w px is in the picture; always inside it."""
    bbox: tuple[float, ...]
    """x1, y1, x2, y2 px."""
    label: str
    control_net_wrapper: Any = None


Segs = tuple[tuple[int, int], list[SEG]]


def to_segs(
    faces: Faces, image: Tensor | None = None, crop_factor: float = 3.0, mask: Tensor | None = None
) -> Segs:
    """Give the faces of one picture as SEGS.

    Args:
        faces: faces of one frame.
        image: [1, H, W, C] float 0..1 as on an IMAGE wire, to be cropped into the SEGS.
        crop_factor: sides of the crop region over those of the box, at least 1.
        mask: [H, W] float 0..1 to intersect with the boxes.

    Returns:
        SEGS in the order of the faces, on the CPU; each mask is 1 inside the box, by pixel centre.

    Raises:
        ValueError: more frames than one, a picture or mask of another size, a factor below 1.
    """
    regions = [crop_region(box, faces.image_size, crop_factor) for box in faces.box.tolist()]
    return assemble_segs(faces, regions, image, mask)


def from_segs(segs: Any, frames: int = 1) -> Faces:
    """Read SEGS as faces; keypoints are estimated (`faces_from_boxes`).

    Args:
        segs: `((H, W), [SEG, ...])`; only bbox and confidence of a SEG are read.
        frames: number of frames; the SEGS of one picture apply to each of them.

    Raises:
        TypeError: `segs` has another layout.
        ValueError: a bbox does not hold four finite numbers.
    """
    image_size, found = _unpack(segs)
    rows = [(*_read_box(seg), float(seg.confidence)) for seg in found]
    table = torch.tensor(rows, dtype=torch.float32).reshape(len(rows), 5).repeat(frames, 1)
    frame = torch.arange(frames).repeat_interleave(len(rows))
    return faces_from_boxes(table[:, :4], table[:, 4], frame, image_size, frames)


def crop_region(box: list[float], image_size: tuple[int, int], crop_factor: float) -> Region:
    """Grow a box (x0, y0, x1, y1 px) about its centre, and shift or cut it into the picture.

    Raises:
        ValueError: `crop_factor` is below 1, so that the region would not hold the box.
    """
    if not crop_factor >= 1:
        raise ValueError(f"crop_factor must be 1 or more, got {crop_factor}.")
    height, width = image_size
    left, right = _grow_side(box[0], box[2], width, crop_factor)
    top, bottom = _grow_side(box[1], box[3], height, crop_factor)
    return [left, top, right, bottom]


def box_mask(box: list[float], region: Region, dilation: float = 0.0) -> Tensor:
    """Draw the part of a box that lies in a region.

    Args:
        box: x0, y0, x1, y1 px.
        region: the part of the picture to draw, of h x w px.
        dilation: px by which the sides of the box grow; negative ones shrink.

    Returns:
        [h, w] float32 on the CPU: 1 where the pixel's centre is inside the box, else 0.
    """
    left, top, right, bottom = region
    half = dilation / 2
    rows = _pixels(box[1] - half - top, box[3] + half - top)
    columns = _pixels(box[0] - half - left, box[2] + half - left)
    mask = torch.zeros(bottom - top, right - left)
    mask[rows, columns] = 1
    return mask


def assemble_segs(
    faces: Faces,
    regions: list[Region],
    image: Tensor | None = None,
    mask: Tensor | None = None,
    dilation: float = 0.0,
) -> Segs:
    """Put faces and their crop regions together as SEGS; arguments as of `to_segs`.

    Raises:
        ValueError: more frames than one, or a picture or mask of another size.
    """
    if faces.frames != 1:
        raise ValueError(
            f"SEGS describe one picture, but these faces are of {faces.frames} frames; "
            "select one frame first."
        )
    if mask is not None:
        _check_mask(mask, faces.image_size)
        mask = mask.to("cpu", torch.float32).clamp(0, 1)
    if image is not None:
        _check_image(image, faces.image_size)
        image = image[..., :3].cpu()
    found = []
    rows = zip(faces.box.tolist(), faces.score.tolist(), regions, strict=True)
    for box, score, region in rows:
        x1, y1, x2, y2 = region
        pixels = None if image is None else image[:, y1:y2, x1:x2].expand(-1, -1, -1, 3)
        part = box_mask(box, region, dilation)
        part = part if mask is None else part * mask[y1:y2, x1:x2]
        found.append(SEG(pixels, part.numpy(), score, region, tuple(box), "face"))
    return faces.image_size, found


def _grow_side(low: float, high: float, limit: int, factor: float) -> tuple[int, int]:
    centre, reach = (low + high) / 2, (high - low) / 2 * factor
    start, stop = math.floor(centre - reach), math.ceil(centre + reach)
    length = min(max(stop - start, 1), limit)
    start = min(max(start, 0), limit - length)
    return start, start + length


def _pixels(low: float, high: float) -> slice:
    """Pixels whose centres lie in low..high; slices of tensors must not start below 0."""
    return slice(max(math.ceil(low - 0.5), 0), max(math.ceil(high - 0.5), 0))


def _check_mask(mask: Tensor, image_size: tuple[int, int]) -> None:
    if mask.shape != image_size:
        raise ValueError(f"mask must have shape {list(image_size)}, got {list(mask.shape)}.")


def _check_image(image: Tensor, image_size: tuple[int, int]) -> None:
    wanted = (1, *image_size)
    if image.ndim != 4 or image.shape[:3] != wanted or image.shape[3] not in (1, 3, 4):
        text = ", ".join(map(str, wanted))
        raise ValueError(f"image must have shape [{text}, 3], got {list(image.shape)}.")


def _unpack(segs: Any) -> tuple[tuple[int, int], list[Any]]:
    fits = isinstance(segs, list | tuple) and len(segs) == 2
    fits = fits and isinstance(segs[0], list | tuple) and len(segs[0]) == 2
    if not fits or not isinstance(segs[1], list | tuple):
        size = f" of {len(segs)}" if isinstance(segs, list | tuple) else ""
        raise TypeError(f"SEGS must be ((H, W), [SEG, ...]), got {type(segs).__name__}{size}.")
    for seg in segs[1]:
        if not (hasattr(seg, "bbox") and hasattr(seg, "confidence")):
            raise TypeError(f"A SEG must have bbox and confidence, got {type(seg).__name__}.")
    return (int(segs[0][0]), int(segs[0][1])), list(segs[1])


def _read_box(seg: Any) -> tuple[float, ...]:
    box = tuple(map(float, seg.bbox))
    if len(box) != 4 or not all(map(math.isfinite, box)):
        raise ValueError(f"SEG.bbox must hold four finite numbers, got {box}.")
    return box
