"""Select Faces: order, index, size and score, inside each frame."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ..faces import Faces
from ..faces.select import (
    ORDERS,
    above_score,
    by_box_size,
    largest,
    only_frames,
    parse_indices,
    sort_faces,
    take,
)
from ..host.node_api import io, schema
from ..host.page import shown
from .inputs import frames_of, naming
from .sockets import FacesSocket

NO_LIMIT = 16384


class SelectFaces(io.ComfyNode):
    """FL_FACES -> the FL_FACES that pass every rule."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomSelectFaces",
            display_name="Select Faces",
            category="FaceLoom/analysis",
            description=(
                "Keeps some of the faces. Rules apply inside each frame, one after the other: "
                "frames, score, size, order, indices, largest."
            ),
            search_aliases=["filter faces", "choose face", "face index"],
            # So that it runs alone, to pick from, and shows its picture again when nothing changed.
            is_output_node=True,
            inputs=[
                FacesSocket.Input("faces", tooltip="From Detect Faces."),
                io.Combo.Input(
                    "order",
                    options=list(ORDERS),
                    default="left-right",
                    tooltip="How the faces of a frame are numbered, from 0.",
                ),
                io.String.Input(
                    "indices",
                    default="",
                    tooltip="Numbers to keep, like 0, 2, 4-6; -1 is the last. Empty keeps all.",
                ),
                io.Boolean.Input(
                    "largest_only", default=False, tooltip="Keep only the largest of what is left."
                ),
                io.Float.Input(
                    "minimum_score",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Drop faces that the detector is less sure of.",
                ),
                io.Int.Input(
                    "minimum_size",
                    default=0,
                    min=0,
                    max=NO_LIMIT,
                    tooltip="Drop faces whose box has a side below this, in pixels.",
                ),
                io.Int.Input(
                    "maximum_size",
                    default=NO_LIMIT,
                    min=0,
                    max=NO_LIMIT,
                    tooltip="Drop faces whose box is larger than this, in pixels.",
                ),
                io.String.Input(
                    "frames",
                    default="",
                    tooltip="Frames whose faces are kept, like 0-11, 20. Empty keeps all.",
                ),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip=(
                        "The frames that the faces were found in. With it the node shows the "
                        "faces after a run, and a click on one turns its number on or off."
                    ),
                ),
            ],
            outputs=[
                FacesSocket.Output(display_name="faces"),
                io.Int.Output(display_name="count", tooltip="Faces kept in all frames together."),
            ],
        )

    @classmethod
    def execute(
        cls,
        faces: Faces,
        order: str,
        indices: str,
        largest_only: bool,
        minimum_score: float,
        minimum_size: int,
        maximum_size: int,
        frames: str,
        image: Tensor | None = None,
    ) -> io.NodeOutput:
        with naming("Select Faces"):
            ranks, places = parse_indices(indices), parse_indices(frames)
        pictures = None if image is None else frames_of(faces, image, "Select Faces")
        faces = only_frames(faces, places)
        faces = by_box_size(above_score(faces, minimum_score), minimum_size, maximum_size)
        numbered = sort_faces(faces, order)
        kept = take(numbered, ranks)
        if largest_only:
            kept = largest(kept)
        picker = None if pictures is None else _picker(pictures, numbered)
        return io.NodeOutput(kept, len(kept), ui=picker)


def _picker(frames: Tensor, faces: Faces) -> dict[str, Any]:
    """What `web/picker.js` shows: the first frame that has faces, and their boxes by number."""
    frame = int(faces.frame.min()) if len(faces) else 0
    height, width = faces.image_size
    boxes = faces.in_frame(frame).box.tolist()
    view = {"width": width, "height": height, "frame": frame, "boxes": boxes}
    return {"faceloom_picker": [view | {"pictures": shown(frames[frame : frame + 1])}]}
