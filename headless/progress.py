"""A progress bar a node, on stderr, and none where stderr is not a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

from .graph import Node

FORMAT = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}]"


@contextmanager
def bar(node: Node) -> Iterator[Callable[[int, int], None]]:
    """Show one node's progress; a node that reports none is one step."""
    with tqdm(
        total=1, desc=node.label, disable=None, dynamic_ncols=True, bar_format=FORMAT
    ) as shown:

        def report(done: int, total: int) -> None:
            shown.total = total
            shown.n = done
            shown.refresh()

        yield report
        if shown.n == 0:
            shown.update(shown.total)
