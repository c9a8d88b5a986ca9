"""Smooth Faces: faces that do not tremble from frame to frame."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ..faces import Faces
from ..faces.tracklets import chronological, tracklets
from ..host.node_api import io, schema
from ..ops.temporal import smooth_runs, split_runs
from .sockets import FacesSocket

LEFT_EYE, NOSE = 0, 2
"""The keypoints whose jump is a cut, as in GHOST."""


class SmoothFaces(io.ComfyNode):
    """FL_FACES -> the same FL_FACES, smoothed along time."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomSmoothFaces",
            display_name="Smooth Faces",
            category="FaceLoom/analysis",
            description=(
                "Averages box, points and landmarks of each face over neighbouring frames of a "
                "video, so that crops do not tremble. A single picture stays as it is."
            ),
            search_aliases=["stabilize faces", "temporal smoothing", "jitter", "flicker", "video"],
            inputs=[
                FacesSocket.Input(
                    "faces", tooltip="Faces of successive frames, before Align Faces."
                ),
                io.Int.Input(
                    "reach",
                    default=2,
                    min=0,
                    max=30,
                    tooltip="Frames to average on each side. 0 changes nothing.",
                ),
                io.Float.Input(
                    "cut",
                    default=0.07,
                    min=0.0,
                    max=2.0,
                    step=0.01,
                    tooltip=(
                        "Nothing is averaged across two frames between which the left eye or the "
                        "nose goes further than this: a cut, or quick motion. Relative to the "
                        "face: the way between the eyes, or from eyes to mouth if that is longer. "
                        "0.07 is GHOST's 5 px for a face as large as in its crops."
                    ),
                ),
            ],
            outputs=[FacesSocket.Output(display_name="faces")],
        )

    @classmethod
    def execute(cls, faces: Faces, reach: int, cut: float) -> io.NodeOutput:
        run = tracklets(faces)
        order = chronological(faces, run)
        ordered = faces[order]
        watched = ordered.keypoints[:, [LEFT_EYE, NOSE]]
        piece = split_runs(run[order], watched, cut * face_scale(ordered.keypoints))
        landmarks = ordered.landmarks
        smoothed = replace(
            ordered,
            box=smooth_runs(ordered.box, piece, reach),
            keypoints=smooth_runs(ordered.keypoints, piece, reach),
            landmarks=None if landmarks is None else smooth_runs(landmarks, piece, reach),
        )
        return io.NodeOutput(smoothed[order.argsort()])


def face_scale(keypoints: Tensor) -> Tensor:
    """How large faces are, turned ones too: [N, 5, 2] -> [N] in pixels.

    The way between the eyes or from their middle to the mouth's, whichever is longer: 72 px in a
    frontal crop of GHOST's 224.
    """
    left_eye, right_eye, _, left_mouth, right_mouth = keypoints.unbind(1)
    across = right_eye - left_eye
    down = (left_mouth + right_mouth - left_eye - right_eye) / 2
    return torch.maximum(_length(across), _length(down))


def _length(vector: Tensor) -> Tensor:
    length: Tensor = torch.linalg.vector_norm(vector, dim=-1)
    return length
