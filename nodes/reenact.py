"""Reenact Face: the source's face in the target's pose and expression."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from ..faces import Crops
from ..host.device import compute_device, half_precision
from ..host.memory import Hosted
from ..host.node_api import io, schema
from ..models import Reenactor
from ..models.classical import MeshReenactor
from ..ops.face_shape import carry_shape
from ..ops.landmark_sets import MESH, convert_landmarks
from ..ops.pose_interpolation import interpolate_pose
from .chunks import in_chunks
from .inputs import landmarks_of, mask_of, mask_output, naming
from .pairing import source_row
from .sockets import CropsSocket, ReenactorSocket


class ReenactFace(io.ComfyNode):
    """Source FL_CROPS + target FL_CROPS -> FL_CROPS in the target's place."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomReenactFace",
            display_name="Reenact Face",
            category="FaceLoom/generate",
            description=(
                "Carries the source's face into the pose and expression of each target face: by "
                "the triangles of a face mesh, or by a network from Load Reenactor. The mask is "
                "the target's, less what could not be carried over."
            ),
            search_aliases=[
                "face swap",
                "mesh warp",
                "face transfer",
                "expression transfer",
                "fsgan",
                "face reenactment",
            ],
            inputs=[
                CropsSocket.Input(
                    "source",
                    tooltip=(
                        "Crops of faces with landmarks. One goes onto every target face; of "
                        "several, the first goes onto the first face of each frame, and so on, "
                        "from the start again when they run out; a face from Match Identity gets "
                        "the source of its reference's number. Their mask, such as Occlusion "
                        "Mask's, says what of them the mesh may carry; without one, colour tells "
                        "skin."
                    ),
                ),
                CropsSocket.Input("target", tooltip="Crops of the faces to replace."),
                io.Int.Input(
                    "steps",
                    default=1,
                    min=1,
                    max=8,
                    optional=True,
                    tooltip=(
                        "Networks only: more steps bridge a large turn of the head, each through "
                        "a pose in between. It needs landmarks with depth, and each step blurs."
                    ),
                ),
                ReenactorSocket.Input(
                    "reenactor",
                    optional=True,
                    tooltip="From Load Reenactor; without it, the mesh warp.",
                ),
                io.Float.Input(
                    "shape",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    optional=True,
                    tooltip=(
                        "Mesh warp only: how much of the source's shape comes along, such as the "
                        "distance of the eyes and the length of the nose. At 0 every feature lies "
                        "where the target's does."
                    ),
                ),
            ],
            outputs=[
                CropsSocket.Output(display_name="crops"),
                io.Mask.Output(display_name="mask", tooltip="Where the source could be carried."),
            ],
        )

    @classmethod
    def execute(
        cls,
        source: Crops,
        target: Crops,
        steps: int | None = None,
        reenactor: Hosted[Reenactor] | None = None,
        shape: float | None = None,
    ) -> io.NodeOutput:
        network: Reenactor = MeshReenactor() if reenactor is None else reenactor.use()
        way = Way(steps or 1, 1.0 if shape is None else shape)
        target = target if reenactor is None else target.to(compute_device())
        rows = source_row(len(source), target.faces, "Reenact Face")
        reenact = reenactment(network, source, target, rows, "Reenact Face", way)
        with naming("Reenact Face"):
            image, trust = in_chunks(reenact, rows, torch.arange(len(target)))
        mask = trust * mask_of(target, None, "Reenact Face")
        return io.NodeOutput(replace(target, image=image, mask=mask), mask_output(mask))


class Way(NamedTuple):
    """How faces come from the source's landmarks to the target's."""

    steps: int = 1
    """Poses that a network leads a face through, the last one the target's."""
    shape: float = 0.0
    """How much of the source's shape a mesh keeps, 0..1 (see `carry_shape`)."""


def reenactment(
    network: Reenactor,
    source: Crops,
    target: Crops,
    used: Tensor,
    node: str,
    way: Way,
) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Make a function that reenacts P pairs of a source and a target face.

    Args:
        network: the reenactor, on the device of `target`.
        source: crops of faces.
        target: crops whose landmarks say pose and expression.
        used: [U] int64 rows of `source` that will be asked for; no others are looked at.
        node: who asks, for errors.
        way: how faces get from their own landmarks to the target's.

    Returns:
        A function of [P] rows of `source` and [P] rows of `target`. It gives pictures
        [P, 3, S, S] in the target's crops, and [P, 1, S, S] where they can be used.

    Raises:
        ValueError: crops or landmarks are not what the reenactor reads.
    """
    for name, crops in (("source", source), ("target", target)):
        _check_crops(network, crops, name, node)
    # A clip's many faces share few sources: each of those is looked at once.
    kept = torch.unique(used.cpu())
    source = source[kept].to(target.device)
    goals = points_of(target, network.points, node)
    between = network.size > 0 and way.steps > 1
    shape = way.shape if network.points == MESH else 0.0
    starts = points_of(source, network.points, node) if between or shape else goals[:0]
    if between:
        _check_depth(starts, goals, node)
    with naming(node):
        source = network.prepare(source)

    def reenact(source_rows: Tensor, target_rows: Tensor) -> tuple[Tensor, Tensor]:
        row = torch.searchsorted(kept, source_rows.cpu()).to(target.device)
        faces, goal = source[row], goals[target_rows.to(target.device)]
        # Points that are no mesh with depth are refused by the reenactor itself.
        if shape and starts.shape[1:] == goal.shape[1:] == (MESH, 3):
            goal = carry_shape(starts[row], goal, shape)
        with half_precision():
            for step in range(1, way.steps if between else 1):
                pose = interpolate_pose(starts[row], goal, step / way.steps)
                moved, _ = network.reenact(faces, pose, target.size)
                faces = replace(faces, image=moved.float())
            image, trust = network.reenact(faces, goal, target.size)
        return image.float(), trust.float()

    return reenact


def points_of(crops: Crops, count: int, node: str) -> Tensor:
    """Landmarks [N, count, 2 or 3] of the crops' faces, in pixels of the crops.

    Raises:
        ValueError: the faces carry none, or none that can be turned into `count`.
    """
    landmarks = landmarks_of(crops, node)
    if count == MESH or not len(crops):
        return landmarks[:, :count]
    with naming(node):
        return convert_landmarks(landmarks, count)


def _check_crops(network: Reenactor, crops: Crops, name: str, node: str) -> None:
    fits = crops.size == network.size and crops.template in network.templates
    if fits or not network.size or not len(crops):
        return
    raise ValueError(
        f"{node}: {network.name} wants crops of {network.size} px aligned to "
        f"{' or '.join(network.templates)} with margin {network.margin:g}; {name} holds crops of "
        f"{crops.size} px aligned to {crops.template}. Set that in Align Faces."
    )


def _check_depth(starts: Tensor, goals: Tensor, node: str) -> None:
    if starts.shape[2] == goals.shape[2] == 3 or not len(goals):
        return
    raise ValueError(
        f"{node}: steps above 1 need landmarks with depth in source and target. Use a landmarker "
        "that gives the 468 points of a face mesh, with a reenactor that reads 68 points; or set "
        "steps to 1."
    )
