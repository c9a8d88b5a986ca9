"""A detector of ours in the shape of the Impact Pack's BBOX_DETECTOR."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..faces import Faces
from ..select import shorter_side
from .segs import Segs, assemble_segs, box_mask, crop_region


class BBoxDetector:
    """Lets FaceDetailer and the other users of BBOX_DETECTOR search with any face detector.

    The methods have the names and parameters of the Impact Pack's detectors.
    """

    def __init__(self, find_faces: Callable[[Tensor, float], Faces]) -> None:
        """Wrap a detector.

        Args:
            find_faces: maps a picture [1, H, W, 3] float 0..1 and the lowest score of a face to
                the faces of the picture.
        """
        self._find_faces = find_faces

    def detect(
        self,
        image: Tensor,
        threshold: float,
        dilation: int,
        crop_factor: float,
        drop_size: int = 1,
        detailer_hook: Any = None,
    ) -> Segs:
        """Find faces as SEGS.

        Args:
            image: [1, H, W, 3] float 0..1.
            threshold: lowest score of a face.
            dilation: px by which the sides of the masks grow; negative ones shrink.
            crop_factor: sides of the crop region over those of the box, at least 1.
            drop_size: faces with a side of this many px or less are dropped.
            detailer_hook: none, or an object of the Impact Pack that may change crop regions
                (`post_crop_region`) and the result (`post_detection`).

        Raises:
            ValueError: a batch of pictures, or a factor below 1.
        """
        faces = self._find(image, threshold, drop_size)
        height, width = faces.image_size
        regions = []
        for box in faces.box.tolist():
            region = crop_region(box, faces.image_size, crop_factor)
            if detailer_hook is not None:
                region = detailer_hook.post_crop_region(width, height, box, region)
            regions.append([int(edge) for edge in region])
        segs = assemble_segs(faces, regions, image, dilation=dilation)
        if hasattr(detailer_hook, "post_detection"):
            segs = detailer_hook.post_detection(segs)
        return segs

    def detect_combined(self, image: Tensor, threshold: float, dilation: int) -> Tensor:
        """Find faces as one mask.

        Args:
            image: [1, H, W, 3] float 0..1.
            threshold: lowest score of a face.
            dilation: px by which the sides of the boxes grow; negative ones shrink.

        Returns:
            [H, W] float32 on the CPU, 1 inside any box; the callers add the batch dimension.
        """
        faces = self._find(image, threshold, drop_size=1)
        height, width = faces.image_size
        combined = torch.zeros(height, width)
        for box in faces.box.tolist():
            combined = combined.maximum(box_mask(box, [0, 0, width, height], dilation))
        return combined

    def setAux(self, x: Any) -> None:  # noqa: N802  (callers know it by this name)
        """Ignore `x`, the text that prompts open-vocabulary detectors."""

    def _find(self, image: Tensor, threshold: float, drop_size: int) -> Faces:
        if image.ndim != 4 or image.shape[0] != 1:
            raise ValueError(
                f"A BBOX_DETECTOR takes one picture [1, H, W, 3], got {list(image.shape)}; "
                "split the batch first."
            )
        faces = self._find_faces(image, threshold).to("cpu")
        return faces[shorter_side(faces) > max(drop_size, 1)]
