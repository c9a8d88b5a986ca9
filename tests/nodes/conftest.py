"""Three frames of two drawn faces, the middle one empty, and their crops."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

import pytest
import torch
from torch import nn

from faceloom.host.memory import Hosted
from faceloom.models.style_codes import StyleCodes
from faceloom.nodes import AlignFaces, chunks
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


@dataclass(frozen=True, eq=False)
class Dyer:
    """A style swapper whose codes are colours.

    Codes 0 and 1 are the target's mean colour, 2 and 3 the source's. Its picture shows code 2 in
    the left half and code 3 in the right one.
    """

    network: nn.Module = field(default_factory=nn.Identity)
    seen: list = field(default_factory=list)
    regions: tuple = ()
    size: int = CROP
    templates: tuple = ("ffhq_512",)
    identity: range = range(2, 4)
    name: ClassVar[str] = "dyer"
    role: ClassVar[str] = "swapper"
    licence: ClassVar[str] = "none"

    @property
    def mean(self):
        return (torch.full((1, 3), 0.5),) * 4

    def encode(self, target, *sources):
        self.seen.append((target, *sources))
        own, *others = (each.image.mean((2, 3)) for each in (target, *sources))
        return tuple(StyleCodes((own, own, other, other)) for other in others)

    def generate(self, codes, features=False):
        left, right = (code[:, :, None, None] for code in codes.codes[2:])
        half = (self.size, self.size // 2)
        picture = torch.cat([left.expand(-1, -1, *half), right.expand(-1, -1, *half)], 3)
        return picture, (left, right) if features else ()


class MaskingDyer(Dyer):
    """Predicts a mask as grey as the first channel of the first map, with a white left quarter."""

    def predict_mask(self, features):
        grey = features[0][:, :1, :1, :1].expand(-1, -1, 256, 256).clone()
        grey[..., :64] = 1
        return grey


@pytest.fixture
def dyer():
    return Dyer()


def dyed(crops, *colours):
    """The same crops, each all of one colour."""
    image = torch.tensor(colours)[:, :, None, None].expand_as(crops.image)
    return replace(crops, image=image)


def halves(crops):
    """Colours of the left and of the right half."""
    return [crops.image[:, :, CROP // 2, x].tolist() for x in (4, CROP - 4)]


@pytest.fixture(autouse=True)
def eight_at_once(monkeypatch):
    """Pieces of long batches as a GPU gets them; the workflows' tests have those of a CPU."""
    monkeypatch.setattr(chunks, "chunk_size", lambda: 8)
