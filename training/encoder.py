"""The encoder's recipe: distillation from MobileFaceNet over faces of people who do not exist."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Generator, Tensor, nn
from tqdm import tqdm

from ..models.loom_encoder.network import LoomEncoderNetwork
from ..models.mobilefacenet.adapter import MobileFaceNet
from ..models.roles import Detector
from ..ops.geometry import fit_similarity
from ..ops.templates import template_points
from ..ops.warp import crop
from .augment import chance, uniform
from .landmarker import first_of_each_frame
from .pictures import Pictures
from .strangers import DETAIL, MARGIN, SIZE, SOURCE, draw_strangers

WIDTHS, BLOCKS, WIDE = (16, 48, 96, 128), (0, 1, 2, 1), 384
SHARD = 1024
"""Strangers of a file."""


class EncoderTask:
    """What `Training` trains.

    Args:
        images: [M, 3, 112, 112] uint8 aligned crops.
        vectors: [M, D] the teacher's unit vectors.
        seed: of the starting weights.
        batch: crops a step.
    """

    def __init__(self, images: Tensor, vectors: Tensor, seed: int, batch: int = 32) -> None:
        torch.manual_seed(seed)
        self.images = images
        self.vectors = vectors
        self.batch = batch
        self.network: nn.Module = LoomEncoderNetwork(WIDTHS, BLOCKS, WIDE, vectors.shape[1])

    def loss(self, random: Generator) -> dict[str, Tensor]:
        """One minus the cosine to the teacher's vector."""
        row = torch.randint(len(self.images), (self.batch,), generator=random)
        crops = self.images[row].float() / 255
        # The teacher's vector is that of the crop and of its mirror image: both have it.
        crops = torch.where(
            chance(random, 0.5, self.batch).view(-1, 1, 1, 1), crops.flip(-1), crops
        )
        gain, offset = uniform(random, 0.85, 1.15, 2, self.batch, 3, 1, 1).unbind(0)
        crops = (crops * gain + (offset - 1) / 3).clamp(0, 1)
        found = self.network(crops.contiguous(memory_format=torch.channels_last)).float()
        return {"cosine": 1 - F.cosine_similarity(found, self.vectors[row].float()).mean()}


def aligned_sources(pictures: Pictures, detector: Detector) -> Tensor:
    """Cut each picture's face, aligned, with a margin: [P, 3, SOURCE, SOURCE] uint8.

    Pictures without a face are left out.
    """
    sources = []
    for start in tqdm(range(0, len(pictures), 16), desc="faces", disable=None):
        frames = pictures.image[start : start + 16].float() / 255
        faces = first_of_each_frame(detector.detect(frames, 0.5))
        target = (template_points(MobileFaceNet.template, SIZE) + 0.5 + MARGIN) * DETAIL
        matrix = fit_similarity(faces.keypoints, target)
        crops = crop(frames, matrix, faces.frame, SOURCE, padding="zeros").clamp(0, 1)
        sources.append((crops * 255).round().to(torch.uint8))
    return torch.cat(sources)


def label_strangers(
    sources: Tensor, teacher: MobileFaceNet, folder: Path, shards: int, seed: int
) -> tuple[Tensor, Tensor]:
    """Make strangers and let the teacher say where they lie, or read what was made before.

    Args:
        sources: as `aligned_sources` gives them.
        teacher: its network becomes channels-last.
        folder: keeps a file of `SHARD` strangers for each shard.
        shards: how many files.
        seed: of the strangers.

    Returns:
        Crops [M, 3, 112, 112] uint8 and unit vectors [M, D] float16.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for shard in tqdm(range(shards), desc="strangers", disable=None):
        if not _file(folder, shard).exists():
            _make_shard(sources, teacher, _file(folder, shard), seed * 10_007 + shard)
    parts = [load_file(_file(folder, shard)) for shard in range(shards)]
    images, vectors = (torch.cat([part[key] for part in parts]) for key in ("image", "vector"))
    return images, vectors


def _file(folder: Path, shard: int) -> Path:
    return folder / f"strangers_{shard:03}.safetensors"


@torch.no_grad()
def _make_shard(sources: Tensor, teacher: MobileFaceNet, path: Path, seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    teacher.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    images, vectors = [], []
    for _ in range(SHARD // 64):
        faces = draw_strangers(sources, 64, random)
        # In bfloat16 the teacher is seven times as fast, and its vectors turn by 2 degrees.
        with torch.autocast("cpu", torch.bfloat16):
            found = teacher.embed(
                (faces.float() / 255).contiguous(memory_format=torch.channels_last)
            )
        images.append(faces)
        vectors.append(F.normalize(found.float()).half())
    part = path.with_name(path.name + ".part")
    save_file({"image": torch.cat(images), "vector": torch.cat(vectors)}, part)
    part.replace(path)
