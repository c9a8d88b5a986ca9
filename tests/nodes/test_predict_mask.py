from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from faceloom.faces.features import Features
from faceloom.host.memory import Hosted
from faceloom.nodes import PredictFaceMask, SwapFace

from .conftest import CROP, Dyer, MaskingDyer, align, dyed

GREYS = [0.2, 0.4, 0.6, 0.8]


def predict(crops, features, swapper=None, dilation=1, strength=1.0, threshold=0.0):
    hosted = Hosted(swapper or MaskingDyer())
    return PredictFaceMask.execute(hosted, features, crops, dilation, strength, threshold).args


@pytest.fixture
def features():
    maps = torch.tensor(GREYS)[:, None, None, None].expand(4, 3, 2, 2)
    return Features((maps, maps), "dyer")


def test_each_face_has_its_mask_in_crop_space(crops, features):
    masked, mask = predict(crops, features)
    assert masked.mask.shape == (4, 1, CROP, CROP)
    assert torch.equal(mask, masked.mask[:, 0])
    assert torch.equal(masked.image, crops.image)
    assert mask[:, :, : CROP // 4 - 1].min() > 0.999
    torch.testing.assert_close(mask[:, 5, CROP // 2 :].mean(1), torch.tensor(GREYS))


def test_masks_are_enlarged_bilinearly(image, faces, features):
    large = align(image, faces, size=512)
    _, mask = predict(large, features)
    small = MaskingDyer().predict_mask(features.maps)
    torch.testing.assert_close(mask[:, None], F.interpolate(small, (512, 512), mode="bilinear"))


def test_dilation_threshold_and_strength(crops, features):
    _, wide = predict(crops, features, dilation=31)  # 15 of 256 px are 3.75 of 64
    edge = CROP // 4 + 2
    assert wide[:, :, :edge].min() > 0.999
    torch.testing.assert_close(wide[:, 5, CROP // 2], torch.tensor(GREYS))
    _, mask = predict(crops, features, strength=1.5, threshold=0.4)
    wanted = 1.5 * (torch.tensor(GREYS) - 0.4).clamp(min=0) / 0.6
    torch.testing.assert_close(mask[:, 5, CROP // 2], wanted.clamp(max=1))


def test_it_stays_inside_a_mask_that_the_crops_carry(crops, features):
    own = torch.zeros(4, 1, CROP, CROP)
    own[..., : CROP // 2, :] = 0.5
    masked, _ = predict(replace(crops, mask=own), features)
    free, _ = predict(crops, features)
    torch.testing.assert_close(masked.mask, own * free.mask)


def test_features_come_from_swap_face(crops):
    swapper, source = MaskingDyer(), dyed(crops[:1], [0.3, 0.0, 0.0])
    swapped, features = SwapFace.execute(
        Hosted(swapper), crops, False, source=source, keep_features=True
    ).args
    _, mask = predict(swapped, features, swapper)
    torch.testing.assert_close(mask[:, 5, CROP // 2], torch.full((4,), 0.3))


def test_no_face_gives_one_black_mask(no_crops):
    masked, mask = predict(no_crops, Features((), "dyer"))
    assert masked.mask.shape == (0, 1, CROP, CROP)
    assert torch.equal(mask, torch.zeros(1, CROP, CROP))


def test_features_must_be_there_and_of_these_crops(crops, no_crops, features):
    with pytest.raises(
        ValueError, match=r"Predict Face Mask \(FMP\): ghost gave no features"
    ) as caught:
        predict(crops, Features((), "ghost"))
    assert "keep_features" in str(caught.value)
    for wrong in (crops[:3], no_crops):
        with pytest.raises(ValueError, match="features of 4 faces came with") as caught:
            predict(wrong, features)
        assert "the same Swap Face" in str(caught.value)


def test_generators_without_a_predictor_are_refused(crops, no_crops, features):
    for these in (crops, no_crops):
        with pytest.raises(
            ValueError, match=r"Predict Face Mask \(FMP\): dyer has no mask predictor"
        ):
            predict(these, features, Dyer())


def test_errors_of_the_predictor_carry_the_nodes_name(crops, features):
    class Strict(MaskingDyer):
        def predict_mask(self, features):
            raise ValueError("wants 12 maps, got 2.")

    with pytest.raises(ValueError, match=r"Predict Face Mask \(FMP\): wants 12 maps, got 2"):
        predict(crops, features, Strict())
