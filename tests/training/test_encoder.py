from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from faceloom import models
from faceloom.faces import Faces
from faceloom.models.mobilefacenet.network import MobileFaceNetNetwork
from faceloom.ops.templates import template_points
from faceloom.training.encoder import (
    EncoderTask,
    aligned_sources,
    label_strangers,
    teach,
)
from faceloom.training.judge_encoder import judge_encoder, separation
from faceloom.training.pictures import Pictures
from faceloom.training.strangers import (
    DETAIL,
    MARGIN,
    SIZE,
    SOURCE,
    cut_faces,
    draw_strangers,
    match_colours,
    patchwork,
)
from faceloom.training.trainer import Training


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def teacher():
    torch.manual_seed(0)
    blocks = [(8, 4)] * 5 + [(8, 6)] * 7 + [(8, 5)] * 3
    return models.load(MobileFaceNetNetwork(6, blocks, 7, 9).state_dict())


@pytest.fixture(scope="module")
def sources():
    coarse = torch.rand(5, 3, 12, 12, generator=seeded(4))
    return (F.interpolate(coarse, (SOURCE, SOURCE), mode="bilinear") * 255).to(torch.uint8)


@pytest.fixture(scope="module")
def lessons(sources, teacher):
    return teach(draw_strangers(sources, 12, seeded()), teacher)


def test_strangers_are_crops_that_a_seed_brings_back(sources):
    once, again, other = (draw_strangers(sources, 9, seeded(seed)) for seed in (1, 1, 2))
    assert (once.shape, once.dtype) == ((9, 3, SIZE, SIZE), torch.uint8)
    assert torch.equal(once, again)
    assert not torch.equal(once, other)


def test_an_unchanged_crop_is_the_middle_of_its_source(sources):
    faces = cut_faces(sources, torch.eye(2, 3).expand(5, 2, 3))
    edge = MARGIN * DETAIL
    middle = sources[:, :, edge:-edge, edge:-edge].float() / 255
    torch.testing.assert_close(faces, F.avg_pool2d(middle, DETAIL), rtol=0, atol=1e-3)


def test_a_bend_moves_what_is_seen(sources):
    shift = torch.zeros(5, DETAIL * SIZE, DETAIL * SIZE, 2)
    shift[..., 0] = 3
    same = torch.tensor([[[1.0, 0, 3], [0, 1, 0]]]).expand(5, 2, 3)
    bent = cut_faces(sources, torch.eye(2, 3).expand(5, 2, 3), shift)
    torch.testing.assert_close(bent, cut_faces(sources, same), rtol=0, atol=1e-3)


def test_patchwork_goes_from_even_mixtures_to_swapped_parts():
    mask = patchwork(200, seeded())
    assert mask.shape == (200, 1, SIZE, SIZE)
    assert mask.min() >= 0
    assert mask.max() <= 1
    spread = mask.std((1, 2, 3))
    assert spread.min() < 0.08
    assert spread.max() > 0.4


def test_colours_are_matched_in_mean_and_deviation():
    images, wanted = torch.rand(2, 2, 3, 8, 8, generator=seeded()).unbind(0)
    matched = match_colours(0.2 * images + 0.1, 0.3 * wanted + 0.4)
    for measure in (torch.mean, torch.std):
        torch.testing.assert_close(
            measure(matched, (2, 3)), measure(0.3 * wanted + 0.4, (2, 3)), rtol=0.03, atol=0
        )


def test_sources_hold_the_faces_on_the_template():
    """A dark dot on the nose of the second picture; there is no face in the first one."""
    points = torch.tensor([[[40.0, 50], [75, 50], [58, 70], [44, 90], [71, 90]]])
    image = torch.full((2, 3, 128, 128), 255, dtype=torch.uint8)
    image[1, :, 69:71, 57:59] = 0

    class Finder:
        def detect(self, frames, threshold):
            faces = Faces.empty((128, 128), len(frames))
            return replace(
                faces,
                frame=torch.ones(1, dtype=torch.int64),
                box=torch.tensor([[20.0, 20, 100, 110]]),
                score=torch.ones(1),
                keypoints=points,
                track=torch.full((1,), -1),
            )

    found = aligned_sources(Pictures(image, None, ("a", "b")), Finder())
    assert (found.shape, found.dtype) == ((1, 3, SOURCE, SOURCE), torch.uint8)
    x, y = ((template_points("arcface_112_v2", SIZE)[2] + 0.5 + MARGIN) * DETAIL).long().tolist()
    assert found[0, :, y - 3 : y + 4, x - 3 : x + 4].min() < 60


