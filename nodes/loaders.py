"""Load Face Detector, Load Face Landmarker: a weight file becomes a model with a role."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from .. import models
from ..host.folders import advice, find_model, model_files
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


def _find(model: str, role: models.Role) -> Path:
    if model != AUTO:
        return find_model(model)
    try:
        return find_model(models.choose(role, model_files()))
    except models.CheckpointError as error:
        raise models.CheckpointError(f"{error} {advice()}") from error


class _Loader(io.ComfyNode):
    """What the loaders share: one role each."""

    role: ClassVar[models.Role]

    @classmethod
    def fingerprint_inputs(cls, model: str) -> str:
        """Changes when the file does; a missing one is reported when the node runs."""
        try:
            path = _find(model, cls.role)
        except (models.CheckpointError, OSError, ValueError):
            return "missing"
        return f"{path} {path.stat().st_mtime_ns}"

    @classmethod
    def execute(cls, model: str) -> io.NodeOutput:
        return io.NodeOutput(Hosted(models.load(_find(model, cls.role), cls.role)))


class LoadFaceDetector(_Loader):
    """FL_DETECTOR from a file."""

    role = "detector"

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


class LoadFaceLandmarker(_Loader):
    """FL_LANDMARKER from a file."""

    role = "landmarker"

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
