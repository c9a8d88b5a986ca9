"""The landmarker's recipe: points by distillation from FaceMesh, and a confidence."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from tqdm import tqdm

from ..faces.select import take
from ..models.loom_landmarker.adapter import LANDMARKS_MARGIN
from ..models.loom_landmarker.network import INPUT, POINTS, LoomLandmarkerNetwork
from ..models.roles import Detector, Landmarker
from ..models.squares import LEFT_EYE, RIGHT_EYE, square_about_landmarks
from ..ops.geometry import compose_affine, transform_points
from .augment import chance, cut, degrade, jitter, occlude
from .pictures import Pictures

WIDTHS, BLOCKS, HIDDEN = (24, 48, 96, 128, 64), (0, 1, 2, 1, 0), 160
PICTURE = 256
"""Side in pixels at which pictures are kept: the crops then need no low-pass."""
_NEGATIVE = 5  # every fifth crop of a batch shows no upright face


class LandmarkerTask:
    """What `Training` trains.

    Args:
        pictures: of `PICTURE` pixels.
        points: [P, 468, 3], as `label` gives them.
        seed: of the starting weights.
        batch: crops a step.
    """

    def __init__(self, pictures: Pictures, points: Tensor, seed: int, batch: int = 32) -> None:
        torch.manual_seed(seed)
        self.pictures = pictures
        self.points = points
        self.batch = batch
        self.matrix = square_about_landmarks(points, INPUT, LANDMARKS_MARGIN)
        network = LoomLandmarkerNetwork(WIDTHS, BLOCKS, HIDDEN)
        start_from_components(network.shape, transform_points(self.matrix, points) / INPUT)
        self.network: nn.Module = network

    def loss(self, random: Generator) -> dict[str, Tensor]:
        """Mean distance of x, y and z in eye distances, and the confidence's cross entropy."""
        crops, points, real = self.draw(random)
        found, confidence = self.network(crops.contiguous(memory_format=torch.channels_last))
        eyes = points[:, RIGHT_EYE, :2] - points[:, LEFT_EYE, :2]
        error = (found.float() - points)[real] / torch.linalg.norm(eyes, dim=-1)[real, None, None]
        # A root that is round at zero: it pulls as an L1 does, yet settles.
        plane = (error[..., :2].square().sum(-1) + 1e-5).sqrt().mean()
        depth = error[..., 2].abs().mean()
        told = F.binary_cross_entropy_with_logits(confidence.float(), real.float())
        return {"points": plane, "depth": 0.3 * depth, "confidence": 0.05 * told}

    def draw(self, random: Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Crops [N, 3, 128, 128], their points [N, 468, 3], and [N] which show an upright face."""
        row = torch.randint(len(self.points), (self.batch,), generator=random)
        strong = jitter(random, self.batch, INPUT, turn=50, zoom=1.4, shift=0.15)
        mild = jitter(random, self.batch, INPUT, turn=10, zoom=1.1, shift=0.05)
        turn = torch.where(chance(random, 0.5, self.batch)[:, None, None], strong, mild)
        real = torch.arange(self.batch) % _NEGATIVE != 0
        turn = torch.where(real[:, None, None], turn, self._away(random))
        matrix = compose_affine(turn, self.matrix[row])
        crops = cut(self.pictures.image[row], matrix, INPUT)
        crops, _ = occlude(degrade(crops, random), random, 0.35)
        return crops, transform_points(matrix, self.points[row]), real

    def _away(self, random: Generator) -> Tensor:
        """Transforms after which a crop shows no upright face: turned over, far off, or tiny."""
        over = jitter(random, self.batch, INPUT, turn=80, zoom=1.4, shift=0.15)
        over[:, :, :2] *= -1
        over[:, :, 2] = INPUT - over[:, :, 2]
        aside = jitter(random, self.batch, INPUT, turn=180, zoom=1.5, shift=0.1)
        sign = 1 - 2 * chance(random, 0.5, self.batch).float()
        aside[:, 0, 2] += sign * 0.9 * INPUT
        close = jitter(random, self.batch, INPUT, turn=180, zoom=1.5, shift=1.0)
        close[:, :, :2] *= 4
        kind = torch.randint(3, (self.batch,), generator=random)
        return torch.stack([over, aside, close])[kind, torch.arange(self.batch)]


def label(pictures: Pictures, detector: Detector, teacher: Landmarker) -> tuple[Pictures, Tensor]:
    """Let the teacher place the points, on each picture and on its mirror image.

    Returns:
        The pictures in which a face was found, mirror images too, and points [P, 468, 3] in their
        pixels.
    """
    images = torch.cat([pictures.image, pictures.image.flip(-1)])
    names = (*pictures.names, *(f"{name} mirrored" for name in pictures.names))
    rows, points = [], []
    for start in tqdm(range(0, len(images), 8), desc="teacher", disable=None):
        frames = images[start : start + 8].float() / 255
        faces = take(detector.detect(frames, 0.5), [0])
        found = teacher.find(frames, faces).landmarks
        rows.append(faces.frame + start)
        points.append(cast(Tensor, found))
    row = torch.cat(rows)
    kept = replace(pictures, image=images[row], label=None, names=tuple(names[i] for i in row))
    return kept, torch.cat(points)


@torch.no_grad()
def start_from_components(layer: nn.Linear, points: Tensor) -> None:
    """Put the labels' mean and principal components into the layer that makes points of numbers.

    Args:
        layer: hidden -> 3 * 468.
        points: [P, 468, 3] in crops, as fractions of their side.
    """
    middle = torch.tensor([0.5, 0.5, 0.0])
    flat = (points - middle).reshape(-1, 3 * POINTS)
    hidden = min(layer.in_features, *flat.shape)
    _, deviation, basis = torch.pca_lowrank(flat, q=hidden, niter=4)
    layer.weight.normal_(0, 1e-3)
    layer.weight[:, :hidden] = basis * deviation / len(flat) ** 0.5
    layer.bias.copy_(flat.mean(0))
