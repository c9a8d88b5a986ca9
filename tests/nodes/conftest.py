"""Three frames of two drawn faces, the middle one empty, and their crops."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from faceloom.host.memory import Hosted
from faceloom.nodes import AlignFaces
from faceloom.ops.parsing import CLASSES

HEIGHT, WIDTH, CROP = 80, 128, 64
BOXES = [(8.0, 10.0, 52.0, 66.0), (72.0, 14.0, 118.0, 74.0)]


def align(image, faces, template="ffhq_512", size=CROP, margin=1.5):
    (crops,) = AlignFaces.execute(image, faces, template, size, margin).args
    return crops


@pytest.fixture
def image(world):
    frames = world.picture(HEIGHT, WIDTH, BOXES, frames=3, seed=1)
    frames[1] = torch.tensor([0.2, 0.4, 0.6])
    return frames


@pytest.fixture
def faces(world, image):
    """Four faces with landmarks, two in frame 0 and two in frame 2."""
    return world.faces(image)


@pytest.fixture
def crops(image, faces):
    return align(image, faces)


@pytest.fixture
def no_faces(world, image):
    return world.faces(image, empty_frames=range(3))


@pytest.fixture
def no_crops(image, no_faces):
    return align(image, no_faces)


@pytest.fixture
def source(world):
    """The crop of one face, redder than the others."""
    picture = world.picture(70, 60, [(10, 6, 50, 58)], seed=2) * torch.tensor([1.0, 0.7, 0.7])
    return align(picture, world.faces(picture))


@pytest.fixture
def bare_crops(crops):
    """The same crops without landmarks."""
    return replace(crops, faces=replace(crops.faces, landmarks=None))


@pytest.fixture
def few_points(crops):
    """The same crops with five landmarks a face, of no known mesh."""
    return replace(crops, faces=replace(crops.faces, landmarks=crops.faces.landmarks[:, :5]))


class FakeParser:
    """Sees hair above the middle, skin below it, and glasses in the crop's left eighth."""

    name, role, licence = "fake", "parser", "MIT"

    def __init__(self):
        self.network = nn.Identity()
        self.calls = []

    def parse(self, crops):
        self.calls.append(len(crops))
        size = crops.size
        parsing = torch.zeros(len(crops), 19, size, size)
        parsing[:, CLASSES.index("hair"), : size // 2] = 1
        parsing[:, CLASSES.index("skin"), size // 2 :] = 1
        parsing[:, :, :, : size // 8] = 0
        parsing[:, CLASSES.index("eyeglasses"), :, : size // 8] = 1
        return parsing


@pytest.fixture
def parser():
    return Hosted(FakeParser())
