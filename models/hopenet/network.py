"""Hopenet: yaw, pitch and roll of a face crop, each a distribution over bins of three degrees.

Ruiz, Chong, Rehg: "Fine-grained head pose estimation without keypoints", CVPR workshops 2018,
arXiv:1710.00925. Modules carry the key names of natanielruiz/deep-head-pose.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..retinaface.network import ResNet

INPUT = 224
"""Side of the crops that the published network was trained on."""
BINS = 66
_STEP, _LOWEST = 3, -99  # degrees


class HopenetNetwork(ResNet):
    """The whole network, under the published key names.

    Args:
        width: channels of the ResNet's stem.
        blocks: bottlenecks of each of its four layers.
    """

    def __init__(self, width: int, blocks: Sequence[int]) -> None:
        super().__init__(width, blocks)
        features = 32 * width
        self.fc_yaw = nn.Linear(features, BINS)
        self.fc_pitch = nn.Linear(features, BINS)
        self.fc_roll = nn.Linear(features, BINS)
        self.fc_finetune = nn.Linear(features + 3, 3)  # in the checkpoints, but not in use

    def forward(self, crops: Tensor) -> Tensor:  # type: ignore[override]
        """Measure the pose.

        Args:
            crops: [N, 3, H, W] RGB, in training 224 px.

        Returns:
            [N, 3] yaw, pitch and roll in degrees, -99..96, in the axes of the training data
            (300W-LP): the mean of each angle's bins, weighted by their probability.
        """
        features = super().forward(crops)[-1].mean((2, 3))
        heads = (self.fc_yaw, self.fc_pitch, self.fc_roll)
        likely = torch.stack([head(features) for head in heads], 1).softmax(2)
        bins = torch.arange(BINS, dtype=likely.dtype, device=likely.device)
        return (likely * bins).sum(2) * _STEP + _LOWEST
