from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from faceloom.models.loom_parser.network import LoomParserNetwork
from faceloom.training.parser import ParserTask, dice, untangle
from faceloom.training.pictures import Pictures

SIZE = 64


@pytest.fixture
def pictures():
    """Class 1 on the left half, class 13 on the right; their colours tell them apart."""
    label = torch.ones(4, 1, SIZE, SIZE, dtype=torch.uint8)
    label[..., SIZE // 2 :] = 13
    image = torch.where(label == 1, 220, 30).to(torch.uint8).expand(-1, 3, -1, -1).contiguous()
    return Pictures(image, label, tuple("abcd"))


def test_labels_move_with_the_pictures(pictures):
    task = ParserTask(pictures, seed=0, batch=12)
    crops, label = task.draw(torch.Generator().manual_seed(0))
    assert crops.shape == (12, 3, 256, 256)
    assert label.shape == (12, 128, 128)
    assert set(label.unique().tolist()) <= {0, 1, 13}
    small = F.avg_pool2d(crops, 2).mean(1)
    for picture, classes in zip(small, label, strict=True):
        if (classes == 1).any() and (classes == 13).any():
            assert picture[classes == 1].mean() > picture[classes == 13].mean()


def test_a_mirrored_picture_swaps_left_and_right_classes():
    label = torch.zeros(1, 1, SIZE, SIZE, dtype=torch.uint8)
    label[..., 10:20, 40:50], label[..., 10:20, 14:24] = 4, 5
    picture = Pictures(torch.zeros(1, 3, SIZE, SIZE, dtype=torch.uint8), label, ("a",))
    task = ParserTask(picture, seed=0, batch=40)
    _, drawn = task.draw(torch.Generator().manual_seed(0))
    across = torch.arange(128.0)
    for classes in drawn:
        if (classes == 4).any() and (classes == 5).any():
            x, y = ((across * (classes == part)).sum() / (classes == part).sum() for part in (4, 5))
            assert x > y


def test_untangle_swaps_only_pairs_that_are_the_wrong_way_round():
    label = torch.zeros(3, 1, 2, 6, dtype=torch.uint8)
    label[0, 0, 0, 0], label[0, 0, 0, 5] = 4, 5  # wrong
    label[1, 0, 0, 0], label[1, 0, 0, 5] = 7, 6  # right
    label[2, 0, 0, 0] = 6  # alone
    fixed = untangle(label)
    assert fixed[0, 0, 0].tolist() == [5, 0, 0, 0, 0, 4]
    assert torch.equal(fixed[1:], label[1:])


def test_dice_is_one_for_the_truth_and_zero_for_its_opposite():
    label = torch.tensor([[[0, 1], [1, 2]]])
    truth = F.one_hot(label, 4).movedim(-1, 1).float()
    assert dice(truth, label) == 1
    assert dice(truth.roll(1, 1), label) == 0
    # Half the probability everywhere: 2 * n / 2 / (n + n / 2) = 2 / 3 for each class.
    assert dice(truth / 2, label) == pytest.approx(2 / 3)


def test_without_masks_there_is_nothing_to_learn(pictures):
    with pytest.raises(ValueError, match="masks/"):
        ParserTask(Pictures(pictures.image, None, pictures.names), seed=0)


def test_a_few_steps_lower_the_loss(pictures, tmp_path):
    from faceloom.training.trainer import Training

    task = ParserTask(pictures, seed=0, batch=4)
    task.network = LoomParserNetwork((4, 4, 8, 8, 8), (0, 1, 0, 0, 0), 8)
    run = Training(task, tmp_path / "w.safetensors", steps=12, rate=1e-2, seed=0)
    run.run()
    assert run.curve[-1]["entropy"] < run.curve[0]["entropy"]
