"""The training loop: seeded, resumable, made for small plain-convolution networks on a CPU."""

from __future__ import annotations

import csv
import math
import os
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors.torch import save_file
from torch import Generator, Tensor, nn
from tqdm import tqdm

SETTLED = 0.6
"""Share of the steps after which batch normalisations no longer follow the batches."""


class Task(Protocol):
    """What is trained, on what, and how it is judged."""

    network: nn.Module

    def loss(self, random: Generator) -> dict[str, Tensor]:
        """Draw a batch, run the network on it, and give the named terms whose sum is minimised."""


class Training:
    """A training of one task, from its last saved state on.

    Args:
        task: what to train; its network holds the starting weights.
        output: `.safetensors` file for the weights; state and loss curve go beside it.
        steps: how many steps the whole training has.
        rate: highest learning rate.
        seed: of every draw. Step n draws from a generator of its own, so that a training that was
            broken off and resumed gives the very weights of an unbroken one.
    """

    def __init__(self, task: Task, output: Path, *, steps: int, rate: float, seed: int) -> None:
        self.task = task
        self.output = output
        self.steps = steps
        self.rate = rate
        self.seed = seed
        self.step = 0
        self.curve: list[dict[str, float]] = []
        network = task.network.to(memory_format=torch.channels_last)
        self.average = {key: value.detach().clone() for key, value in network.state_dict().items()}
        self.optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.02)
        self._resume()

    def run(self, save_every: int = 500) -> None:
        """Train to the last step, with a progress bar; save now and then, and at the end."""
        with tqdm(total=self.steps, initial=self.step, desc=self.output.stem, disable=None) as bar:
            while self.step < self.steps:
                terms = self._one_step()
                bar.update()
                bar.set_postfix({name: f"{value:.4f}" for name, value in terms.items()})
                if self.step % save_every == 0 or self.step == self.steps:
                    self.save()

    def save(self) -> None:
        """Write the averaged weights, the state to resume from, and the loss curve."""
        self.output.parent.mkdir(parents=True, exist_ok=True)
        metadata = {"steps": str(self.step), "seed": str(self.seed)}
        weights = {key: _half(value) for key, value in self.average.items()}
        _atomic(self.output, lambda path: save_file(weights, path, metadata))
        _atomic(self._state_file, lambda path: torch.save(self._state(), path))
        _atomic(self.output.with_suffix(".csv"), self._write_curve)
        draw_curve(self.curve, self.output.with_suffix(".png"))

    def _one_step(self) -> dict[str, float]:
        random = torch.Generator().manual_seed(self.seed * 1_000_003 + self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * schedule(self.step / self.steps)
        self.task.network.train()
        if self.step >= SETTLED * self.steps:
            settle(self.task.network)
        with torch.autocast("cpu", torch.bfloat16):
            terms = self.task.loss(random)
        total = torch.stack([term.float() for term in terms.values()]).sum()
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.task.network.parameters(), 5.0)
        self.optimizer.step()
        self.step += 1
        self._follow()
        values = {name: term.item() for name, term in terms.items()}
        if not all(map(math.isfinite, values.values())):
            raise ValueError(f"step {self.step}: the loss is {values}; take a lower --rate.")
        self.curve.append({"step": self.step, **values})
        return values

    @torch.no_grad()
    def _follow(self) -> None:
        """Let the averaged weights follow the trained ones, over about 500 steps."""
        decay = min(0.998, self.step / (self.step + 20))
        for key, value in self.task.network.state_dict().items():
            if value.is_floating_point():
                self.average[key].lerp_(value, 1 - decay)
            else:
                self.average[key].copy_(value)

    @property
    def _state_file(self) -> Path:
        return self.output.with_suffix(".state.pt")

    def _state(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "seed": self.seed,
            "curve": self.curve,
            "network": self.task.network.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
        }

    def _resume(self) -> None:
        if not self._state_file.exists():
            return
        state = torch.load(self._state_file, weights_only=True)
        if state["seed"] != self.seed:
            raise ValueError(
                f"{self._state_file} was begun with --seed {state['seed']}; go on with that seed, "
                "or give another output file."
            )
        self.step, self.curve = state["step"], state["curve"]
        self.task.network.load_state_dict(state["network"])
        self.average = state["average"]
        self.optimizer.load_state_dict(state["optimizer"])

    def _write_curve(self, path: Path) -> None:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, self.curve[0] if self.curve else ["step"])
            writer.writeheader()
            writer.writerows(self.curve)


def settle(network: nn.Module) -> None:
    """Let batch normalisations keep their statistics, and use them as they will after training.

    Batches differ, so dividing by each one's own deviation enlarges more, on average, than dividing
    by the mean one: a network that only ever saw the former gives too little later. The detector's
    boxes and points came out 4 % too small.
    """
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


def schedule(done: float) -> float:
    """Share of the highest learning rate when a part `done` of 0..1 lies behind: up, then down."""
    warm = 0.05
    if done < warm:
        return max(done, 0.001) / warm
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (done - warm) / (1 - warm)))


def draw_curve(curve: list[dict[str, float]], path: Path) -> None:
    """Draw each term of the loss over the steps, smoothed, into a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.add_subplot(xlabel="step", ylabel="loss", yscale="log")
    steps = torch.tensor([row["step"] for row in curve])
    window = max(1, len(curve) // 100)
    for name in curve[0].keys() - {"step"} if curve else ():
        values = torch.tensor([row[name] for row in curve])
        smooth = values.unfold(0, window, 1).mean(-1).clamp(min=1e-6)
        axes.plot(steps[window - 1 :].tolist(), smooth.tolist(), label=name)
    if curve:
        axes.legend()
    figure.savefig(path)


def _half(value: Tensor) -> Tensor:
    return value.half().contiguous() if value.is_floating_point() else value


def _atomic(path: Path, write: Any) -> None:
    part = path.with_name(path.name + ".part")
    write(part)
    os.replace(part, path)
