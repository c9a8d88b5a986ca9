"""FSA-Net as a measurer of head pose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ...faces import Faces
from ...ops.head_pose import to_degrees
from ...ops.rotation import euler_to_matrix, matrix_to_euler
from ...ops.warp import crop
from ..frames import check_frames
from ..roles import Role
from ..squares import square_about_box
from .network import INPUT

MARGIN = 1.4
"""Side of the crop as a multiple of the box's longer side."""


@dataclass(frozen=True, eq=False)
class FSANet:
    """A `HeadPose` for yaws of up to about 75 degrees and heads turned in the plane at will.

    The network itself is lost beyond some 30 degrees of roll, so it sees the eyes level, and their
    angle is added to what it says. Measured on 238 portraits and their copies turned by 25 degrees:
    that halves how far yaw and pitch scatter from one to the other.
    """

    network: nn.Module
    """Maps crops [N, 3, 64, 64] BGR -1..1 to yaw, pitch and roll in degrees."""
    name: ClassVar[str] = "fsanet"
    role: ClassVar[Role] = "head pose"
    licence: ClassVar[str] = "MIT"

    @torch.no_grad()
    def pose(self, frames: Tensor, faces: Faces) -> Tensor:
        """Measure the pose of faces; see `HeadPose.pose`."""
        check_frames("FSA-Net", frames, faces)
        matrix = square_about_box(faces.box, faces.keypoints, INPUT, MARGIN)
        crops = crop(frames, matrix, faces.frame, INPUT).float().clamp(0, 1)
        # published as (x - 127.5) / 128 of 0..255
        angles = self.network((255 * crops.flip(1) - 127.5) / 128)
        # the matrix turns by minus the angle of the line between the eyes
        return in_our_axes(angles, torch.atan2(matrix[:, 0, 1], matrix[:, 0, 0]))


def in_our_axes(angles: Tensor, tilt: Tensor) -> Tensor:
    """Turn what the network says of a levelled crop into the pose in the frame.

    300W-LP, which it was trained on, turns a model by roll first, then yaw, then pitch
    (R = Rx Ry Rz); `ops.rotation` by pitch first and roll last, so that a picture that is turned
    changes the roll alone. Its yaw grows to the image's left.

    Args:
        angles: [N, 3] yaw, pitch and roll of the network, in degrees.
        tilt: [N] radians that the crop was turned back by.

    Returns:
        [N, 3] as `HeadPose.pose`.
    """
    yaw, pitch, roll = angles.deg2rad().unbind(1)
    zero = torch.zeros_like(yaw)
    # ops.rotation's positive pitch looks down
    turns = [(zero, -pitch, zero), (-yaw, zero, zero), (zero, zero, roll)]
    by_pitch, by_yaw, by_roll = (euler_to_matrix(torch.stack(turn, 1)) for turn in turns)
    euler = matrix_to_euler(by_pitch @ by_yaw @ by_roll)
    return to_degrees(torch.cat([euler[:, :2], euler[:, 2:] + tilt[:, None]], 1))
