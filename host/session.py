"""What ComfyUI would know, for running without it: device, folders, progress, interruption."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import torch


def best_device() -> torch.device:
    """Pick CUDA (or ROCm), else MPS, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def ignore_progress(done: int, total: int) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class Session:
    """The surroundings of one stand-alone run.

    Attributes:
        device: where networks and tensor work run.
        model_folders: searched for weights before any other folder.
        input_dir: where Load Image looks.
        output_dir: where Save Image writes.
        report: called with (items done, items in all) by a node that works through items.
        interrupt: set it, from any thread, to stop the run at the next item.
    """

    device: torch.device = field(default_factory=best_device)
    model_folders: tuple[Path, ...] = ()
    input_dir: Path = Path("input")
    output_dir: Path = Path("output")
    report: Callable[[int, int], None] = ignore_progress
    interrupt: Event = field(default_factory=Event)

    def __post_init__(self) -> None:
        object.__setattr__(self, "device", torch.device(self.device))
        object.__setattr__(self, "model_folders", tuple(map(Path, self.model_folders)))


_session: ContextVar[Session | None] = ContextVar("faceloom_session", default=None)


def current() -> Session:
    """Give the session in force, or one with the defaults."""
    return _session.get() or Session()


@contextmanager
def using(session: Session) -> Iterator[Session]:
    """Put a session in force for a block; blocks may nest."""
    token = _session.set(session)
    try:
        yield session
    finally:
        _session.reset(token)
