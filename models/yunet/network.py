"""YuNet: a face detector of 76 thousand parameters with five points a face.

Wu, Peng, Yu: "YuNet: a tiny millisecond-level face detector", Machine Intelligence Research 2023.
Modules carry the key names of the published checkpoints.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

STRIDES = (8, 16, 32)
HEADS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
"""Values a cell has in each head: face, object, box, five points."""


class Separable(nn.Module):
    """1x1 and depthwise 3x3 convolution, then batch normalisation and ReLU where wanted."""

    def __init__(self, inputs: int, outputs: int, activated: bool = True) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, groups=outputs)
        self.bn = nn.BatchNorm2d(outputs) if activated else None

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, outputs, H, W]."""
        x = self.conv2(self.conv1(x))
        return x if self.bn is None else F.relu(self.bn(x))


class Stem(nn.Module):
    """Strided 3x3 convolution, then a separable one."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, stride=2, padding=1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = Separable(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, 3, H, W] -> [B, width, H / 2, W / 2]."""
        return cast(Tensor, self.conv2(F.relu(self.bn1(self.conv1(x)))))


class Stage(nn.Module):
    """Two separable convolutions; the second one changes the width."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = Separable(inputs, inputs)
        self.conv2 = Separable(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, outputs, H, W]."""
        return cast(Tensor, self.conv2(self.conv1(x)))


class Backbone(nn.Module):
    """Stem and five stages; features at strides 8, 16 and 32."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.model0 = Stem(widths[0])
        for index in range(1, len(widths)):
            self.add_module(f"model{index}", Stage(widths[index - 1], widths[index]))

    def forward(self, x: Tensor) -> list[Tensor]:
        """[B, 3, H, W] -> the last three stages' features, the finest first."""
        features = []
        for index, stage in enumerate(self.children()):
            x = stage(x)
            if index >= 3:
                features.append(x)
            if index in (0, 2, 3, 4):
                x = F.max_pool2d(x, 2)
        return features


class Neck(nn.Module):
    """Adds coarse features to finer ones, from the top down."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.lateral_convs = nn.ModuleList(Separable(width, width) for _ in STRIDES)

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """Features of three strides -> as many of equal width."""
        merged = [self.lateral_convs[-1](features[-1])]
        for level in range(len(features) - 2, -1, -1):
            coarse = F.interpolate(merged[0], scale_factor=2.0, mode="nearest")
            merged.insert(0, self.lateral_convs[level](features[level] + coarse))
        return merged


class Head(nn.Module):
    """For each stride a chain of shared convolutions and the four heads."""

    def __init__(self, width: int, shared: int) -> None:
        super().__init__()
        self.multi_level_share_convs = nn.ModuleList(
            nn.Sequential(*(Separable(width, width) for _ in range(shared))) for _ in STRIDES
        )
        for name, values in HEADS.items():
            convs = nn.ModuleList(Separable(width, values, activated=False) for _ in STRIDES)
            self.add_module(f"multi_level_{name}", convs)

    def forward(self, features: list[Tensor]) -> dict[str, Tensor]:
        """Features of three strides -> the outputs of `YuNetNetwork.forward`."""
        shared = [conv(x) for conv, x in zip(self.multi_level_share_convs, features, strict=True)]
        outputs = {}
        for name, values in HEADS.items():
            convs = self.get_submodule(f"multi_level_{name}").children()
            for stride, conv, x in zip(STRIDES, convs, shared, strict=True):
                flat = conv(x).permute(0, 2, 3, 1).reshape(x.shape[0], -1, values)
                outputs[f"{name}_{stride}"] = flat.sigmoid() if values == 1 else flat
        return outputs


class YuNetNetwork(nn.Module):
    """The whole network, under the published key names.

    Args:
        widths: channels of the stem and of each of the five stages.
        shared: convolutions that the heads of a stride share.
    """

    def __init__(self, widths: Sequence[int], shared: int) -> None:
        super().__init__()
        self.backbone = Backbone(widths)
        self.neck = Neck(widths[-1])
        self.bbox_head = Head(widths[-1], shared)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Run the network.

        Args:
            images: [B, 3, H, W] BGR 0..255, H and W multiples of 32.

        Returns:
            Under the names of the published ONNX outputs, `cls_8` to `kps_32`: [B, cells, values],
            cells row by row; `cls` and `obj` are probabilities.
        """
        return cast(dict[str, Tensor], self.bbox_head(self.neck(self.backbone(images))))
