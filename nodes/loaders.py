"""The loaders, one a role: a weight file becomes a model."""

from __future__ import annotations

from typing import Any, ClassVar

from .. import models
from ..host.memory import Hosted
from ..host.node_api import io, schema
from .choices import choices, fingerprint, load_choice, verdict
from .sockets import (
    AttributesSocket,
    BlenderSocket,
    DetectorSocket,
    EncoderSocket,
    HeadPoseSocket,
    InpainterSocket,
    LandmarkerSocket,
    OccluderSocket,
    ParserSocket,
    ReenactorSocket,
    RefinerSocket,
    RestorerSocket,
    SwapperSocket,
)


class _Loader(io.ComfyNode):
    """What the loaders share: one role each."""

    role: ClassVar[models.Role]
    node_id: ClassVar[str]
    socket: ClassVar[Any]
    does: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]]
    has_built_in: ClassVar[bool] = True

    @classmethod
    def define_schema(cls) -> io.Schema:
        options = choices(cls.role, cls.has_built_in)
        built_in = "'built-in' comes with FaceLoom. " if cls.has_built_in else ""
        return schema(
            node_id=cls.node_id,
            display_name=models.LOADER_NODES[cls.role],
            category="FaceLoom/loaders",
            description=f"Loads the network that {cls.does}.",
            search_aliases=list(cls.aliases),
            inputs=[
                io.Combo.Input(
                    "model",
                    options=options,
                    default=options[0],
                    tooltip=(
                        f"{built_in}A file from your model folders: its architecture is found "
                        "from its content. A download is fetched when the node runs, once; mind "
                        "its licence."
                    ),
                )
            ],
            outputs=[cls.socket.Output(display_name=cls.role.replace(" ", "_"))],
        )

    @classmethod
    def validate_inputs(cls, model: str | None) -> bool | str:
        """Take over the list's own check, because lists differ between machines and days."""
        return model is None or verdict(model, cls.role)  # None comes over a wire

    @classmethod
    def fingerprint_inputs(cls, model: str) -> str:
        """Changes when the file does."""
        return fingerprint(model, cls.role)

    @classmethod
    def execute(cls, model: str) -> io.NodeOutput:
        return io.NodeOutput(Hosted(load_choice(model, cls.role)))


class LoadFaceDetector(_Loader):
    """FL_DETECTOR from a file."""

    role = "detector"
    node_id = "FaceLoomLoadFaceDetector"
    socket = DetectorSocket
    does = "finds faces: boxes and five points"
    aliases = ("face detection", "yunet", "retinaface", "scrfd", "yoloface", "blazeface")


class LoadFaceLandmarker(_Loader):
    """FL_LANDMARKER from a file."""

    role = "landmarker"
    node_id = "FaceLoomLoadFaceLandmarker"
    socket = LandmarkerSocket
    does = "finds dense points on each face"
    aliases = ("face mesh", "facemesh", "landmarks", "mediapipe", "2d106", "2dfan", "pfld")


class LoadFaceEncoder(_Loader):
    """FL_ENCODER from a file."""

    role = "encoder"
    node_id = "FaceLoomLoadFaceEncoder"
    socket = EncoderSocket
    does = "tells people apart: a vector for each face"
    aliases = ("face recognition", "identity", "embedding", "arcface", "insightface")


class LoadFaceParser(_Loader):
    """FL_PARSER from a file."""

    role = "parser"
    node_id = "FaceLoomLoadFaceParser"
    socket = ParserSocket
    does = "tells skin, brows, eyes, nose, lips and hair apart"
    aliases = ("face parsing", "segmentation", "bisenet", "celebamask")


class LoadFaceOccluder(_Loader):
    """FL_OCCLUDER from a file."""

    role = "occluder"
    node_id = "FaceLoomLoadFaceOccluder"
    socket = OccluderSocket
    does = "sees what covers a face: hands, hair, cups"
    aliases = ("occlusion", "xseg", "mask")
    has_built_in = False


class LoadFaceAttributes(_Loader):
    """FL_ATTRIBUTES from a file."""

    role = "attributes"
    node_id = "FaceLoomLoadFaceAttributes"
    socket = AttributesSocket
    does = "guesses gender and age"
    aliases = ("gender", "age", "genderage")
    has_built_in = False


class LoadHeadPose(_Loader):
    """FL_HEAD_POSE from a file."""

    role = "head pose"
    node_id = "FaceLoomLoadHeadPose"
    socket = HeadPoseSocket
    does = "measures how heads are turned: yaw, pitch and roll"
    aliases = ("yaw", "pitch", "roll", "fsanet")
    has_built_in = False


class LoadSwapGenerator(_Loader):
    """FL_SWAPPER from a file."""

    role = "swapper"
    node_id = "FaceLoomLoadSwapGenerator"
    socket = SwapperSocket
    does = "gives a face another identity"
    aliases = ("face swap model", "ghost", "faceshifter", "aei-net", "swapper")
    has_built_in = False


class LoadFaceRefiner(_Loader):
    """FL_REFINER from a file."""

    role = "refiner"
    node_id = "FaceLoomLoadFaceRefiner"
    socket = RefinerSocket
    does = "brings back what a swap lost: hands, hair and glasses before the face"
    aliases = ("hear", "hear-net", "occlusion", "faceshifter")
    has_built_in = False


class LoadFaceRestorer(_Loader):
    """FL_RESTORER from a file."""

    role = "restorer"
    node_id = "FaceLoomLoadFaceRestorer"
    socket = RestorerSocket
    does = "sharpens blurred and damaged faces"
    aliases = ("gfpgan", "codeformer", "restoreformer", "face enhance", "super resolution")
    has_built_in = False


class LoadReenactor(_Loader):
    """FL_REENACTOR: the mesh warp, or a network from a file."""

    role = "reenactor"
    node_id = "FaceLoomLoadReenactor"
    socket = ReenactorSocket
    does = "carries a face into another one's pose and expression; built-in is the mesh warp"
    aliases = ("fsgan", "reenactment", "mesh warp")


class LoadFaceInpainter(_Loader):
    """FL_INPAINTER: the classical fill, or a network from a file."""

    role = "inpainter"
    node_id = "FaceLoomLoadFaceInpainter"
    socket = InpainterSocket
    does = "completes faces with missing parts; built-in is the classical fill"
    aliases = ("fsgan", "face completion", "inpainting")


class LoadFaceBlender(_Loader):
    """FL_BLENDER: Poisson blending, or a network from a file."""

    role = "blender"
    node_id = "FaceLoomLoadFaceBlender"
    socket = BlenderSocket
    does = "blends a face into another picture; built-in is Poisson blending"
    aliases = ("fsgan", "blending", "poisson")
