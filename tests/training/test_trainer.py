from __future__ import annotations

import csv

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

from faceloom.training.trainer import Training, schedule


class Line:
    """Learns y = 3 x - 1."""

    def __init__(self):
        torch.manual_seed(5)
        self.network = nn.Sequential(nn.Linear(1, 8), nn.BatchNorm1d(8), nn.Linear(8, 1))

    def loss(self, random):
        x = torch.randn(64, 1, generator=random)
        return {"square": (self.network(x) - (3 * x - 1)).square().mean()}


def training(folder, steps=60, seed=0):
    return Training(Line(), folder / "line.safetensors", steps=steps, rate=0.03, seed=seed)


def test_it_learns_and_leaves_weights_state_and_curve(tmp_path):
    run = training(tmp_path, steps=300)
    run.run(save_every=100)
    losses = [row["square"] for row in run.curve]
    assert sum(losses[-20:]) < 0.1 * sum(losses[:20])
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {f"line.{end}" for end in ("safetensors", "state.pt", "csv", "png")}
    with safe_open(tmp_path / "line.safetensors", "pt") as file:
        assert file.metadata() == {"steps": "300", "seed": "0"}
        assert file.get_tensor("0.weight").dtype == torch.float16
    with (tmp_path / "line.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 300


def test_broken_off_and_resumed_it_gives_the_weights_of_an_unbroken_training(tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    training(whole).run()
    first = training(parts)
    while first.step < 25:
        first._one_step()
    first.save()
    second = training(parts)
    assert second.step == 25
    second.run()
    one, other = (load_file(folder / "line.safetensors") for folder in (whole, parts))
    for key, value in one.items():
        torch.testing.assert_close(other[key], value, rtol=0, atol=0)


def test_batch_statistics_settle_before_the_end(tmp_path):
    run = training(tmp_path, steps=10)
    norm = run.task.network[1]
    following = []
    for _ in range(10):
        before = norm.running_mean.clone()
        run._one_step()
        following.append(not torch.equal(before, norm.running_mean))
    assert following == [True] * 6 + [False] * 4


def test_another_seed_does_not_go_on_with_this_state(tmp_path):
    training(tmp_path, steps=2).run()
    with pytest.raises(ValueError, match="begun with --seed 0"):
        training(tmp_path, steps=2, seed=1)


def test_a_loss_that_is_no_number_stops_it(tmp_path):
    run = training(tmp_path)
    run.task.loss = lambda random: {"square": (run.task.network[0].weight * torch.nan).sum()}
    with pytest.raises(ValueError, match="lower --rate"):
        run.run()


def test_the_rate_rises_then_falls():
    rates = [schedule(done / 100) for done in range(101)]
    assert rates.index(max(rates)) == 5
    assert rates[0] < 0.05
    assert rates[-1] == pytest.approx(0.01)
    assert rates[5:] == sorted(rates[5:], reverse=True)
