"""The whole suite's options, and a small world that needs no weights: drawn faces, fake models."""

from __future__ import annotations

from typing import ClassVar

import pytest
import torch
from PIL import Image, ImageDraw
from torch import nn

from faceloom.faces import Faces
from faceloom.host.memory import Hosted
from faceloom.ops.geometry import transform_points
from faceloom.ops.landmark_sets import CONTOURS, landmark_set
from faceloom.ops.masks import hull_mask

SKIN, SHADE, DARK, RED = (200, 150, 125), (170, 120, 100), (50, 35, 30), (160, 60, 60)
PAINT = {"oval": SKIN, "nose": SHADE, "lips": RED, "inner_mouth": DARK}
PAINT |= dict.fromkeys(("left_eye", "right_eye", "left_brow", "right_brow"), DARK)
# Eyes (the middle of their corners), nose tip and mouth corners among the 468 points.
KEYPOINTS = ((33, 133), (263, 362), (1, 1), (61, 61), (291, 291))
HUES = {"red": (1.0, 0.4, 0.4), "green": (0.3, 1.0, 0.4), "blue": (0.3, 0.4, 1.0)}
KINDS = ("RGB", "RGBA", "grey", "half", "8-bit", "16-bit", "0..255", "negative", "bright")


def pytest_addoption(parser):
    parser.addoption(
        "--update-schemas",
        action="store_true",
        help="rewrite tests/nodes/schemas.json with the nodes as they are now",
    )


def pytest_configure():
    # The tensors here are small: on a busy machine threads that wait for each other cost tenfold.
    torch.set_num_threads(1)


def face_points(box):
    """The mean face's 468 points [468, 3] inside a box x0, y0, x1, y1."""
    x0, y0, x1, y1 = box
    mean = landmark_set(468).mean
    low, high = mean.amin(0), mean.amax(0)
    points = (mean - low) / (high - low)[0]
    points[:, 1] *= (y1 - y0) / (x1 - x0) * (high - low)[0] / (high - low)[1]
    return points * (x1 - x0) + torch.tensor([x0, y0, 0.0])


class World:
    """Pictures of faces at known places, and models that know the places by the pictures' size.

    A frame of one colour has no face; all others of a size have theirs at the same places.
    """

    def __init__(self):
        self.places: dict[tuple[int, int], list[tuple[float, ...]]] = {}

    def picture(self, height, width, boxes, frames=1, seed=0):
        """Draw an IMAGE [B, H, W, 3]: faces in front of a striped wall, and a little noise."""
        self.places[height, width] = list(boxes)
        canvas = Image.new("RGB", (width, height), (60, 90, 120))
        draw = ImageDraw.Draw(canvas)
        for x in range(0, width, 12):
            draw.rectangle((x, 0, x + 5, height), (80, 105, 120))
        for box in boxes:
            points = face_points(box)
            for name, colour in PAINT.items():
                draw.polygon([tuple(p) for p in points[list(CONTOURS[name]), :2].tolist()], colour)
        picture = torch.frombuffer(bytearray(canvas.tobytes()), dtype=torch.uint8).float() / 255
        random = torch.Generator().manual_seed(seed)
        noise = 0.02 * torch.randn(frames, height, width, 3, generator=random)
        return (picture.view(1, height, width, 3) + noise).clamp(0, 1)

    def dye(self, image, hues):
        """Colour the faces of an IMAGE, whose places are known: red, green or blue people."""
        dyed = image.clone()
        for (x0, y0, x1, y1), hue in zip(self.places[tuple(image.shape[1:3])], hues, strict=True):
            dyed[:, int(y0) : int(y1), int(x0) : int(x1)] *= torch.tensor(HUES[hue])
        return dyed

    def faces(self, image, landmarks=True, empty_frames=()):
        """The faces of an IMAGE; with landmarks, as Find Landmarks would leave them."""
        frames = image[..., :3].float().movedim(-1, 1).clone()
        frames[list(empty_frames)] = 0
        faces = FakeDetector(self).detect(frames, 0.0)
        return FakeLandmarker().find(frames, faces) if landmarks else faces


