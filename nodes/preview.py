"""Preview Faces: boxes, points and numbers drawn over the frames."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ..faces import Faces
from ..faces.select import rank_in_frame
from ..host.images import frames_from_image, image_from_frames
from ..host.node_api import io, schema
from ..host.page import shown
from ..ops.draw import draw_boxes, draw_labels, draw_points
from .inputs import frames_of
from .sockets import FacesSocket

BOX_COLOUR, POINT_COLOUR, MESH_COLOUR = (0.2, 0.9, 0.4), (1.0, 0.3, 0.2), (0.3, 0.7, 1.0)


class PreviewFaces(io.ComfyNode):
    """IMAGE + FL_FACES -> IMAGE to look at."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomPreviewFaces",
            display_name="Preview Faces",
            category="FaceLoom/analysis",
            description=(
                "Draws boxes, points and numbers. A number is the index that Select Faces "
                "understands, in the order the faces arrive in."
            ),
            search_aliases=["draw faces", "show boxes", "face debug", "compare", "before after"],
            # So that it shows its pictures with nothing behind it, and when nothing changed.
            is_output_node=True,
            inputs=[
                io.Image.Input("image", tooltip="The frames that the faces were found in."),
                FacesSocket.Input("faces", tooltip="Faces to draw."),
                io.Boolean.Input("boxes", default=True, tooltip="Draw the boxes."),
                io.Boolean.Input("points", default=True, tooltip="Draw points and landmarks."),
                io.Boolean.Input("numbers", default=True, tooltip="Draw the index of each face."),
                io.Image.Input(
                    "before",
                    optional=True,
                    tooltip=(
                        "A picture to compare with: the node shows it beside the drawn one, its "
                        "first frame, with a divider to drag."
                    ),
                ),
            ],
            outputs=[io.Image.Output(display_name="image")],
        )

    @classmethod
    def execute(
        cls,
        image: Tensor,
        faces: Faces,
        boxes: bool,
        points: bool,
        numbers: bool,
        before: Tensor | None = None,
    ) -> io.NodeOutput:
        frames = frames_of(faces, image, "Preview Faces")
        faces = faces.to(frames.device)
        fine = max(0.5, min(frames.shape[2:]) / 800)
        if points and faces.landmarks is not None:
            frames = draw_points(frames, faces.landmarks[..., :2], faces.frame, MESH_COLOUR, fine)
        if points:
            frames = draw_points(frames, faces.keypoints, faces.frame, POINT_COLOUR, 2 * fine)
        if boxes:
            frames = draw_boxes(frames, faces.box, faces.frame, BOX_COLOUR)
        if numbers:
            ranks = rank_in_frame(faces).tolist()
            frames = draw_labels(frames, faces.box[:, :2], faces.frame, ranks, BOX_COLOUR)
        return io.NodeOutput(image_from_frames(frames), ui=_comparison(before, frames))


def _comparison(before: Tensor | None, after: Tensor) -> dict[str, Any] | None:
    """What `web/compare.js` shows: the first frame of both."""
    if before is None:
        return None
    first = frames_from_image(before, "Preview Faces", "before")[:1]
    return {"faceloom_compare": [{"before": shown(first), "after": shown(after[:1])}]}
