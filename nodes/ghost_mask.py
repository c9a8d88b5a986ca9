"""GHOST Mask: the mask of a swapped face, by how its jaw differs from the target's."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ..faces import Crops
from ..faces.tracklets import first_in_view, tracklets
from ..host.memory import Hosted
from ..host.node_api import io, schema
from ..models import Landmarker
from ..ops.ghost_mask import ghost_mask, growth_of, jaw_offset
from .chunks import in_chunks
from .inputs import check_pair, mask_output, naming
from .sockets import CropsSocket, LandmarkerSocket


class GhostMask(io.ComfyNode):
    """Swapped FL_CROPS + target FL_CROPS + FL_LANDMARKER -> FL_CROPS with a mask, and the MASK."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomGhostMask",
            display_name="GHOST Mask",
            category="FaceLoom/mask",
            description=(
                "Draws the mask of each swapped face as GHOST does: raised over the brows, and "
                "shrunk where the new face is narrower than the target's, so that no background "
                "comes with it. It stays inside a mask that the crops already carry."
            ),
            search_aliases=["ghost", "mask face", "face hull", "adaptive mask"],
            inputs=[
                CropsSocket.Input(
                    "crops",
                    tooltip=(
                        "The swapped crops. Widths are made for faces as large as in ArcFace's "
                        "and GHOST's templates; in wider crops the mask shrinks more."
                    ),
                ),
                CropsSocket.Input("target", tooltip="The same crops before the swap."),
                LandmarkerSocket.Input("landmarker", tooltip="From Load Face Landmarker."),
                io.Boolean.Input(
                    "hold",
                    default=True,
                    tooltip=(
                        "Of a face that stays in view, only the first frame decides how much the "
                        "mask shrinks, so that it does not pulse. Switch off for a batch of "
                        "unrelated pictures."
                    ),
                ),
            ],
            outputs=[
                CropsSocket.Output(display_name="crops"),
                io.Mask.Output(display_name="mask", tooltip="One mask a crop, in crop space."),
            ],
        )

    @classmethod
    def execute(
        cls, crops: Crops, target: Crops, landmarker: Hosted[Landmarker], hold: bool = True
    ) -> io.NodeOutput:
        target = check_pair(crops, target, "GHOST Mask")
        if not len(crops):
            mask = crops.image[:, :1]
            return io.NodeOutput(replace(crops, mask=mask), mask_output(mask))
        with naming("GHOST Mask"):
            mask = _draw(crops, target, landmarker.use(), hold)
        if crops.mask is not None:
            mask = mask * crops.mask
        return io.NodeOutput(replace(crops, mask=mask), mask_output(mask))


def _draw(crops: Crops, target: Crops, network: Landmarker, hold: bool) -> Tensor:
    """The masks [N, 1, S, S], before those that the crops carry."""
    size = crops.size
    run = torch.arange(len(crops), device=crops.device)
    first = run
    if hold:
        faces = crops.faces.to(crops.device)
        run = tracklets(faces)
        first = first_in_view(faces, run)
    result = _landmarks(crops, network)
    growth = growth_of(jaw_offset(result[first], _landmarks(target[first], network), size))

    def draw(points: Tensor, rows: Tensor) -> tuple[Tensor]:
        return (ghost_mask(points, size, rows),)

    return in_chunks(draw, result, growth[run])[0]


def _landmarks(crops: Crops, network: Landmarker) -> Tensor:
    """Find landmarks [N, L, 2 or 3] in the crops' own pictures, in pixels of the crops."""

    def find(rows: Tensor) -> tuple[Tensor]:
        pictures = crops[rows].as_frames()
        found = network.find(pictures.image, pictures.faces).landmarks
        if found is None:
            raise ValueError("this landmarker gives no landmarks. Use Load Face Landmarker.")
        return (found,)

    return in_chunks(find, torch.arange(len(crops), device=crops.device))[0]
