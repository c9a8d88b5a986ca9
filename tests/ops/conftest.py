from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from faceloom.ops.landmark_sets import landmark_set
from faceloom.ops.rotation import euler_to_matrix

SIZE = 128
SKIN = (0.75, 0.55, 0.45)


@pytest.fixture(scope="session")
def posed():
    """Makes the mean face [1, 468, 3] in the middle of a crop, turned by degrees."""

    def make(yaw=0.0, pitch=0.0, roll=0.0, size=SIZE) -> Tensor:
        angles = torch.tensor([yaw, pitch, roll]) * math.pi / 180
        turned = landmark_set(468).mean @ euler_to_matrix(angles).mT
        return (turned * 0.28 * size + size / 2)[None]

    return make


@pytest.fixture(scope="session")
def skin():
    """A crop [1, 3, S, S] of skin under a broad light, with pores."""
    pores = torch.randn(1, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(0)) * 0.02
    light = torch.linspace(-0.06, 0.06, SIZE)
    return (torch.tensor(SKIN)[:, None, None] + pores + light).clamp(0, 1)
