"""What travels on FaceLoom's wires: faces, aligned crops and identities."""

from .appearance_map import AppearanceMap
from .convert import (
    SEG,
    BBoxDetector,
    faces_from_boxes,
    from_bounding_boxes,
    from_segs,
    to_bounding_boxes,
    to_segs,
)
from .crops import Crops
from .faces import Faces
from .identity import Identity
from .select import (
    ORDERS,
    above_score,
    by_box_size,
    largest,
    one_frame,
    only_frames,
    parse_indices,
    rank_in_frame,
    sort_faces,
    take,
)

__all__ = [
    "ORDERS",
    "SEG",
    "AppearanceMap",
    "BBoxDetector",
    "Crops",
    "Faces",
    "Identity",
    "above_score",
    "by_box_size",
    "faces_from_boxes",
    "from_bounding_boxes",
    "from_segs",
    "largest",
    "one_frame",
    "only_frames",
    "parse_indices",
    "rank_in_frame",
    "sort_faces",
    "take",
    "to_bounding_boxes",
    "to_segs",
]
