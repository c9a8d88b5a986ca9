"""Align Faces, Crops to Image, Image to Crops: between frames and upright square crops."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor
from torch.nn import functional

from ..faces import Crops, Faces
from ..faces.tracklets import chronological, tracklets
from ..host.device import compute_device
from ..host.images import frames_from_image, image_from_frames
from ..host.node_api import io, schema
from ..ops.geometry import ffhq_quad, fit_pose_template, fit_similarity, square_box
from ..ops.templates import BEST_POSE, TEMPLATES, template_points
from ..ops.warp import crop
from .inputs import frames_of, mask_of, mask_output
from .sockets import CropsSocket, FacesSocket

QUAD, BOX = "ffhq_quad", "square_box"


def _matrix(faces: Faces, template: str, size: int, margin: float) -> Tensor:
    if template == BOX:
        return square_box(faces.box, size, margin)
    if template == QUAD:
        return ffhq_quad(faces.keypoints, size)
    if template == BEST_POSE:
        return _pose_matrix(faces, size)
    return fit_similarity(faces.keypoints, template_points(template, size, faces.device))


def _pose_matrix(faces: Faces, size: int) -> Tensor:
    """Fit pose templates that do not flip while a face stays in view."""
    run = tracklets(faces)
    order = chronological(faces, run)
    matrix, _ = fit_pose_template(faces.keypoints[order], size, run[order])
    return matrix[order.argsort()]


class AlignFaces(io.ComfyNode):
    """IMAGE + FL_FACES -> FL_CROPS."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomAlignFaces",
            display_name="Align Faces",
            category="FaceLoom/crops",
            description=(
                "Cuts every face out upright, as a square crop that remembers where it came from."
            ),
            search_aliases=["crop faces", "face align", "face crop"],
            inputs=[
                io.Image.Input("image", tooltip="The frames that the faces were found in."),
                FacesSocket.Input("faces", tooltip="From Detect Faces, Select Faces or others."),
                io.Combo.Input(
                    "template",
                    options=[*TEMPLATES, QUAD, BOX, BEST_POSE],
                    default="ffhq_512",
                    tooltip=(
                        "Where eyes, nose and mouth come to lie. Networks want the one they were "
                        "trained with; ffhq_512 shows the whole face."
                    ),
                ),
                io.Int.Input(
                    "size",
                    default=512,
                    min=64,
                    max=2048,
                    step=8,
                    tooltip="Side of the crop in pixels.",
                ),
                io.Float.Input(
                    "margin",
                    default=1.5,
                    min=1.0,
                    max=4.0,
                    step=0.05,
                    tooltip=f"Side of the crop over that of the face's box, for {BOX} only.",
                ),
                io.Int.Input(
                    "multiple",
                    default=8,
                    min=1,
                    max=128,
                    step=1,
                    optional=True,
                    tooltip=(
                        "The size grows to the next multiple of this. VAEs cut off what is no "
                        "multiple of 8, which would shift the face; some models want 16 or 64."
                    ),
                ),
            ],
            outputs=[CropsSocket.Output(display_name="crops")],
        )

    @classmethod
    def execute(
        cls,
        image: Tensor,
        faces: Faces,
        template: str,
        size: int,
        margin: float,
        multiple: int | None = None,
    ) -> io.NodeOutput:
        frames = frames_of(faces, image, "Align Faces")
        faces = faces.to(compute_device())
        # Prompts older than this input lack it, and keep their size.
        size += -size % (multiple or 1)
        matrix = _matrix(faces, template, size, margin)
        crops = crop(frames, matrix, faces.frame, size, padding="border")
        return io.NodeOutput(Crops(image=crops, matrix=matrix, faces=faces, template=template))


class CropsToImage(io.ComfyNode):
    """FL_CROPS -> IMAGE + MASK, for any other node."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomCropsToImage",
            display_name="Crops to Image",
            category="FaceLoom/crops",
            description=(
                "Gives the crops as an ordinary image batch and mask, so that any node can edit "
                "them. With no face at all: one black picture, which Image to Crops ignores."
            ),
            search_aliases=["faces to image", "unpack crops"],
            inputs=[CropsSocket.Input("crops", tooltip="From Align Faces or any later stage.")],
            outputs=[
                io.Image.Output(display_name="image"),
                io.Mask.Output(display_name="mask", tooltip="All white where a crop has no mask."),
            ],
        )

    @classmethod
    def execute(cls, crops: Crops) -> io.NodeOutput:
        image = crops.image if len(crops) else crops.image.new_zeros(1, 3, crops.size, crops.size)
        mask = mask_of(crops, None, "Crops to Image")
        return io.NodeOutput(image_from_frames(image), mask_output(mask))


class ImageToCrops(io.ComfyNode):
    """Edited IMAGE and MASK -> FL_CROPS that can be pasted."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomImageToCrops",
            display_name="Image to Crops",
            category="FaceLoom/crops",
            description="Puts edited pictures, or masks, back into the crops they came from.",
            search_aliases=["image to faces", "pack crops"],
            inputs=[
                CropsSocket.Input("crops", tooltip="The crops that were edited."),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip="One picture a crop, of any size; without it the crops keep theirs.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="One mask a crop, or one for all; without it the crops keep theirs.",
                ),
            ],
            outputs=[CropsSocket.Output(display_name="crops")],
        )

    @classmethod
    def execute(
        cls, crops: Crops, image: Tensor | None = None, mask: Tensor | None = None
    ) -> io.NodeOutput:
        if not len(crops):
            return io.NodeOutput(crops)
        if image is not None:
            pictures = frames_from_image(image, "Image to Crops").to(crops.device)
            if len(pictures) != len(crops):
                raise ValueError(
                    f"Image to Crops: image holds {len(pictures)} pictures for {len(crops)} "
                    "crops. Give one picture for each crop, in the order of Crops to Image."
                )
            pictures = functional.interpolate(
                pictures, size=(crops.size, crops.size), mode="bilinear", antialias=True
            )
            crops = replace(crops, image=pictures)
        if mask is not None:
            crops = replace(crops, mask=mask_of(crops, mask, "Image to Crops"))
        return io.NodeOutput(crops)
