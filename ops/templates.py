"""Where the five face points go in an aligned crop: one table of published templates."""

from __future__ import annotations

import torch
from torch import Tensor

Template = tuple[tuple[float, float], ...]


def _per_pixel(size: int, *points: tuple[float, float]) -> Template:
    return tuple((x / size, y / size) for x, y in points)


TEMPLATES: dict[str, Template] = {
    "arcface_112_v1": (
        (0.35473214, 0.45658929),
        (0.64526786, 0.45658929),
        (0.50000000, 0.61154464),
        (0.37913393, 0.77687500),
        (0.62086607, 0.77687500),
    ),
    "arcface_112_v2": (
        (0.34191607, 0.46157411),
        (0.65653393, 0.45983393),
        (0.50022500, 0.64050536),
        (0.37097589, 0.82469196),
        (0.63151696, 0.82325089),
    ),
    # arcface_112_v2 moved 8 px to the right on a canvas of 128; inswapper and its kin use it.
    "arcface_128": (
        (0.36167656, 0.40387734),
        (0.63696719, 0.40235469),
        (0.50019687, 0.56044219),
        (0.38710391, 0.72160547),
        (0.61507734, 0.72034453),
    ),
    "dfl_whole_face": (
        (0.35342266, 0.39285716),
        (0.62797622, 0.39285716),
        (0.48660713, 0.54017860),
        (0.38839287, 0.68750011),
        (0.59821427, 0.68750011),
    ),
    "ffhq_512": (
        (0.37691676, 0.46864664),
        (0.62285697, 0.46912813),
        (0.50123859, 0.61331904),
        (0.39308822, 0.72541100),
        (0.61150205, 0.72490465),
    ),
    "mtcnn_512": (
        (0.36562865, 0.46733799),
        (0.63305391, 0.46585885),
        (0.50019127, 0.61942959),
        (0.39032951, 0.77598822),
        (0.61178945, 0.77476328),
    ),
    "styleganex_384": (
        (0.42353745, 0.52289879),
        (0.57725008, 0.52319972),
        (0.50123859, 0.61331904),
        (0.43364461, 0.68337652),
        (0.57015325, 0.68306005),
    ),
    # GHOST chooses the one of these five that fits best, so that profiles align too.
    "ghost_left_profile": _per_pixel(
        112,
        (51.642, 50.115),
        (57.617, 49.990),
        (35.740, 69.007),
        (51.157, 89.050),
        (57.025, 89.702),
    ),
    "ghost_left_three_quarter": _per_pixel(
        112,
        (45.031, 50.118),
        (65.568, 50.872),
        (39.677, 68.111),
        (45.177, 86.190),
        (64.246, 86.758),
    ),
    "ghost_frontal": _per_pixel(
        112,
        (39.730, 51.138),
        (72.270, 51.138),
        (56.000, 68.493),
        (42.463, 87.010),
        (69.537, 87.010),
    ),
    "ghost_right_three_quarter": _per_pixel(
        112,
        (46.845, 50.872),
        (67.382, 50.118),
        (72.737, 68.111),
        (48.167, 86.758),
        (67.236, 86.190),
    ),
    "ghost_right_profile": _per_pixel(
        112,
        (54.796, 49.990),
        (60.771, 50.115),
        (76.673, 69.007),
        (55.388, 89.702),
        (61.257, 89.050),
    ),
}
"""Name -> left eye, right eye, nose tip, left and right mouth corner (the image's left and right);
(x, y) as fractions of the crop's side."""

POSE_TEMPLATES: tuple[str, ...] = (
    "ghost_left_profile",
    "ghost_left_three_quarter",
    "ghost_frontal",
    "ghost_right_three_quarter",
    "ghost_right_profile",
)
"""GHOST's pose templates, from the profile that looks left to the one that looks right."""

BEST_POSE = "ghost_best_pose"
"""What crops are called that were each aligned to the best of `POSE_TEMPLATES`."""


def template_points(name: str, size: int, device: torch.device | str = "cpu") -> Tensor:
    """Give a template's five points in a crop of `size` pixels.

    Args:
        name: a key of `TEMPLATES`.
        size: side of the crop in pixels.
        device: where the result lives.

    Returns:
        [5, 2] float32 (x, y) in crop pixels; the crop spans [0, size] x [0, size].

    Raises:
        ValueError: no template has that name.
    """
    if name not in TEMPLATES:
        raise ValueError(
            f"No alignment template is called {name!r}; choose one of {', '.join(TEMPLATES)}."
        )
    return torch.tensor(TEMPLATES[name], dtype=torch.float32, device=device) * size
