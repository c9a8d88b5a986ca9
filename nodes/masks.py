"""Face Mask, Grow/Feather Mask: where a face is, and how softly it ends."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from ..faces import Crops
from ..host.device import compute_device
from ..host.images import mask_from_masks, masks_from_mask
from ..host.node_api import io, schema
from ..ops.blend import feather
from ..ops.face_regions import PARTS, SHAPES, face_mask
from ..ops.masks import box_mask, grow
from ..ops.skin import skin_likeness
from .chunks import in_chunks
from .inputs import landmarks_of, mask_output, naming
from .sockets import CropsSocket


class FaceMask(io.ComfyNode):
    """FL_CROPS -> FL_CROPS with a mask, and the MASK."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomFaceMask",
            display_name="Face Mask",
            category="FaceLoom/mask",
            description=(
                "Draws the mask of each face from its landmarks. Parts that are kept stay the "
                "target's own. It stays inside a mask that the crops already carry."
            ),
            search_aliases=["mask face", "face hull", "mask eyes", "mask mouth"],
            inputs=[
                CropsSocket.Input("crops", tooltip="Crops of faces with landmarks."),
                io.Combo.Input(
                    "shape",
                    options=[*SHAPES, "box"],
                    default="below brow line",
                    tooltip=(
                        "below brow line: from the brows to the chin, without forehead and hair. "
                        "face: with the forehead. hull: everything around the landmarks. "
                        "box: the crop's square with a faded border."
                    ),
                ),
                *(
                    io.Boolean.Input(
                        f"keep_{part}",
                        default=False,
                        tooltip=f"Leave the target's own {part.replace('_', ' ')}.",
                    )
                    for part in PARTS
                ),
                io.Boolean.Input(
                    "skin_only",
                    default=True,
                    tooltip=(
                        "Leave what is not coloured like the face's skin, such as hair over it. "
                        "Give the target's crops to this node, before they are swapped."
                    ),
                ),
            ],
            outputs=[
                CropsSocket.Output(display_name="crops"),
                io.Mask.Output(display_name="mask", tooltip="One mask a crop, in crop space."),
            ],
        )

    @classmethod
    def execute(cls, crops: Crops, shape: str, skin_only: bool, **keep: bool) -> io.NodeOutput:
        if shape == "box":
            mask = box_mask(len(crops), crops.size, blur=0.15, device=crops.device)
        else:
            landmarks = landmarks_of(crops, "Face Mask")
            kept = [part for part in PARTS if keep[f"keep_{part}"]]

            def draw(image: Tensor, points: Tensor) -> tuple[Tensor]:
                mask = face_mask(points, crops.size, shape, kept)
                return (mask * skin_likeness(image, points) if skin_only else mask,)

            with naming("Face Mask"):
                (mask,) = in_chunks(draw, crops.image, landmarks)
        if crops.mask is not None:
            mask = mask * crops.mask
        return io.NodeOutput(replace(crops, mask=mask), mask_output(mask))


class GrowFeatherMask(io.ComfyNode):
    """MASK -> MASK, wider or narrower, with a soft edge."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomGrowFeatherMask",
            display_name="Grow/Feather Mask",
            category="FaceLoom/mask",
            description="Grows or shrinks a mask, then softens its edge inwards.",
            search_aliases=["dilate mask", "erode mask", "blur mask", "expand mask"],
            inputs=[
                io.Mask.Input("mask", tooltip="Any mask, of crops or of frames."),
                io.Float.Input(
                    "grow",
                    default=0.0,
                    min=-512.0,
                    max=512.0,
                    step=0.5,
                    tooltip="Pixels to grow by; negative shrinks.",
                ),
                io.Float.Input(
                    "feather",
                    default=0.05,
                    min=0.0,
                    max=0.25,
                    step=0.01,
                    tooltip="Width of the soft edge, relative to the size of the masked face.",
                ),
            ],
            outputs=[io.Mask.Output(display_name="mask")],
        )

    @classmethod
    def execute(cls, mask: Tensor, grow: float, feather: float) -> io.NodeOutput:
        return io.NodeOutput(_soften(mask, grow, feather))


def _soften(mask: Tensor, pixels: float, width: float) -> Tensor:
    masks = masks_from_mask(mask, "Grow/Feather Mask").to(compute_device())
    return mask_from_masks(feather(grow(masks, pixels), width))
