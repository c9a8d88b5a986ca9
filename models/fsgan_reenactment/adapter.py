"""FSGAN's Gr as a reenactor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...faces import Crops
from ..roles import Role

PICTURE = 3
_FACE = 1  # of the classes background, face and hair
_BINOMIAL = (1.0, 4.0, 6.0, 4.0, 1.0)


@dataclass(frozen=True, eq=False)
class FSGANReenactment:
    """A `Reenactor`: FSGAN's, of the paper (68 landmarks) or of the second generation (98).

    Nothing in its weights tells the paper's stepwise reenactor from its other one; it is
    `dataclasses.replace(model, margin=1.2, draw=ops.heatmaps.blurred_points)`.
    """

    network: nn.Module
    """Maps a picture RGB -1..1 and heat maps, at each of `sizes`, to a picture of the same kind,
    and, in the paper's generation, to the classes background, face and hair."""
    points: int
    sizes: tuple[int, ...]
    """Sides of the pictures that the network sees at once, the whole one first."""
    margin: float
    draw: Callable[[Tensor, int], Tensor]
    """Makes heat maps of landmarks in pixels of a size."""
    name: ClassVar[str] = "fsgan_reenactment"
    role: ClassVar[Role] = "reenactor"
    licence: ClassVar[str] = "CC0-1.0; trained on IJB-C or videos of the web, for research"
    templates: ClassVar[tuple[str, ...]] = ("square_box",)

    @property
    def size(self) -> int:
        """See `Reenactor.size`."""
        return self.sizes[0]

    def prepare(self, source: Crops) -> Crops:
        """See `Reenactor.prepare`; there is nothing to look at beforehand."""
        return source

    @torch.no_grad()
    def reenact(self, source: Crops, landmarks: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """Reenact faces; see `Reenactor.reenact`.

        Raises:
            ValueError: the landmarks are not [N, points, 2 or 3].
        """
        if landmarks.shape[:2] != (len(source), self.points):
            raise ValueError(
                f"FSGAN's reenactor wants landmarks [{len(source)}, {self.points}, 2 or 3], got "
                f"{list(landmarks.shape)}; connect a landmarker of {self.points} points."
            )
        if not len(source):
            return source.image, source.image[:, :1]
        seen = self.network(*self._pyramid(source.image, landmarks[..., :2] / size))
        image, classes = seen[:, :PICTURE], seen[:, PICTURE:]
        if not classes.shape[1]:
            return (image + 1) / 2, torch.ones_like(image[:, :1])
        return (image + 1) / 2, (classes.argmax(1, keepdim=True) == _FACE).to(image.dtype)

    def _pyramid(self, images: Tensor, points: Tensor) -> list[Tensor]:
        """Pictures [N, 3, S, S] and points [N, P, 2] in 0..1 as the network sees them."""
        levels = [2 * images.clamp(0, 1) - 1]
        levels += [_pyramid_down(levels[-1]) for _ in self.sizes[1:]]
        return [
            torch.cat([level, self.draw(points * size, size)], 1)
            for level, size in zip(levels, self.sizes, strict=True)
        ]


def _pyramid_down(images: Tensor) -> Tensor:
    """Half the size: [N, 3, S, S] -> [N, 3, S / 2, S / 2].

    FSGAN halves pictures by `cv2.pyrDown` (Burt, Adelson 1983) before they become tensors.
    """
    taps = images.new_tensor(_BINOMIAL) / sum(_BINOMIAL)
    kernel = taps.outer(taps).expand(images.shape[1], 1, -1, -1)
    return F.conv2d(F.pad(images, (2,) * 4, "reflect"), kernel, stride=2, groups=images.shape[1])
