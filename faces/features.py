"""`Features`: what a generator thought of faces, as on an FL_FEATURES wire."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Features:
    """A generator's maps of N faces; empty where they were not asked for."""

    maps: tuple[Tensor, ...] = ()
    """Each [N, C, h, w], from coarse to fine."""
    generator: str = ""
    """Whose maps they are, for messages."""

    def __len__(self) -> int:
        return len(self.maps[0]) if self.maps else 0
