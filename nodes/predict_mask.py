"""Predict Face Mask (FMP): the generator's own idea of where its face should replace the target."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from ..faces import Crops
from ..faces.features import Features
from ..host.device import compute_device, half_precision
from ..host.memory import Hosted
from ..host.node_api import io, schema
from ..models import MaskPredictor, StyleSwapper
from ..ops.masks import adjust_mask, fit_mask
from .chunks import in_chunks
from .inputs import mask_output, naming
from .sockets import CropsSocket, FeaturesSocket, SwapperSocket

_NODE = "Predict Face Mask (FMP)"


class PredictFaceMask(io.ComfyNode):
    """FL_SWAPPER + FL_FEATURES + FL_CROPS -> FL_CROPS with a mask, and the MASK."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceLoomPredictFaceMask",
            display_name="Predict Face Mask (FMP)",
            category="FaceLoom/mask",
            description=(
                "Reads from a generator's maps where its face should replace the target: "
                "RAFSwap's face mask predictor. It stays inside a mask that the crops carry."
            ),
            search_aliases=["fmp", "rafswap", "face mask predictor", "soft mask"],
            inputs=[
                SwapperSocket.Input(
                    "swapper",
                    tooltip="From Load Swap Generator: RAFSwap, whose file holds the predictor.",
                ),
                FeaturesSocket.Input(
                    "features", tooltip="From Swap Face, with keep_features switched on."
                ),
                CropsSocket.Input("crops", tooltip="The swapped crops of the same Swap Face."),
                io.Int.Input(
                    "dilation",
                    default=3,
                    min=1,
                    max=31,
                    step=2,
                    tooltip=(
                        "Widens the mask: side of the square that is painted around each of its "
                        "256 x 256 pixels; 3 as published, 1 leaves it."
                    ),
                ),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=0.0,
                    max=2.0,
                    step=0.05,
                    tooltip="The mask is multiplied by it, and cut at white.",
                ),
                io.Float.Input(
                    "threshold",
                    default=0.0,
                    min=0.0,
                    max=0.95,
                    step=0.05,
                    tooltip=(
                        "Where the mask begins: what is darker counts as outside, and the rest "
                        "is stretched to white."
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
        cls,
        swapper: Hosted[StyleSwapper],
        features: Features,
        crops: Crops,
        dilation: int,
        strength: float,
        threshold: float,
    ) -> io.NodeOutput:
        network, crops = _predictor(swapper.use()), crops.to(compute_device())
        _check(features, crops)
        mask = crops.image.new_zeros(0, 1, crops.size, crops.size)
        if len(crops):
            soft = _predict(network, features)
            mask = fit_mask(adjust_mask(soft, dilation, strength, threshold), crops.size)
        mask = mask if crops.mask is None else mask * crops.mask
        return io.NodeOutput(replace(crops, mask=mask), mask_output(mask))


def _predictor(network: StyleSwapper) -> MaskPredictor:
    """The generator, if it has a mask predictor."""
    if isinstance(network, MaskPredictor):
        return network
    raise ValueError(
        f"{_NODE}: {network.name} has no mask predictor. Connect RAFSwap, or use Face Mask or "
        "Parse Face instead."
    )


def _predict(network: MaskPredictor, features: Features) -> Tensor:
    """Soft masks [N, 1, 256, 256]."""

    def look(*maps: Tensor) -> tuple[Tensor]:
        with half_precision(), naming(_NODE):
            here = tuple(each.to(compute_device()) for each in maps)
            return (network.predict_mask(here).float(),)

    (mask,) = in_chunks(look, *features.maps, size=1)
    return mask


def _check(features: Features, crops: Crops) -> None:
    if len(features) == len(crops):
        return
    if not features.maps:
        raise ValueError(
            f"{_NODE}: {features.generator or 'the generator'} gave no features. Switch on "
            "keep_features in Swap Face, whose generator must be RAFSwap."
        )
    raise ValueError(
        f"{_NODE}: features of {len(features)} faces came with {len(crops)} crops. Connect both "
        "outputs of the same Swap Face."
    )
