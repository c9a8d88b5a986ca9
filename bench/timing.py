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


def median_ms(*runs: Callable[[], object]) -> list[float]:
    """Median milliseconds of each function in `ROUNDS` turns, after `WARM_UP` uncounted ones."""
    times: list[list[float]] = [[] for _ in runs]
    for turn in range(WARM_UP + ROUNDS):
        for run, record in zip(runs, times, strict=True):
            begin = time.perf_counter()
            run()
            if turn >= WARM_UP:
                record.append((time.perf_counter() - begin) * 1e3)
    return [statistics.median(record) for record in times]
