"""FaceShifter by maum.ai as a swapper."""

from __future__ import annotations

from typing import ClassVar

from ..swapping import AEISwapper


class MaumFaceShifter(AEISwapper):
    """A `Swapper`: the FaceShifter that maum.ai trains with Lightning (arXiv:1912.13457).

    Its encoder, a ResNet-101, lies in the same checkpoint, so the embedding's space has no name.
    """

    name: ClassVar[str] = "faceshifter_maum"
    licence: ClassVar[str] = "BSD-3-Clause (MINDs Lab)"
    templates: ClassVar[tuple[str, ...]] = ("ffhq_quad", "ffhq_512")
    space: ClassVar[str] = ""
    encoder: ClassVar[str] = "the encoder it was trained with"
    # `aei_net.py` turns pictures into 0..1 and leaves them so; the output is a sigmoid's.
    signed: ClassVar[bool] = False
    unit_length: ClassVar[bool] = True