class FakeDetector:
    name: ClassVar[str] = "fake"
    role: ClassVar[str] = "detector"
    licence: ClassVar[str] = "MIT"

    def __init__(self, world):
        self.network = nn.Identity()
        self.world = world
        self.calls = []

    def detect(self, frames, threshold, size=640):
        self.calls.append((len(frames), threshold, size))
        count, height, width = len(frames), *frames.shape[2:]
        rows = [
            (frame, 0.9 - 0.1 * place, *box)
            for frame in range(count)
            if frames[frame].flatten(1).std(1).amax() > 1e-6
            for place, box in enumerate(self.world.places[height, width])
            if 0.9 - 0.1 * place >= threshold
        ]
        table = torch.tensor(rows).reshape(len(rows), 6)
        points = [face_points(row[2:]) for row in rows]
        eyes = [torch.stack([p[list(pair), :2].mean(0) for pair in KEYPOINTS]) for p in points]
        return Faces(
            frame=table[:, 0].long(),
            box=table[:, 2:],
            score=table[:, 1],
            keypoints=torch.stack(eyes) if eyes else torch.zeros(0, 5, 2),
            track=torch.full((len(rows),), -1),
            image_size=(height, width),
            frames=count,
        )


class FakeLandmarker:
    name: ClassVar[str] = "fake mesh"
    role: ClassVar[str] = "landmarker"
    licence: ClassVar[str] = "MIT"
    points: ClassVar[int] = 468

    def __init__(self):
        self.network = nn.Identity()
        self.calls = []

    def find(self, frames, faces):
        self.calls.append(len(faces))
        points = [face_points(box) for box in faces.box.tolist()]
        found = torch.stack(points) if points else torch.zeros(0, 468, 3)
        values = {name: getattr(faces, name) for name in faces.__dataclass_fields__}
        return Faces(**values | {"landmarks": found})


class FakeEncoder:
    """Tells people apart by the hue of their faces; see `World.dye`."""

    name: ClassVar[str] = "fake encoder"
    role: ClassVar[str] = "encoder"
    licence: ClassVar[str] = "MIT"
    space: ClassVar[str] = "fake"
    sha256: ClassVar[str] = "fa" * 32

    def __init__(self):
        self.network = nn.Identity()
        self.calls = []

    def encode(self, frames, faces):
        self.calls.append(len(faces))
        vectors = torch.zeros(len(faces), 3)
        for row, (frame, box) in enumerate(zip(faces.frame, faces.box, strict=True)):
            x0, y0, x1, y1 = (int(side) for side in box.clamp_min(0))
            colour = frames[frame, :, y0:y1, x0:x1].float().mean((1, 2))
            vectors[row] = colour - colour.mean()
        return vectors


class FakeParser:
    """Sees skin within each face's drawn oval, and background around it."""

    name: ClassVar[str] = "fake parser"
    role: ClassVar[str] = "parser"
    licence: ClassVar[str] = "MIT"

    def __init__(self):
        self.network = nn.Identity()

    def parse(self, crops):
        boxes = crops.faces.box.tolist()
        points = [face_points(box)[:, :2] for box in boxes] or [torch.zeros(468, 2)]
        inside = hull_mask(
            transform_points(crops.matrix, torch.stack(points)[: len(boxes)]), crops.size
        )
        parsing = torch.zeros(len(crops), 19, crops.size, crops.size)
        parsing[:, :1], parsing[:, 1:2] = 1 - inside, inside
        return parsing


def picture_of_kind(image, kind):
    """The same IMAGE [B, H, W, 3] as some pack might hand it over."""
    alpha = torch.linspace(0, 1, image.shape[2]).expand(image.shape[:3])[..., None]
    return {
        "RGB": lambda: image,
        "RGBA": lambda: torch.cat([image, alpha], -1),
        "grey": lambda: image.mean(-1, keepdim=True),
        "half": lambda: image.half(),
        "8-bit": lambda: (image * 255).round().to(torch.uint8),
        "16-bit": lambda: (image * 65535).round().to(torch.uint16),
        "0..255": lambda: image * 255,
        "negative": lambda: image * 6 - 3,
        "bright": lambda: image * 30000,
    }[kind]()


@pytest.fixture
def world():
    return World()


@pytest.fixture
def detector(world):
    return Hosted(FakeDetector(world))


@pytest.fixture
def landmarker():
    return Hosted(FakeLandmarker())


@pytest.fixture
def encoder():
    return Hosted(FakeEncoder())


@pytest.fixture
def parser():
    return Hosted(FakeParser())


@pytest.fixture(params=KINDS)
def kind(request):
    """A way in which pictures come, for `as_kind`."""
    return request.param


@pytest.fixture
def as_kind(kind):
    """Hand an IMAGE over in one of the ways."""
    return lambda image: picture_of_kind(image, kind)
