from __future__ import annotations

import pytest
import torch
from torch import nn

from faceloom.models.loom_landmarker.network import INPUT, LoomLandmarkerNetwork
from faceloom.ops.landmark_sets import landmark_set
from faceloom.training.landmarker import LandmarkerTask, label, start_from_components
from faceloom.training.pictures import Pictures

SIZE = 64


@pytest.fixture
def pictures():
    images = torch.randint(0, 256, (5, 3, SIZE, SIZE), dtype=torch.uint8)
    return Pictures(images, None, tuple("abcde"))


@pytest.fixture
def points():
    mean = landmark_set(468).mean * 14 + torch.tensor([SIZE / 2, SIZE / 2, 0.0])
    return mean + torch.randn(5, 468, 3, generator=torch.Generator().manual_seed(0)) / 4


def test_a_batch_shows_faces_inside_their_crops_but_for_every_fifth(pictures, points):
    task = LandmarkerTask(pictures, points, seed=0, batch=20)
    crops, moved, real = task.draw(torch.Generator().manual_seed(1))
    assert crops.shape == (20, 3, INPUT, INPUT)
    assert real.tolist() == [i % 5 != 0 for i in range(20)]
    middle = moved[..., :2].mean(1)
    assert ((middle[real] - INPUT / 2).abs() < 0.3 * INPUT).all()
    eyes = moved[:, 263, :2] - moved[:, 33, :2]
    angle = torch.atan2(eyes[:, 1], eyes[:, 0]).rad2deg()
    assert angle[real].abs().max() < 60


def test_points_move_with_the_picture(pictures, points):
    """A white picture with one black pixel under each nose tip: it is black there in the crop."""
    images = torch.full_like(pictures.image, 255)
    for row, (x, y) in enumerate(points[:, 1, :2].long().tolist()):
        images[row, :, y - 1 : y + 2, x - 1 : x + 2] = 0
    task = LandmarkerTask(Pictures(images, None, pictures.names), points, seed=0, batch=20)
    crops, moved, real = task.draw(torch.Generator().manual_seed(2))
    nose = moved[:, 1, :2].long().clamp(0, INPUT - 1)
    dark = crops[torch.arange(20), :, nose[:, 1], nose[:, 0]].mean(1) < crops.mean((1, 2, 3)) - 0.1
    assert dark[real].float().mean() > 0.7  # the others are covered, blurred away or faded


def test_the_loss_is_zero_where_the_network_knows_the_answer(pictures, points):
    task = LandmarkerTask(pictures, points, seed=0, batch=10)
    random = torch.Generator().manual_seed(3)
    _, moved, real = task.draw(random)

    class Knows(nn.Module):
        def forward(self, crops):
            return moved, torch.where(real, 20.0, -20.0)

    task.network = Knows()
    terms = task.loss(torch.Generator().manual_seed(3))
    assert terms["points"] == pytest.approx(1e-5**0.5, rel=1e-3)
    assert terms["depth"] == 0
    assert terms["confidence"] < 1e-6


def test_components_give_back_the_labels():
    layer = nn.Linear(8, 3 * 468)
    values = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
    basis = torch.randn(3, 468, 3, generator=torch.Generator().manual_seed(1)) / 10
    points = 0.5 + torch.einsum("pk,kld->pld", values, basis)
    start_from_components(layer, points)
    flat = (points - torch.tensor([0.5, 0.5, 0.0])).reshape(40, -1) - layer.bias
    fit = torch.linalg.lstsq(layer.weight[:, :3], flat.mT).solution
    torch.testing.assert_close(layer.weight[:, :3] @ fit, flat.mT, atol=1e-3, rtol=0)


def test_the_teacher_labels_pictures_and_their_mirror_images(detector, landmarker, world):
    image = world.picture(SIZE, SIZE, [(10, 8, 50, 56)], frames=3)
    image[1] = 0.5  # no face
    frames = (image.movedim(-1, 1) * 255).to(torch.uint8)
    pictures = Pictures(frames, None, ("a", "b", "c"))
    kept, points = label(pictures, detector.use(), landmarker.use())
    assert kept.names == ("a", "c", "a mirrored", "c mirrored")
    assert points.shape == (4, 468, 3)
    assert torch.equal(kept.image[2], kept.image[0].flip(-1))


def test_a_few_steps_run(pictures, points, tmp_path):
    from faceloom.training.trainer import Training

    task = LandmarkerTask(pictures, points, seed=0, batch=5)
    task.network = LoomLandmarkerNetwork((4, 4, 4, 4, 4), (0, 1, 0, 0, 0), 8)
    run = Training(task, tmp_path / "w.safetensors", steps=3, rate=1e-3, seed=0)
    run.run()
    assert len(run.curve) == 3
