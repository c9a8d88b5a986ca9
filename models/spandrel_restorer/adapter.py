"""spandrel's face networks as restorers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ..roles import Role

LICENCES = {
    "GFPGAN": "Apache-2.0; trained on FFHQ, a non-commercial set",
    "RestoreFormer": "Apache-2.0; trained on FFHQ, a non-commercial set",
    "CodeFormer": "S-Lab 1.0, non-commercial",
}
"""spandrel's names of the networks, and the licences of their usual weights."""


@dataclass(frozen=True, eq=False)
class SpandrelRestorer:
    """A `Restorer`: GFPGAN, RestoreFormer or CodeFormer.

    It calls the network itself, because spandrel's own way to call GFPGAN and CodeFormer feeds
    them 0..1, while they were trained on -1..1 (`GFPGANer.enhance` of TencentARC/GFPGAN,
    `inference_codeformer.py` of sczhou/CodeFormer), and leaves CodeFormer's weight at 0.5.
    """

    network: nn.Module
    """Maps [N, 3, 512, 512] RGB -1..1 to a tuple that begins with the restored pictures."""
    kind: str
    """Which one it is, a key of `LICENCES`."""
    name: ClassVar[str] = "spandrel_restorer"
    role: ClassVar[Role] = "restorer"
    size: ClassVar[int] = 512
    templates: ClassVar[tuple[str, ...]] = ("ffhq_512",)

    @property
    def licence(self) -> str:
        """Licence of the usual weights."""
        return LICENCES[self.kind]

    @torch.no_grad()
    def restore(self, images: Tensor, fidelity: float, batch_statistics: bool = False) -> Tensor:
        """Restore faces; see `Restorer.restore`. Only CodeFormer heeds `fidelity`, its w."""
        if not len(images):
            return images
        # Each takes its own option and ignores the other. GFPGAN would draw new noise each time,
        # so that frames of a video flicker; its weights hold a noise map for every layer.
        restored: Tensor = self.network(2 * images - 1, weight=fidelity, randomize_noise=False)[0]
        return ((restored + 1) / 2).clamp(0, 1)
