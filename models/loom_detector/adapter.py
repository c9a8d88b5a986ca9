"""FaceLoom's own detector as a detector."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from ...faces import Faces
from ..candidates import faces_among
from ..frames import check_frames
from ..letterbox import letterbox
from ..roles import Role
from ..suppression import best_boxes
from .closer import look_closer
from .network import STRIDES, decode

_OVERLAP = 0.35  # of two boxes of one face
_REACH = 192  # longest side of the pictures it was trained on: larger faces it does not know
_STEP = 4  # from one look to the next
_FAINTEST = 0.1  # score below which a candidate gets no closer look


@dataclass(frozen=True, eq=False)
class LoomDetector:
    """A `Detector` for faces turned any way in the plane, which FaceLoom ships.

    It looks at a frame at the asked size, and again at a quarter of it, and so on until the whole
    frame is a picture of the size that it was trained on; so faces that fill a frame are found.
    Then it looks closer at each candidate, which places the points and drops most false ones, and
    once more at each face. A score is the geometric mean of all three looks'.
    """

    network: nn.Module
    """Maps RGB 0..1 to what `decode` reads."""
    name: ClassVar[str] = "loom_detector"
    role: ClassVar[Role] = "detector"
    licence: ClassVar[str] = "research only (pictures it was trained on)"

    @torch.no_grad()
    def detect(self, frames: Tensor, threshold: float, size: int = 640) -> Faces:
        """Find the faces of each frame; see `Detector.detect`."""
        check_frames("FaceLoom's detector", frames)
        looks = [self.look(frames, side) for side in look_sizes(max(frames.shape[-2:]), size)]
        scores, boxes, points = (torch.cat(parts, 1) for parts in zip(*looks, strict=True))
        # The closer look gives 1 at most, so what is fainter than this cannot reach the threshold.
        faint = max(threshold**2, _FAINTEST)
        first = faces_among(frames, scores, boxes, points, faint, _OVERLAP)
        sure, box, keypoints = look_closer(
            self.network, frames, first.frame, first.box, first.keypoints
        )
        score = (first.score * sure).sqrt()
        faces = _once(replace(first, box=box, keypoints=keypoints, score=score), threshold)
        faces = self._settled(frames, faces)
        return faces[faces.score >= threshold]

    def _settled(self, frames: Tensor, faces: Faces) -> Faces:
        """Look closer once more, from the place found by now, and take the middle of both."""
        sure, box, keypoints = look_closer(
            self.network, frames, faces.frame, faces.box, faces.keypoints
        )
        share = 0.5 * (sure > 0)[:, None]
        box = torch.lerp(faces.box, box, share)
        keypoints = torch.lerp(faces.keypoints, keypoints, share[..., None])
        score = (faces.score.square() * sure).pow(1 / 3)
        return replace(faces, box=box, keypoints=keypoints, score=score)

    @torch.no_grad()
    def look(self, frames: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
        """Run the network on frames [B, 3, H, W] reduced to a longest side of `size`.

        Returns:
            Scores [B, A] 0..1, boxes [B, A, 4] and points [B, A, 5, 2] in frame pixels.
        """
        canvas, scale = letterbox(frames, size, STRIDES[-1])
        logits, boxes, points = decode(self.network(canvas))
        return logits.sigmoid(), boxes / scale.repeat(2), points / scale


def look_sizes(longest: int, size: int) -> list[int]:
    """Longest sides at which a frame is looked at, where `size` is `Detector.detect`'s."""
    sizes = [min(longest, size or longest)]
    while sizes[-1] > _REACH:
        sizes.append(-(-sizes[-1] // _STEP))
    return sizes


def _once(faces: Faces, threshold: float) -> Faces:
    """Drop faces below the threshold, and those that overlap a better one of their frame."""
    side = max(faces.image_size)
    # Set apart from one another, boxes of different frames do not overlap.
    apart = faces.box.clamp(-side, 2 * side) + 4 * side * faces.frame[:, None]
    # A score of 0 is a face that the closer look did not find, whatever the threshold.
    least = max(threshold, _FAINTEST**2)
    _, kept = best_boxes(apart[None], faces.score[None], least, _OVERLAP)
    return faces[kept[faces.frame[kept].argsort(stable=True)]]