def test_a_crop_and_its_mirror_image_have_one_vector_and_their_own_features(lessons, teacher):
    mirrored = teach(lessons.image.flip(3), teacher)
    torch.testing.assert_close(mirrored.vector, lessons.vector, rtol=0, atol=0.02)
    torch.testing.assert_close(
        mirrored.features[:, 0], lessons.features[:, 1], rtol=0.05, atol=0.05
    )
    exact = F.normalize(teacher.embed(lessons.image.float() / 255))
    assert F.cosine_similarity(exact, lessons.vector.float()).min() > 0.99


def test_lessons_are_read_again_where_they_are_made(sources, teacher, tmp_path, monkeypatch):
    monkeypatch.setattr("faceloom.training.encoder.SHARD", 64)
    first = label_strangers(sources, teacher, tmp_path, 2, seed=3)
    assert first.image.shape == (128, 3, SIZE, SIZE)
    assert not torch.equal(first.image[:64], first.image[64:])
    monkeypatch.setattr("faceloom.training.encoder.draw_strangers", None)
    again = label_strangers(sources, teacher, tmp_path, 2, seed=3)
    assert torch.equal(again.vector, first.vector)


def test_the_loss_is_zero_for_what_the_teacher_says(lessons):
    task = EncoderTask(lessons, seed=0, batch=6)
    rows = torch.randint(12, (6,), generator=seeded(5))
    random = seeded(5)

    class Knows:
        def describe(self, crops):
            light = (crops - lessons.image[rows].float() / 255).abs().mean((1, 2, 3))
            mirrored = light > (crops.flip(3) - lessons.image[rows].float() / 255).abs().mean(
                (1, 2, 3)
            )
            seen = lessons.features[rows, mirrored.long()].float()
            return (seen - task.mean) / task.deviation

        def embed(self, features):
            return 3 * lessons.vector[rows].float()

    task.network = Knows()
    terms = {name: value.item() for name, value in task.loss(random).items()}
    assert terms == pytest.approx({"cosine": 0, "features": 0}, abs=1e-3)


def test_it_learns_and_resumes_as_if_never_broken_off(lessons, tmp_path):
    def training(name, steps=6):
        task = EncoderTask(lessons, seed=1, batch=8)
        return Training(task, tmp_path / name, steps=steps, rate=2e-3, seed=1)

    whole = training("whole.safetensors")
    whole.run()
    part = training("part.safetensors")
    while part.step < 3:
        part._one_step()
    part.save()
    training("part.safetensors").run()
    one, other = (load_file(tmp_path / f"{name}.safetensors") for name in ("whole", "part"))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)
    assert whole.curve[-1]["features"] < whole.curve[0]["features"]
    assert models.load(tmp_path / "whole.safetensors", "encoder").name == "loom_encoder"


def test_separation_by_hand():
    # Of the nine pairs of a same and an other, 0.3 lies below 0.4 only.
    found = separation(torch.tensor([0.9, 0.8, 0.3]), torch.tensor([0.4, 0.1, 0.2]))
    assert found["area"] == pytest.approx(8 / 9)
    assert found["hits"] == pytest.approx(2 / 3)


def test_who_is_the_teacher_agrees_with_the_teacher(sources, teacher):
    found = judge_encoder(teacher, teacher, sources, seeded())
    assert found["cosine"] == pytest.approx(1, abs=1e-5)
    assert found["cosine_5th"] == pytest.approx(1, abs=1e-5)
    assert found["cosine_copies"] == pytest.approx(1, abs=1e-5)
    assert found["student_area"] == found["teacher_area"]
