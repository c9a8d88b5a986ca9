"""Hopenet as a measurer of head pose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ...faces import Faces
from ...ops.warp import crop
from ..frames import check_frames
from ..fsanet.adapter import in_our_axes
from ..roles import Role
from ..squares import square_about_box
from .network import INPUT

MARGIN = 1.2
"""Side of the crop as a multiple of the box's longer side, as FSGAN cuts it."""

Colour = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Hopenet:
    """A `HeadPose`: FSGAN's.

    It sees the eyes level, and their angle is added to what it says; FSGAN leaves its crops
    upright, but the bins end at 99 degrees of roll. A face whose eyes are level is cut as there.
    """

    network: nn.Module
    """Maps normalised crops [N, 3, 224, 224] RGB to yaw, pitch and roll in degrees."""
    mean: Colour = (0.5, 0.5, 0.5)
    """Taken off the crops' 0..1. The weights do not tell which: this is what FSGAN feeds its
    hopenet_robust_alpha1.pth. natanielruiz/deep-head-pose, whose files have the same keys, trained
    with ImageNet's (0.485, 0.456, 0.406); `dataclasses.replace` sets it, and `deviation`."""
    deviation: Colour = (0.5, 0.5, 0.5)
    """What the crops are divided by then; ImageNet's is (0.229, 0.224, 0.225)."""
    name: ClassVar[str] = "hopenet"
    role: ClassVar[Role] = "head pose"
    licence: ClassVar[str] = "Apache-2.0; trained on 300W-LP, a set for research"

    @torch.no_grad()
    def pose(self, frames: Tensor, faces: Faces) -> Tensor:
        """Measure the pose of faces; see `HeadPose.pose`."""
        check_frames("Hopenet", frames, faces)
        matrix = square_about_box(faces.box, faces.keypoints, INPUT, MARGIN)
        crops = crop(frames, matrix, faces.frame, INPUT, padding="zeros").float().clamp(0, 1)
        mean, deviation = (crops.new_tensor(x)[:, None, None] for x in (self.mean, self.deviation))
        angles = self.network((crops - mean) / deviation)
        # deep-head-pose draws its axes (`draw_axis` of its utils.py) as the columns of
        # Rx(pitch) Ry(-yaw) Rz(roll) in a space of x right, y down, z to the viewer. The nose's is
        # (-sin yaw, -cos yaw sin pitch): a positive yaw looks left, a positive pitch up; and roll
        # turns (1, 0) to (cos, sin), clockwise. Those are FSA-Net's axes, which learned from the
        # same 300W-LP.
        return in_our_axes(angles, torch.atan2(matrix[:, 0, 1], matrix[:, 0, 0]))
