"""Detect Faces, Find Landmarks."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from ..faces import Faces
from ..host.device import compute_device
from ..host.images import frames_from_image
from ..host.memory import Hosted
from ..host.node_api import advanced, io, schema
from ..models import Detector, Landmarker
from ..models.views import ANGLES, detect_views
from ..ops.landmark_sets import keypoints_from_landmarks
from .chunks import faces_in_chunks, frames_in_chunks
from .inputs import frames_of
from .sockets import DetectorSocket, FacesSocket, LandmarkerSocket

ROTATED_COPIES = {"off": (0,), "90, 180 and 270 degrees": ANGLES}
"""Angles of the views behind each choice of the widget."""


class DetectFaces(io.ComfyNode):
    """IMAGE + FL_DETECTOR -> FL_FACES."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomDetectFaces",
            display_name="Detect Faces",
            category="FaceLoom/analysis",
            description="Finds every face of every frame. Frames without a face are fine.",
            search_aliases=["face detection", "find faces", "bounding box"],
            inputs=[
                io.Image.Input("image", tooltip="One picture or a batch of frames."),
                DetectorSocket.Input("detector", tooltip="From Load Face Detector."),
                io.Float.Input(
                    "threshold",
                    default=0.6,
                    min=0.05,
                    max=0.99,
                    step=0.01,
                    tooltip="Lowest score of a face. Lower finds more, wrong ones too.",
                ),
                io.Int.Input(
                    "detection_size",
                    default=640,
                    min=0,
                    max=4096,
                    step=32,
                    tooltip=(
                        "Long side in pixels at which the frame is searched; 0 takes the frame as "
                        "it is. Larger finds smaller faces and takes longer."
                    ),
                ),
                advanced(
                    io.Combo.Input(
                        "rotated_copies",
                        options=list(ROTATED_COPIES),
                        default="off",
                        optional=True,
                        tooltip=(
                            "Also search the frame turned by a quarter, a half and three quarters, "
                            "for people lying down or upside down. Takes four times as long and "
                            "finds a few more wrong faces."
                        ),
                    )
                ),
                advanced(
                    io.Int.Input(
                        "second_size",
                        default=0,
                        min=0,
                        max=4096,
                        step=32,
                        optional=True,
                        tooltip=(
                            "Also search at this long side, for frames with large and small faces: "
                            "320 beside 1280, say. 0 searches at detection_size only."
                        ),
                    )
                ),
            ],
            outputs=[
                FacesSocket.Output(display_name="faces"),
                io.Int.Output(display_name="count", tooltip="Faces in all frames together."),
            ],
        )

    @classmethod
    def execute(
        cls,
        image: Tensor,
        detector: Hosted[Detector],
        threshold: float,
        detection_size: int,
        rotated_copies: str | None = None,
        second_size: int | None = None,
    ) -> io.NodeOutput:
        frames = frames_from_image(image, "Detect Faces")
        angles = ROTATED_COPIES[rotated_copies or "off"]
        sizes = [detection_size, *([second_size] if second_size else [])]
        network = detector.use()
        parts = [Faces.empty((frames.shape[2], frames.shape[3]), 0, compute_device())]
        for chunk in frames_in_chunks(frames):
            parts.append(detect_views(network, chunk, threshold, sizes, angles))
        faces = Faces.cat_frames(parts)
        return io.NodeOutput(faces, len(faces))


class FindLandmarks(io.ComfyNode):
    """IMAGE + FL_FACES + FL_LANDMARKER -> FL_FACES with landmarks."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomFindLandmarks",
            display_name="Find Landmarks",
            category="FaceLoom/analysis",
            description="Adds dense points to each face; Reenact Face and Face Mask need them.",
            search_aliases=["face mesh", "landmarks", "keypoints"],
            inputs=[
                io.Image.Input("image", tooltip="The frames that the faces were found in."),
                FacesSocket.Input("faces", tooltip="From Detect Faces or Select Faces."),
                LandmarkerSocket.Input("landmarker", tooltip="From Load Face Landmarker."),
                io.Boolean.Input(
                    "refine_keypoints",
                    default=True,
                    tooltip=(
                        "Replace the five points of each face, by which it is aligned, by those "
                        "of the landmarks: they are closer, above all on tilted heads."
                    ),
                ),
            ],
            outputs=[FacesSocket.Output(display_name="faces")],
        )

    @classmethod
    def execute(
        cls,
        image: Tensor,
        faces: Faces,
        landmarker: Hosted[Landmarker],
        refine_keypoints: bool = True,
    ) -> io.NodeOutput:
        frames = frames_of(faces, image, "Find Landmarks")
        if not len(faces):
            return io.NodeOutput(faces)
        network = landmarker.use()
        found = Faces.cat([network.find(frames, chunk) for chunk in faces_in_chunks(faces)])
        if refine_keypoints and found.landmarks is not None:
            found = replace(found, keypoints=keypoints_from_landmarks(found.landmarks))
        return io.NodeOutput(found)
