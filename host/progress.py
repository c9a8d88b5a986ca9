"""Progress and interruption of a node that works through many items."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from typing import TypeVar

from . import inside_comfyui, session

T = TypeVar("T")


class Interrupted(Exception):  # noqa: N818 - a request, not an error
    """The user stopped a stand-alone run; inside ComfyUI its own exception is raised."""


def steps(items: Iterable[T], total: int | None = None) -> Iterator[T]:
    """Yield items; before each see whether the user stopped the run, after each report progress.

    Args:
        items: what to work through.
        total: how many there are; may be left out where `items` has a length, else they are listed.

    Raises:
        Interrupted: the session's interrupt was set (inside ComfyUI: the host's own exception).
    """
    if total is None:
        items = items if isinstance(items, Sized) else list(items)
        total = len(items)
    check, report = _comfyui(total) if inside_comfyui() else _standalone()
    for done, item in enumerate(items, start=1):
        check()
        yield item
        report(done, total)


def _comfyui(total: int) -> tuple[Callable[[], None], Callable[[int, int], None]]:
    from comfy import model_management
    from comfy.utils import ProgressBar

    bar = ProgressBar(total)
    return model_management.throw_exception_if_processing_interrupted, bar.update_absolute


def _standalone() -> tuple[Callable[[], None], Callable[[int, int], None]]:
    now = session.current()

    def check() -> None:
        if now.interrupt.is_set():
            raise Interrupted("The run was interrupted.")

    return check, now.report
