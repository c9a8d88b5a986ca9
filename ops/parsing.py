"""Parsing maps: the classes of a parsed face, groups of them, and other packs' orders of them."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

CLASSES = (
    "background",
    "skin",
    "nose",
    "eyeglasses",
    "right eye",
    "left eye",
    "right brow",
    "left brow",
    "right ear",
    "left ear",
    "inner mouth",
    "upper lip",
    "lower lip",
    "hair",
    "hat",
    "earring",
    "necklace",
    "neck",
    "cloth",
)
"""What each map of a parsing shows, in CelebAMask-HQ's order.

Left and right are the image's here, as everywhere. CelebAMask-HQ calls class 4 `l_eye` because it
is the person's left one: in 1,786 of the 1,916 pairs of eyes and brows of 1,000 of its pictures it
lies on the image's right (in the other 130 the labels are swapped)."""

REGIONS: dict[str, tuple[str, ...]] = {
    "skin": ("skin",),
    "brows": ("left brow", "right brow"),
    "eyes": ("left eye", "right eye"),
    "nose": ("nose",),
    "lips": ("upper lip", "lower lip"),
    "inner_mouth": ("inner mouth",),
    "eyeglasses": ("eyeglasses",),
    "ears": ("left ear", "right ear"),
    "hair": ("hair",),
    "hat": ("hat",),
    "earrings": ("earring",),
    "neck": ("neck",),
    "necklace": ("necklace",),
    "cloth": ("cloth",),
    "background": ("background",),
}
"""Groups of classes that are chosen together; every class is in one of them."""

FACE = ("skin", "brows", "eyes", "nose", "lips", "inner_mouth")
"""The regions that are the face itself; all others, where they lie over it, cover it."""

_HIDDEN, _SEEN = 0.3, 0.7  # probability of the face to which nothing, and all, of it is in view

ORDERS: dict[str, tuple[int, ...]] = {
    "bisenet": (0, 1, 6, 7, 4, 5, 3, 8, 9, 15, 2, 10, 11, 12, 17, 16, 18, 13, 14),
}
"""For each class of a published network, its place in `CLASSES`.

bisenet: zllrunning's face-parsing.PyTorch, and yakhyo's, which was trained on the same labels."""

PALETTE: tuple[tuple[float, float, float], ...] = (
    (0.00, 0.00, 0.00),
    (0.95, 0.75, 0.60),
    (0.95, 0.50, 0.15),
    (0.25, 0.25, 0.95),
    (0.15, 0.85, 0.95),
    (0.10, 0.60, 0.95),
    (0.60, 0.40, 0.10),
    (0.45, 0.30, 0.05),
    (0.95, 0.45, 0.70),
    (0.80, 0.30, 0.60),
    (1.00, 1.00, 1.00),
    (0.95, 0.15, 0.25),
    (0.70, 0.05, 0.20),
    (0.50, 0.20, 0.70),
    (0.95, 0.90, 0.20),
    (0.75, 0.75, 0.30),
    (0.55, 0.95, 0.75),
    (0.55, 0.75, 0.40),
    (0.20, 0.50, 0.30),
)
"""RGB 0..1 of each of `CLASSES`, for previews."""


def region_mask(probabilities: Tensor, regions: Iterable[str]) -> Tensor:
    """Add up the probabilities of some regions.

    Args:
        probabilities: [N, 19, S, S] of `CLASSES`, which sum to 1.
        regions: keys of `REGIONS`; none at all gives an empty mask.

    Returns:
        [N, 1, S, S] in 0..1.

    Raises:
        ValueError: an unknown region, or probabilities of another shape.
    """
    _check(probabilities)
    regions = list(dict.fromkeys(regions))
    for region in regions:
        if region not in REGIONS:
            raise ValueError(f"Regions of a face are {', '.join(REGIONS)}; got '{region}'.")
    classes = [CLASSES.index(name) for region in regions for name in REGIONS[region]]
    return probabilities[:, classes].sum(1, keepdim=True).clamp(0, 1)


def hard_regions(probabilities: Tensor, regions: Iterable[str]) -> Tensor:
    """Tell where each of some regions is the likeliest class.

    Args:
        probabilities: [N, 19, S, S] of `CLASSES`.
        regions: R keys of `REGIONS`.

    Returns:
        [N, R, S, S] float32 of 0 and 1.

    Raises:
        ValueError: an unknown region, or probabilities of another shape.
    """
    likeliest = torch.zeros_like(probabilities).scatter_(1, probabilities.argmax(1, True), 1)
    return torch.cat([region_mask(likeliest, [region]) for region in regions], 1).float()


def visible_face(probabilities: Tensor) -> Tensor:
    """Tell where a face is in view, of parsings [N, 19, S, S]: [N, 1, S, S] in 0..1.

    What is probably the face counts as wholly so: a network's doubt is no transparency, and half
    a face laid over another one shows two.

    Raises:
        ValueError: probabilities of another shape.
    """
    return ((region_mask(probabilities, FACE) - _HIDDEN) / (_SEEN - _HIDDEN)).clamp(0, 1)


def reorder(probabilities: Tensor, order: str) -> Tensor:
    """Bring the maps of a published network into the order of `CLASSES`.

    Args:
        probabilities: [N, 19, S, S] in the network's order.
        order: a key of `ORDERS`.

    Returns:
        [N, 19, S, S].

    Raises:
        ValueError: an unknown order, or another shape.
    """
    _check(probabilities)
    if order not in ORDERS:
        raise ValueError(f"Orders of classes are {', '.join(ORDERS)}; got '{order}'.")
    places = torch.tensor(ORDERS[order], device=probabilities.device)
    return probabilities[:, places.argsort()]


def paint_classes(image: Tensor, probabilities: Tensor, strength: float = 0.6) -> Tensor:
    """Colour each pixel by its classes, over the picture; background stays as it is.

    Args:
        image: [N, 3, S, S] RGB 0..1.
        probabilities: [N, 19, S, S] of `CLASSES`.
        strength: of the colours, 0..1.

    Returns:
        [N, 3, S, S] RGB 0..1.

    Raises:
        ValueError: the shapes do not fit.
    """
    _check(probabilities)
    if image.shape != (len(probabilities), 3, *probabilities.shape[2:]):
        raise ValueError(
            f"Wanted a picture [N, 3, S, S] for probabilities {list(probabilities.shape)}, "
            f"got {list(image.shape)}."
        )
    palette = torch.tensor(PALETTE, dtype=image.dtype, device=image.device)
    colour = torch.einsum("nchw,cd->ndhw", probabilities, palette)
    shown = strength * (1 - probabilities[:, :1])
    return image * (1 - shown) + strength * colour


def _check(probabilities: Tensor) -> None:
    if probabilities.ndim != 4 or probabilities.shape[1] != len(CLASSES):
        raise ValueError(
            f"A parsing must have shape [N, {len(CLASSES)}, S, S], got {list(probabilities.shape)}."
        )
