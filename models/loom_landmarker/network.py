"""FaceLoom's own landmarker: 468 points on a face crop, and whether there is a face at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from ..blocks import strided_stages

INPUT = 128
POINTS = 468


class LoomLandmarkerNetwork(nn.Module):
    """Strided convolutions with residual blocks, then two linear layers.

    The last linear layer is a shape basis: training begins with the principal components of the
    labels in it.

    Args:
        widths: channels of each stage; every stage begins by halving the size.
        blocks: residual blocks of each stage.
        hidden: how many numbers describe a face before they become points.
    """

    def __init__(self, widths: Sequence[int], blocks: Sequence[int], hidden: int) -> None:
        super().__init__()
        self.stages = nn.Sequential(*strided_stages(widths, blocks))
        last = INPUT >> len(widths)
        self.describe = nn.Linear(widths[-1] * last * last, hidden)
        self.shape = nn.Linear(hidden, 3 * POINTS)
        self.confidence = nn.Linear(widths[-1] * last * last, 1)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Run the network.

        Args:
            crops: [N, 3, 128, 128] RGB 0..1.

        Returns:
            Points [N, 468, 3] in crop pixels, the third column depth in the same scale, nearer is
            less; and [N] the logit that the crop holds a face.
        """
        features = cast(Tensor, self.stages(4 * crops - 2)).flatten(1)
        points = self.shape(self.describe(features)).reshape(-1, POINTS, 3)
        middle = torch.tensor([0.5, 0.5, 0.0], device=points.device)
        return (points + middle) * INPUT, self.confidence(features)[:, 0]
