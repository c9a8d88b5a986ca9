"""Faces in the layouts of other packs: ComfyUI's BOUNDING_BOX, the Impact Pack's SEGS."""

from .bbox_detector import BBoxDetector
from .bounding_box import faces_from_boxes, from_bounding_boxes, to_bounding_boxes
from .segs import SEG, Segs, from_segs, to_segs

__all__ = [
    "SEG",
    "BBoxDetector",
    "Segs",
    "faces_from_boxes",
    "from_bounding_boxes",
    "from_segs",
    "to_bounding_boxes",
    "to_segs",
]
