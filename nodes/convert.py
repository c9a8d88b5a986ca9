"""Faces to and from ComfyUI's BOUNDING_BOX and Impact Pack's SEGS and BBOX_DETECTOR."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ..faces import Faces
from ..faces.convert import (
    BBoxDetector,
    from_bounding_boxes,
    from_segs,
    to_bounding_boxes,
    to_segs,
)
from ..faces.select import one_frame
from ..host.device import compute_device
from ..host.images import frames_from_image, image_from_frames
from ..host.memory import Hosted
from ..host.node_api import io, schema
from ..models import Detector
from .inputs import frames_of, naming
from .sockets import (
    BBoxDetectorSocket,
    BoundingBoxSocket,
    DetectorSocket,
    FacesSocket,
    SegsSocket,
)


class FacesToBoundingBoxes(io.ComfyNode):
    """FL_FACES -> BOUNDING_BOX."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomFacesToBoundingBoxes",
            display_name="Faces to Bounding Boxes",
            category="FaceLoom/convert",
            description="Gives the boxes as ComfyUI's own type, a list of boxes a frame.",
            search_aliases=["bbox", "faces to bbox"],
            inputs=[FacesSocket.Input("faces", tooltip="Faces to convert.")],
            outputs=[BoundingBoxSocket.Output(display_name="bounding_boxes")],
        )

    @classmethod
    def execute(cls, faces: Faces) -> io.NodeOutput:
        return io.NodeOutput(to_bounding_boxes(faces))


class BoundingBoxesToFaces(io.ComfyNode):
    """IMAGE + BOUNDING_BOX -> FL_FACES."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomBoundingBoxesToFaces",
            display_name="Bounding Boxes to Faces",
            category="FaceLoom/convert",
            description=(
                "Makes faces of boxes that another node found. The five points are guessed from "
                "the box, as for an upright frontal face; Find Landmarks finds better ones."
            ),
            search_aliases=["bbox", "bbox to faces"],
            inputs=[
                io.Image.Input("image", tooltip="The frames that the boxes belong to."),
                BoundingBoxSocket.Input("bounding_boxes", tooltip="One list of boxes a frame."),
            ],
            outputs=[FacesSocket.Output(display_name="faces")],
        )

    @classmethod
    def execute(cls, image: Tensor, bounding_boxes: Any) -> io.NodeOutput:
        frames = frames_from_image(image, "Bounding Boxes to Faces")
        size = (frames.shape[2], frames.shape[3])
        with naming("Bounding Boxes to Faces"):
            return io.NodeOutput(from_bounding_boxes(bounding_boxes, size, len(frames)))


class FacesToSegs(io.ComfyNode):
    """FL_FACES + IMAGE -> SEGS."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomFacesToSegs",
            display_name="Faces to SEGS",
            category="FaceLoom/convert",
            description="Gives the faces of one picture to Impact Pack's detailers.",
            search_aliases=["impact", "detailer", "segs"],
            inputs=[
                FacesSocket.Input("faces", tooltip="Faces of one picture."),
                io.Image.Input(
                    "image", optional=True, tooltip="The picture, to put its crops into the SEGS."
                ),
                io.Float.Input(
                    "crop_factor",
                    default=3.0,
                    min=1.0,
                    max=16.0,
                    step=0.1,
                    tooltip="Side of the crop region over that of the face's box.",
                ),
                io.Int.Input(
                    "frame",
                    default=0,
                    min=0,
                    max=99999,
                    tooltip="Which frame; SEGS hold one.",
                ),
            ],
            outputs=[SegsSocket.Output(display_name="segs")],
        )

    @classmethod
    def execute(
        cls, faces: Faces, crop_factor: float, frame: int, image: Tensor | None = None
    ) -> io.NodeOutput:
        node = "Faces to SEGS"
        frames = None if image is None else frames_of(faces, image, node)
        with naming(node):
            chosen = one_frame(faces, frame)
        picture = None if frames is None else image_from_frames(frames[frame : frame + 1])
        return io.NodeOutput(to_segs(chosen, picture, crop_factor))


class SegsToFaces(io.ComfyNode):
    """SEGS -> FL_FACES."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomSegsToFaces",
            display_name="SEGS to Faces",
            category="FaceLoom/convert",
            description="Makes faces of Impact Pack's SEGS; the five points are guessed.",
            search_aliases=["impact", "segs"],
            inputs=[SegsSocket.Input("segs", tooltip="SEGS of one picture.")],
            outputs=[FacesSocket.Output(display_name="faces")],
        )

    @classmethod
    def execute(cls, segs: Any) -> io.NodeOutput:
        with naming("SEGS to Faces"):
            return io.NodeOutput(from_segs(segs))


class DetectorToBBoxDetector(io.ComfyNode):
    """FL_DETECTOR -> BBOX_DETECTOR."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomDetectorToBBoxDetector",
            display_name="Detector to BBOX Detector",
            category="FaceLoom/convert",
            description="Lets Impact Pack's nodes, such as FaceDetailer, use a face detector.",
            search_aliases=["impact", "bbox detector", "facedetailer"],
            inputs=[DetectorSocket.Input("detector", tooltip="From Load Face Detector.")],
            outputs=[BBoxDetectorSocket.Output(display_name="bbox_detector")],
        )

    @classmethod
    def execute(cls, detector: Hosted[Detector]) -> io.NodeOutput:
        def find(image: Tensor, threshold: float) -> Faces:
            frames = frames_from_image(image, "Detector to BBOX Detector")
            return detector.use().detect(frames.to(compute_device()), threshold)

        return io.NodeOutput(BBoxDetector(find))
