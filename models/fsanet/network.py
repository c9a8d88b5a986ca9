"""FSA-Net: yaw, pitch and roll of a face crop.

Yang, Chen, Lin, Chuang: "FSA-Net: Learning fine-grained structure aggregation for head pose
estimation from a single image", CVPR 2019; the variant with the variance as scoring function.
Modules carry the key names of the published PyTorch weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

INPUT = 64
STAGES = 3
ANGLES = 3
_POSITIONS = 64  # 8x8 pixels of each stage's features
_RANGE = 99.0  # degrees that a regressed 1 stands for
_TINY = 1e-8


class FSANetNetwork(nn.Module):
    """The whole network, under the published key names.

    Args:
        widths: channels of the four convolution levels.
        features: channels of each stage's features.
        primary: aggregated features (capsules) of each stage.
        rows: inner size of the maps that aggregate.
        parts: how many numbers of a stage's output capsule give shift, scale and prediction.
    """

    def __init__(
        self,
        widths: Sequence[int],
        features: int,
        primary: int,
        rows: int,
        parts: tuple[int, int, int],
    ) -> None:
        super().__init__()
        self.msms = _TwoStreams(widths, features)
        self.fgsm = _Aggregation(primary, rows)
        self.caps_layer = _Capsules(STAGES, STAGES * primary, sum(parts), features)
        self.esp_s1, self.esp_s2, self.esp_s3 = (_StageParameters(parts) for _ in range(STAGES))

    def forward(self, crops: Tensor) -> Tensor:
        """Regress the pose.

        Args:
            crops: [N, 3, 64, 64] BGR -1..1.

        Returns:
            [N, 3] yaw, pitch and roll in degrees, in the axes of the training data (300W-LP).
        """
        capsules = self.caps_layer(self.fgsm(self.msms(crops)))
        stages = (self.esp_s1, self.esp_s2, self.esp_s3)
        total, divisor = crops.new_zeros(()), crops.new_ones(())
        for stage, capsule in zip(stages, capsules.unbind(1), strict=True):
            shift, scale, prediction = stage(capsule)
            # Soft stagewise regression, equation 3: each stage divides the last one's bins by 3.
            divisor = divisor * 3 * (1 + scale)
            bins = shift[..., None] + torch.arange(-1, 2, device=crops.device)
            total = total + (bins * prediction).sum(-1) / divisor
        return _RANGE * total


class _Separable(nn.Module):
    """Depthwise 3x3 and 1x1 convolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs)
        self.pointwise = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise(self.depthwise(x))  # type: ignore[no-any-return]


class _Layer(nn.Module):
    """Separable convolution and batch normalisation."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = _Separable(inputs, outputs)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x))  # type: ignore[no-any-return]


class _Out(nn.Module):
    """The 1x1 convolution that gives a level's features."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)  # type: ignore[no-any-return]


class _TwoStreams(nn.Module):
    """Two streams of three levels, multiplied level by level."""

    def __init__(self, widths: Sequence[int], features: int) -> None:
        super().__init__()
        for stream in ("s0", "s1"):
            self.add_module(f"{stream}_conv0", _Layer(3, widths[0]))
            for level, (before, width) in enumerate(pairwise(widths), start=1):
                self.add_module(f"{stream}_conv{level}_0", _Layer(before, width))
                self.add_module(f"{stream}_conv{level}_1", _Layer(width, width))
                self.add_module(f"{stream}_conv{level}_out", _Out(width, features))

    def forward(self, crops: Tensor) -> Tensor:
        """[N, 3, 64, 64] -> [N, stages, features, positions], the deepest level first."""
        first = self._stream(crops, "s0", F.relu, F.avg_pool2d)
        second = self._stream(crops, "s1", torch.tanh, F.max_pool2d)
        one, two, three = (a * b for a, b in zip(first, second, strict=True))
        return torch.stack([three, two, F.avg_pool2d(one, 2)], 1).flatten(3)

    def _stream(
        self,
        crops: Tensor,
        stream: str,
        activate: Callable[[Tensor], Tensor],
        pool: Callable[[Tensor, int], Tensor],
    ) -> list[Tensor]:
        x = pool(F.relu(self.get_submodule(f"{stream}_conv0")(crops)), 2)
        outputs = []
        for level in range(1, STAGES + 1):
            for part in range(2):
                x = activate(self.get_submodule(f"{stream}_conv{level}_{part}")(x))
            x = pool(x, 2) if level < STAGES else x
            outputs.append(activate(self.get_submodule(f"{stream}_conv{level}_out")(x)))
        return outputs


class _Aggregation(nn.Module):
    """Learned maps that gather the positions of all stages (section 3.4)."""

    def __init__(self, primary: int, rows: int) -> None:
        super().__init__()
        self.fc = nn.Linear(STAGES * _POSITIONS, primary * rows)
        self.fm = nn.Linear(_POSITIONS, rows * STAGES * _POSITIONS)
        self.primary, self.rows = primary, rows

    def forward(self, features: Tensor) -> Tensor:
        """[N, stages, features, positions] -> [N, stages * primary, features]."""
        score = (features - features.mean(2, keepdim=True)).square().mean(2)
        common = self.fc(score.flatten(1)).sigmoid().reshape(-1, 1, self.primary, self.rows)
        own = self.fm(score).sigmoid().reshape(-1, STAGES, self.rows, STAGES * _POSITIONS)
        maps = (common @ own).flatten(1, 2)
        # The published weights were trained with channels and positions, 64 each, taken for one
        # another here: the maps gather channels.
        total: Tensor = maps.sum(-1, keepdim=True)
        return torch.bmm(maps, features.flatten(1, 2)) / (total + _TINY)


class _Capsules(nn.Module):
    """Capsules with dynamic routing (Sabour, Frosst, Hinton 2017, procedure 1), two rounds."""

    def __init__(self, outputs: int, inputs: int, size: int, features: int) -> None:
        super().__init__()
        self.affine_w = nn.Parameter(torch.zeros(outputs, inputs, size, features))

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, features] -> [N, outputs, size]."""
        votes = torch.einsum("nif,oisf->nois", x, self.affine_w)
        first = _squash(votes.sum(2) / votes.shape[1])
        agreement = (votes * first[:, :, None]).sum(-1, keepdim=True)
        return _squash((agreement.softmax(1) * votes).sum(2))


class _StageParameters(nn.Module):
    """Shift, scale and prediction of a stage from its capsule."""

    def __init__(self, parts: tuple[int, int, int]) -> None:
        super().__init__()
        self.parts = parts
        self.shift_fc = nn.Linear(parts[0], ANGLES)
        self.scale_fc = nn.Linear(parts[1], ANGLES)
        self.pred_fc = nn.Linear(parts[2], ANGLES * 3)

    def forward(self, capsule: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[N, size] -> [N, angles], [N, angles] and [N, angles, bins]."""
        shift, scale, prediction = torch.split(capsule, list(self.parts), 1)
        bins = F.relu(self.pred_fc(prediction)).reshape(-1, ANGLES, 3)
        return self.shift_fc(shift).tanh(), self.scale_fc(scale).tanh(), bins


def _squash(x: Tensor) -> Tensor:
    square = x.square().sum(-1, keepdim=True)
    return x * square / (1 + square) / (square.sqrt() + _TINY)
