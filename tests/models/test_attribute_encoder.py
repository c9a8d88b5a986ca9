from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from faceloom.models.attribute_encoder import (
    AttributeResNet,
    AttributeUNet,
    ResNetSizes,
    UNetNames,
    UNetSizes,
)

# ai-forever/ghost's network/resnet.py gave the mean and the deviation of each map:
#   encoder = MLAttrEncoderResnet()
#   encoder.eval().load_state_dict(fill.state_dict_for(encoder.state_dict()))
#   [(each.mean(), each.std(correction=0))
#    for each in encoder(fill.input_for("target", (1, 3, 128, 128)))]
RESNET = [
    (0.19178, 0.25255), (0.22147, 0.27531), (0.23617, 0.27809), (0.22703, 0.27871),
    (0.23226, 0.25427), (0.18928, 0.2466), (0.13015, 0.20864), (0.23483, 0.35566),
]  # fmt: skip


def test_resnet_agrees_with_the_reference(fill):
    encoder = AttributeResNet(ResNetSizes()).eval().requires_grad_(False)
    encoder.load_state_dict(fill.state_dict_for(encoder.state_dict()))
    maps = encoder(fill.input_for("target", (1, 3, 128, 128)))
    assert [each.shape[1] for each in maps] == encoder.channels
    assert encoder.channels == [1024, 2048, 1024, 512, 256, 128, 64, 64]
    assert [each.shape[-1] for each in maps] == [1, 2, 4, 8, 16, 32, 64, 128]
    found = [(each.mean(), each.std(correction=0)) for each in maps]
    torch.testing.assert_close(torch.tensor(found), torch.tensor(RESNET), atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize(("add", "ups"), [(False, (3, 2)), (True, (5, 4))])
def test_unet_is_its_layers_one_by_one(add, ups):
    torch.manual_seed(0)
    unet = AttributeUNet(UNetSizes((4, 5, 6), ups, add=add, bias=True), UNetNames()).eval()
    part = unet.get_submodule
    images = torch.randn(2, 3, 16, 16)
    first = F.leaky_relu(part("conv1")(images), 0.1)
    second = F.leaky_relu(part("conv2")(first), 0.1)
    maps = [F.leaky_relu(part("conv3")(second), 0.1)]
    for number, skip in ((1, second), (2, first)):
        up = part(f"deconv{number}.bn")(part(f"deconv{number}.deconv")(maps[-1]))
        up = F.leaky_relu(up, 0.1)
        maps.append(up + skip if add else torch.cat((up, skip), dim=1))
    # Bilinear by corners: the old corner pixels stay where they are.
    maps.append(F.interpolate(maps[-1], (16, 16), mode="bilinear", align_corners=True))
    found = unet(images)
    torch.testing.assert_close(found, maps)
    assert [each.shape[1] for each in found] == unet.channels
