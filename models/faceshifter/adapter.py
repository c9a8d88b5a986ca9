"""FaceShifter by taotaonice as a swapper."""

from __future__ import annotations

from typing import ClassVar

from ..swapping import AEISwapper


class FaceShifter(AEISwapper):
    """A `Swapper`: the first public FaceShifter (Li et al., arXiv:1912.13457).

    Its author published the code and no weights, so the embedding's space is what was trained with.
    """

    name: ClassVar[str] = "faceshifter"
    licence: ClassVar[str] = "none stated"
    # `align_trans.py` shrinks ArcFace's template to 0.85 about the crop's middle, which is this.
    templates: ClassVar[tuple[str, ...]] = ("mtcnn_512",)
    space: ClassVar[str] = ""
    encoder: ClassVar[str] = "the IR-SE50 it was trained with, usually model_ir_se50.pth"
    # `Dataset.py` reads its pictures with OpenCV and leaves them so; so does `inference_demo.py`.
    bgr: ClassVar[bool] = True
    unit_length: ClassVar[bool] = True
