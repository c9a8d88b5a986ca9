"""What the benchmarks share: threads, rounds, and the median of functions that take turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import cv2
import torch

ROUNDS = 20
WARM_UP = 5
THREADS = 2


def use_threads() -> None:
    """Give torch and OpenCV `THREADS` threads each."""
    torch.set_num_threads(THREADS)
    cv2.setNumThreads(THREADS)


def median_ms(
    *runs: Callable[[], object], rounds: int = ROUNDS, warm_up: int = WARM_UP
) -> list[float]:
    """Median milliseconds of each function in `rounds` turns, after `warm_up` uncounted ones."""
    times: list[list[float]] = [[] for _ in runs]
    for turn in range(warm_up + rounds):
        for run, record in zip(runs, times, strict=True):
            begin = time.perf_counter()
            run()
            if turn >= warm_up:
                record.append((time.perf_counter() - begin) * 1e3)
    return [statistics.median(record) for record in times]


def finished(run: Callable[[], object]) -> Callable[[], None]:
    """Make a function wait for the GPU."""

    def go() -> None:
        run()
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    return go
