"""Progress and interruption of a node that works through many items."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from . import inside_comfyui, session

T = TypeVar("T")
Report = Callable[[int, int], None]

_aside: ContextVar[Report | None] = ContextVar("faceloom_aside", default=None)


class Interrupted(Exception):  # noqa: N818 - a request, not an error
    """The user stopped a stand-alone run; inside ComfyUI its own exception is raised."""


@contextmanager
def aside(report: Report) -> Iterator[None]:
    """Report the steps of a block to a function, for work that no run of a graph asked for.

    The bar of a node that runs meanwhile is left alone, and what stops the run does not stop the
    block; nor does the block swallow that wish, which ComfyUI grants only once.

    Args:
        report: called with (items done, items in all).
    """
    token = _aside.set(report)
    try:
        yield
    finally:
        _aside.reset(token)


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
    elsewhere = _aside.get()
    if elsewhere is not None:
        check, report = _never, elsewhere
    else:
        check, report = _comfyui(total) if inside_comfyui() else _standalone()
    for done, item in enumerate(items, start=1):
        check()
        yield item
        report(done, total)


def _never() -> None:
    """Stop for nobody."""


def _comfyui(total: int) -> tuple[Callable[[], None], Report]:
    from comfy import model_management
    from comfy.utils import ProgressBar

    bar = ProgressBar(total)
    return model_management.throw_exception_if_processing_interrupted, bar.update_absolute


def _standalone() -> tuple[Callable[[], None], Report]:
    now = session.current()

    def check() -> None:
        if now.interrupt.is_set():
            raise Interrupted("The run was interrupted.")

    return check, now.report
