"""Load Face Detector, Load Face Landmarker: a weight file becomes a model with a role."""

from __future__ import annotations

from typing import Any

from .. import models
from ..host.folders import find_model, model_files
from ..host.memory import Hosted
from ..host.node_api import io, schema
from .sockets import DetectorSocket, LandmarkerSocket

AUTO = "auto"


def _model_input(role: models.Role) -> Any:
    return io.Combo.Input(
        "model",
        options=[AUTO, *model_files()],
        default=AUTO,
        tooltip=(
            f"Weight file of a {role}; its architecture is found from its content. "
            f"'{AUTO}' takes the first usual one on disk: {', '.join(models.usual_files(role))}."
        ),
    )


def _load(model: str, role: models.Role) -> Hosted[models.Model]:
    name = models.choose(role, model_files()) if model == AUTO else model
    return Hosted(models.load(find_model(name), role))


class LoadFaceDetector(io.ComfyNode):
    """FL_DETECTOR from a file."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomLoadFaceDetector",
            display_name="Load Face Detector",
            category="FaceLoom/loaders",
            description="Loads the network that finds faces: boxes and five points.",
            search_aliases=["face detection", "yunet", "retinaface", "scrfd"],
            inputs=[_model_input("detector")],
            outputs=[DetectorSocket.Output(display_name="detector")],
        )

    @classmethod
    def execute(cls, model: str) -> io.NodeOutput:
        return io.NodeOutput(_load(model, "detector"))


class LoadFaceLandmarker(io.ComfyNode):
    """FL_LANDMARKER from a file."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomLoadFaceLandmarker",
            display_name="Load Face Landmarker",
            category="FaceLoom/loaders",
            description="Loads the network that finds dense points on each face.",
            search_aliases=["face mesh", "facemesh", "landmarks", "mediapipe"],
            inputs=[_model_input("landmarker")],
            outputs=[LandmarkerSocket.Output(display_name="landmarker")],
        )

    @classmethod
    def execute(cls, model: str) -> io.NodeOutput:
        return io.NodeOutput(_load(model, "landmarker"))
