"""Crops whose pixels are their number."""

from __future__ import annotations

import pytest
import torch

from faceloom.faces import Crops, Faces


@pytest.fixture
def crops_of():
    def make(count):
        number = torch.arange(count)
        corner = number[:, None] * 10.0 + torch.tensor([3.0, 5.0])
        faces = Faces(
            frame=number,
            box=torch.cat([corner, corner + 20], dim=1),
            score=torch.full((count,), 0.75),
            keypoints=corner[:, None] + torch.arange(10.0).view(5, 2),
            track=torch.full((count,), -1),
            image_size=(90, 120),
            frames=count,
        )
        image = number.float().view(-1, 1, 1, 1).expand(-1, 3, 8, 8)
        return Crops(image, torch.eye(2, 3).repeat(count, 1, 1), faces, "arcface_112_v2")

    return make
