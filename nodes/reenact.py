"""Reenact Face: the source's face in the target's pose and expression."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ..faces import Crops
from ..host.node_api import io, schema
from ..ops.reenact import reenact_mesh
from ..ops.skin import skin_likeness
from .chunks import in_chunks
from .inputs import landmarks_of, mask_of, mask_output, naming
from .pairing import source_row
from .sockets import CropsSocket


class ReenactFace(io.ComfyNode):
    """Source FL_CROPS + target FL_CROPS -> FL_CROPS in the target's place."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomReenactFace",
            display_name="Reenact Face",
            category="FaceLoom/generate",
            description=(
                "Carries the source's face into the pose and expression of each target face, by "
                "the triangles of a face mesh and without a network. The mask is the target's, "
                "less what could not be carried over: eyes or a mouth shut in one face and open "
                "in the other, and what the source hides."
            ),
            search_aliases=["face swap", "mesh warp", "face transfer", "expression transfer"],
            inputs=[
                CropsSocket.Input(
                    "source",
                    tooltip=(
                        "Crops of faces with landmarks. One goes onto every target face; of "
                        "several, the first goes onto the first face of each frame, and so on, "
                        "from the start again when they run out; a face from Match Identity gets "
                        "the source of its reference's number. Their mask, such as Occlusion "
                        "Mask's, says what of them may be carried; without one, colour tells skin."
                    ),
                ),
                CropsSocket.Input("target", tooltip="Crops of the faces to replace."),
            ],
            outputs=[
                CropsSocket.Output(display_name="crops"),
                io.Mask.Output(display_name="mask", tooltip="Where the source could be carried."),
            ],
        )

    @classmethod
    def execute(cls, source: Crops, target: Crops) -> io.NodeOutput:
        # A clip's many faces share few sources: each of those is looked at once.
        rows = source_row(len(source), target.faces, "Reenact Face").to(target.device)
        used, row = torch.unique(rows, return_inverse=True)
        source = source[used].to(target.device)
        points, goals = (landmarks_of(crops, "Reenact Face") for crops in (source, target))

        def reenact(row: Tensor, goal: Tensor) -> tuple[Tensor, Tensor]:
            return reenact_mesh(source.image[row], skin[row], points[row], goal, target.size)

        with naming("Reenact Face"):
            skin = skin_likeness(source.image, points) if source.mask is None else source.mask
            image, trust = in_chunks(reenact, row, goals)
        mask = trust * mask_of(target, None, "Reenact Face")
        return io.NodeOutput(replace(target, image=image, mask=mask), mask_output(mask))
