"""Head Pose, Select Faces by Gender or Age: what faces tell beside their place."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..faces import Faces
from ..faces.select import rank_in_frame
from ..host.memory import Hosted
from ..host.node_api import io, schema
from ..models import Attributes
from ..models import HeadPose as HeadPoseModel
from .chunks import faces_in_chunks
from .inputs import frames_of
from .poses import poses_of
from .sockets import AttributesSocket, FacesSocket, HeadPoseSocket

GENDERS = ("any", "female", "male")
OLDEST = 120


class HeadPose(io.ComfyNode):
    """IMAGE + FL_FACES -> the first face's angles, and a text of all."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomHeadPose",
            display_name="Head Pose",
            category="FaceLoom/analysis",
            description=(
                "Measures how heads are turned. The numbers are the first face's, so put Select "
                "Faces before it to choose one; the text lists all. No face gives zeros."
            ),
            search_aliases=["yaw pitch roll", "head rotation", "face angle", "euler angles"],
            inputs=[
                io.Image.Input("image", tooltip="The frames that the faces were found in."),
                FacesSocket.Input(
                    "faces", tooltip="From Find Landmarks; with head_pose, Detect Faces will do."
                ),
                HeadPoseSocket.Input(
                    "head_pose",
                    optional=True,
                    tooltip="From Load Head Pose. Without it the landmarks tell the pose.",
                ),
            ],
            outputs=[
                io.Float.Output(
                    display_name="yaw", tooltip="Degrees; positive looks to the image's right."
                ),
                io.Float.Output(display_name="pitch", tooltip="Degrees; positive looks up."),
                io.Float.Output(
                    display_name="roll", tooltip="Degrees; positive is turned clockwise."
                ),
                io.String.Output(display_name="text", tooltip="One line a face, frame by frame."),
            ],
        )

    @classmethod
    def execute(
        cls, image: Tensor, faces: Faces, head_pose: Hosted[HeadPoseModel] | None = None
    ) -> io.NodeOutput:
        frames = frames_of(faces, image, "Head Pose")
        if not len(faces):
            return io.NodeOutput(0.0, 0.0, 0.0, "no faces")
        poses = poses_of(frames, faces, head_pose, "Head Pose").tolist()
        lines = [
            f"yaw {yaw:+.1f}, pitch {pitch:+.1f}, roll {roll:+.1f}" for yaw, pitch, roll in poses
        ]
        return io.NodeOutput(*poses[0], _listing(faces, lines))


class SelectFacesByAttributes(io.ComfyNode):
    """IMAGE + FL_FACES + FL_ATTRIBUTES -> the FL_FACES of one gender and of some ages."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomSelectFacesByAttributes",
            display_name="Select Faces by Gender or Age",
            category="FaceLoom/analysis",
            description=(
                "Keeps the faces that a network takes for one gender and for an age in a range. "
                "Both are guesses from looks; ages are often off by five years or more."
            ),
            search_aliases=["filter gender", "male female", "age filter", "genderage"],
            inputs=[
                io.Image.Input("image", tooltip="The frames that the faces were found in."),
                FacesSocket.Input("faces", tooltip="From Detect Faces or Select Faces."),
                AttributesSocket.Input("attributes", tooltip="From Load Face Attributes."),
                io.Combo.Input(
                    "gender", options=list(GENDERS), default="any", tooltip="Which faces to keep."
                ),
                io.Int.Input(
                    "minimum_age",
                    default=0,
                    min=0,
                    max=OLDEST,
                    tooltip="Drop faces that look younger, in years.",
                ),
                io.Int.Input(
                    "maximum_age",
                    default=OLDEST,
                    min=0,
                    max=OLDEST,
                    tooltip="Drop faces that look older, in years.",
                ),
            ],
            outputs=[
                FacesSocket.Output(display_name="faces"),
                io.Int.Output(display_name="count", tooltip="Faces kept in all frames together."),
                io.String.Output(
                    display_name="text", tooltip="One line a face, also of those not kept."
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        image: Tensor,
        faces: Faces,
        attributes: Hosted[Attributes],
        gender: str,
        minimum_age: int,
        maximum_age: int,
    ) -> io.NodeOutput:
        _check_ages(minimum_age, maximum_age)
        frames = frames_of(faces, image, "Select Faces by Gender or Age")
        if not len(faces):
            return io.NodeOutput(faces, 0, "no faces")
        model = attributes.use()
        male, age = _by_chunk(lambda chunk: model.guess(frames, chunk), faces)
        # whole years, as they are shown
        years = age.round()
        kept = (years >= minimum_age) & (years <= maximum_age)
        if gender != "any":
            kept &= (male >= 0.5) == (gender == "male")
        kept = kept.to(faces.device)
        rows = zip(male.tolist(), years.tolist(), kept.tolist(), strict=True)
        text = _listing(faces, [_describe(*row) for row in rows])
        return io.NodeOutput(faces[kept], int(kept.sum()), text)


def _check_ages(minimum: int, maximum: int) -> None:
    if minimum > maximum:
        raise ValueError(
            f"Select Faces by Gender or Age: minimum_age {minimum} is above maximum_age "
            f"{maximum}, which keeps no face."
        )


def _by_chunk(ask: Callable[[Faces], tuple[Tensor, ...]], faces: Faces) -> list[Tensor]:
    """Ask a model about a few faces at a time; each of its answers for all faces."""
    answers = [ask(chunk) for chunk in faces_in_chunks(faces)]
    return [torch.cat(parts) for parts in zip(*answers, strict=True)]


def _describe(male: float, years: float, kept: bool) -> str:
    gender, sure = ("male", male) if male >= 0.5 else ("female", 1 - male)
    return f"{gender} ({sure:.0%}), {years:.0f} years, {'kept' if kept else 'dropped'}"


def _listing(faces: Faces, lines: Sequence[str]) -> str:
    """One line a face, in their order: frame, place in the frame from 0, and what is said of it."""
    places = zip(faces.frame.tolist(), rank_in_frame(faces).tolist(), lines, strict=True)
    return "\n".join(f"frame {frame}, face {place}: {line}" for frame, place, line in places)
