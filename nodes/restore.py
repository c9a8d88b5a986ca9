"""Restore Face: sharp skin, eyes and teeth for blurred crops."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from ..faces import Crops
from ..host.device import compute_device
from ..host.memory import Hosted
from ..host.node_api import io, schema
from ..host.upscale_models import UpscaleModel, on_device, upscale
from ..models import Restorer, Role
from ..models.restoring import restored, scaled
from ..models.spandrel_restorer.adapter import LICENCES, SpandrelRestorer
from .chunks import in_chunks
from .inputs import mask_of
from .sockets import CropsSocket, RestorerSocket, UpscaleModelSocket


class RestoreFace(io.ComfyNode):
    """FL_CROPS + FL_RESTORER or UPSCALE_MODEL -> FL_CROPS."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomRestoreFace",
            display_name="Restore Face",
            category="FaceLoom/restore",
            description=(
                "Gives blurred faces their detail back, such as a swap of 256 pixels. Each face "
                "is shown to the restorer as it was trained to see faces, and the result is "
                "brought back into the crop; what lies outside stays as it is. Any upscale model "
                "works too, on the crop itself."
            ),
            search_aliases=[
                "face restore",
                "face enhance",
                "gfpgan",
                "codeformer",
                "restoreformer",
                "face detailer",
                "upscale face",
            ],
            inputs=[
                CropsSocket.Input("crops", tooltip="Crops of any size and template."),
                io.Float.Input(
                    "strength",
                    # What the network gives: a lower default would hide what it does to likeness.
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip=(
                        "1 is what the restorer gives, 0 leaves the crops as they are. 0.5 to 0.8 "
                        "keeps more of the skin and of the likeness."
                    ),
                ),
                io.Float.Input(
                    "fidelity",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip=(
                        "CodeFormer's w: 1 keeps to the picture, 0 invents a clean face. Other "
                        "restorers ignore it."
                    ),
                ),
                io.Boolean.Input(
                    "batch_statistics",
                    default=False,
                    tooltip=(
                        "GHOST's super-resolution net only: normalise by the faces of a batch, as "
                        "GHOST runs it. A face then depends on those beside it, 8 at a time."
                    ),
                ),
                io.Int.Input(
                    "size",
                    default=0,
                    min=0,
                    max=2048,
                    step=8,
                    tooltip=(
                        "Side of the crops that come out, so that small ones can hold the new "
                        "detail; 0 keeps theirs. A target for Blend Faces then comes from an "
                        "Align Faces of the same template and of this size."
                    ),
                ),
                RestorerSocket.Input(
                    "restorer",
                    optional=True,
                    tooltip="From Load Face Restorer; this or an upscale model.",
                ),
                UpscaleModelSocket.Input(
                    "upscale_model",
                    optional=True,
                    tooltip=(
                        "From ComfyUI's Load Upscale Model, instead of a restorer. A face restorer "
                        "among them sees the face aligned; others enlarge the crop itself."
                    ),
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Where to restore: one for all crops or one a crop, in crop space.",
                ),
            ],
            outputs=[CropsSocket.Output(display_name="crops")],
        )

    @classmethod
    def execute(
        cls,
        crops: Crops,
        strength: float,
        fidelity: float,
        batch_statistics: bool,
        size: int,
        restorer: Hosted[Restorer] | None = None,
        upscale_model: UpscaleModel | None = None,
        mask: Tensor | None = None,
    ) -> io.NodeOutput:
        crops = crops.to(compute_device())
        own = scaled(crops, size or crops.size)
        bare = replace(own, mask=None)  # Theirs says where they are pasted, not where to restore.
        share = strength * mask_of(bare, mask, "Restore Face")
        with _restorer(restorer, upscale_model) as network:

            def restore(rows: Tensor) -> tuple[Tensor]:
                image, seen = restored(crops[rows], network, own.size, fidelity, batch_statistics)
                return (torch.lerp(own.image[rows], image, share[rows] * seen),)

            (image,) = in_chunks(restore, torch.arange(len(crops), device=crops.device))
        return io.NodeOutput(replace(own, image=image))


@dataclass(frozen=True, eq=False)
class _Upscaler:
    """A `Restorer` that enlarges crops of any size and alignment."""

    model: UpscaleModel
    role: ClassVar[Role] = "restorer"
    size: ClassVar[int] = 0
    templates: ClassVar[tuple[str, ...]] = ()
    licence: ClassVar[str] = ""

    @property
    def name(self) -> str:
        """Name of the architecture, as spandrel has it."""
        return str(self.model.architecture.id)

    @property
    def network(self) -> nn.Module:
        """The network itself."""
        return self.model.model

    def restore(self, images: Tensor, fidelity: float, batch_statistics: bool = False) -> Tensor:
        """See `Restorer.restore`; there is no fidelity to choose."""
        return upscale(self.model, images)


@contextmanager
def _restorer(
    restorer: Hosted[Restorer] | None, upscale_model: UpscaleModel | None
) -> Iterator[Restorer]:
    """Whichever network is connected, on the compute device within the block."""
    if (restorer is None) == (upscale_model is None):
        got = "nothing restores the faces" if restorer is None else "two networks are connected"
        raise ValueError(
            f"Restore Face: {got}. Connect either Load Face Restorer to restorer, or ComfyUI's "
            "Load Upscale Model to upscale_model."
        )
    if restorer is not None:
        yield restorer.use()
    if upscale_model is not None:
        network = _of_upscale_model(upscale_model)
        with on_device(upscale_model):
            yield network


def _of_upscale_model(model: UpscaleModel) -> Restorer:
    if not isinstance(model, UpscaleModel):
        raise ValueError(
            f"Restore Face: upscale_model is a {type(model).__name__}, where an upscale model is "
            "wanted. Connect ComfyUI's Load Upscale Model."
        )
    if (model.input_channels, model.output_channels) != (3, 3):
        raise ValueError(
            f"Restore Face: upscale_model turns {model.input_channels} colour channels into "
            f"{model.output_channels}, where RGB in and out is wanted. Choose another file in "
            "Load Upscale Model."
        )
    kind = str(model.architecture.id)
    return SpandrelRestorer(model.model, kind) if kind in LICENCES else _Upscaler(model)
