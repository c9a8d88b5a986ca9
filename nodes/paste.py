"""Paste Faces: crops go back into their frames."""

from __future__ import annotations

import torch
from torch import Tensor

from ..faces import Crops
from ..host.images import frames_from_image, image_from_frames, mask_from_masks
from ..host.node_api import io, schema
from ..ops.paste import paste, paste_masks
from .inputs import frames_of, mask_of
from .sockets import CropsSocket


class PasteFaces(io.ComfyNode):
    """IMAGE + FL_CROPS -> IMAGE, and the MASK of what changed."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomPasteFaces",
            display_name="Paste Faces",
            category="FaceLoom/crops",
            description=(
                "Puts every crop back into its frame, softly along its mask. Pixels outside the "
                "masks stay as they are, frames without a face bit for bit."
            ),
            search_aliases=["paste back", "uncrop faces", "stitch"],
            inputs=[
                io.Image.Input("image", tooltip="The frames that the crops were cut from."),
                CropsSocket.Input("crops", tooltip="From Blend Faces, Image to Crops or others."),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="One mask a crop, or one for all, instead of the crops' own.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="image"),
                io.Mask.Output(display_name="mask", tooltip="Where the frames changed."),
            ],
        )

    @classmethod
    def execute(cls, image: Tensor, crops: Crops, mask: Tensor | None = None) -> io.NodeOutput:
        frames = frames_of(crops.faces, image, "Paste Faces")
        masks, frame = mask_of(crops, mask, "Paste Faces"), crops.faces.frame
        pasted = paste(frames, crops.image, masks, crops.matrix, frame)
        size, device = crops.faces.image_size, frames.device
        changed = paste_masks(masks, crops.matrix, frame, len(frames), size, device)
        return io.NodeOutput(
            _with_alpha(image_from_frames(pasted), image), mask_from_masks(changed)
        )


def _with_alpha(pasted: Tensor, image: Tensor) -> Tensor:
    """Give an RGBA picture its alpha channel back."""
    if image.shape[-1] != 4:
        return pasted
    alpha = image_from_frames(frames_from_image(image[..., 3:], "Paste Faces"))
    return torch.cat([pasted, alpha[..., :1]], dim=-1)
