"""The encoder's recipe: distillation from MobileFaceNet over faces of people who do not exist."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Generator, Tensor, nn
from tqdm import tqdm

from ..faces.select import take
from ..models.loom_encoder.network import LoomEncoderNetwork
from ..models.mobilefacenet.adapter import MobileFaceNet, normalise
from ..models.roles import Detector
from ..ops.geometry import fit_similarity
from ..ops.templates import template_points
from ..ops.warp import crop
from .augment import uniform
from .pictures import Pictures
from .strangers import DETAIL, MARGIN, SIZE, SOURCE, draw_strangers

WIDTHS, BLOCKS, WIDE = (16, 48, 96, 128), (0, 1, 2, 1), 384
SHARD, SHARDS = 1024, 40
"""Strangers of a file, and files; together they take 2.6 GB of memory."""


@dataclass(frozen=True, eq=False)
class Lessons:
    """M crops, and what the teacher says of them."""

    image: Tensor
    """[M, 3, 112, 112] uint8 RGB."""
    vector: Tensor
    """[M, D] float16 unit vectors, the same for a crop and its mirror image."""
    features: Tensor
    """[M, 2, C, 7, 7] float16: what it sees in each cell of the crop and of its mirror image."""


class EncoderTask:
    """What `Training` trains.

    Args:
        lessons: to learn.
        seed: of the starting weights.
        batch: crops a step.
    """

    def __init__(self, lessons: Lessons, seed: int, batch: int = 32) -> None:
        torch.manual_seed(seed)
        self.lessons = lessons
        self.batch = batch
        some = lessons.features[:1024].float()
        self.mean = some.mean((0, 1, 3, 4)).view(-1, 1, 1)
        self.deviation = some.std((0, 1, 3, 4)).view(-1, 1, 1)
        length, narrow = lessons.vector.shape[1], lessons.features.shape[2]
        self.network: nn.Module = LoomEncoderNetwork(WIDTHS, BLOCKS, narrow, WIDE, length)

    def loss(self, random: Generator) -> dict[str, Tensor]:
        """One minus the cosine to the teacher's vector, and the squared distance of features."""
        row = torch.randint(len(self.lessons.image), (self.batch,), generator=random)
        mirrored = torch.randint(2, (self.batch,), generator=random)
        crops = self.lessons.image[row].float() / 255
        crops = torch.where(mirrored.view(-1, 1, 1, 1) == 1, crops.flip(-1), crops)
        gain, offset = uniform(random, 0.85, 1.15, 2, self.batch, 3, 1, 1).unbind(0)
        crops = (crops * gain + (offset - 1) / 3).clamp(0, 1)
        network = cast(LoomEncoderNetwork, self.network)
        features = network.describe(crops.contiguous(memory_format=torch.channels_last))
        found = network.embed(features).float()
        cosine = F.cosine_similarity(found, self.lessons.vector[row].float())
        # The cells say more of a face than its vector does, so fewer faces teach as much.
        seen = (self.lessons.features[row, mirrored].float() - self.mean) / self.deviation
        return {"cosine": 1 - cosine.mean(), "features": F.mse_loss(features.float(), seen)}


def aligned_sources(pictures: Pictures, detector: Detector) -> Tensor:
    """Cut each picture's face, aligned, with a margin: [P, 3, SOURCE, SOURCE] uint8.

    Pictures without a face are left out.
    """
    sources = []
    for start in tqdm(range(0, len(pictures), 16), desc="faces", disable=None):
        frames = pictures.image[start : start + 16].float() / 255
        faces = take(detector.detect(frames, 0.5), [0])
        target = (template_points(MobileFaceNet.template, SIZE) + 0.5 + MARGIN) * DETAIL
        matrix = fit_similarity(faces.keypoints, target)
        crops = crop(frames, matrix, faces.frame, SOURCE, padding="zeros").clamp(0, 1)
        sources.append((crops * 255).round().to(torch.uint8))
    return torch.cat(sources)


def label_strangers(
    sources: Tensor, teacher: MobileFaceNet, folder: Path, shards: int, seed: int
) -> Lessons:
    """Make strangers and let the teacher say what it sees, or read what was made before.

    Args:
        sources: as `aligned_sources` gives them.
        teacher: its network becomes channels-last.
        folder: keeps a file of `SHARD` strangers for each shard.
        shards: how many files.
        seed: of the strangers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for shard in tqdm(range(shards), desc="strangers", disable=None):
        if not _file(folder, shard).exists():
            _make_shard(sources, teacher, _file(folder, shard), seed * 10_007 + shard)
    parts = [load_file(_file(folder, shard)) for shard in range(shards)]
    joined = {key: torch.cat([part[key] for part in parts]) for key in parts[0]}
    return Lessons(**joined)


def _file(folder: Path, shard: int) -> Path:
    return folder / f"strangers_{shard:03}.safetensors"


def _make_shard(sources: Tensor, teacher: MobileFaceNet, path: Path, seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    images = [draw_strangers(sources, 64, random) for _ in range(SHARD // 64)]
    lessons = teach(torch.cat(images), teacher)
    part = path.with_name(path.name + ".part")
    save_file(vars(lessons), part)
    part.replace(path)


@torch.no_grad()
def teach(images: Tensor, teacher: MobileFaceNet) -> Lessons:
    """Let the teacher look at crops [M, 3, 112, 112] uint8 and their mirror images."""
    network = teacher.network.to(memory_format=torch.channels_last)
    vectors, features = [], []
    for start in range(0, len(images), 64):
        crops = images[start : start + 64]
        both = torch.cat([crops, crops.flip(3)]).float() / 255
        both = normalise(both).contiguous(memory_format=torch.channels_last)
        # In bfloat16 the teacher is seven times as fast, and its vectors turn by a degree.
        with torch.autocast("cpu", torch.bfloat16):
            seen = network.describe(both)
            vector, mirrored = network.embed(seen).float().chunk(2)
        vectors.append(F.normalize(vector + mirrored).half())
        features.append(torch.stack(seen.half().chunk(2), 1).contiguous())
    return Lessons(images, torch.cat(vectors), torch.cat(features))
