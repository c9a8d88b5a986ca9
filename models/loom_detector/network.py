"""FaceLoom's own detector: plain convolutions, three strides, one pair of heads for all of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..blocks import Residual, conv

STRIDES = (8, 16, 32)
VALUES = 15
"""Numbers a cell has: score, box (centre x and y, log width and height), five points (x, y)."""
_BOX = 5  # of them score and box
_PRIOR = 4.0  # sides of the box that a cell knows nothing about, in strides


class LoomDetectorNetwork(nn.Module):
    """A pyramid of features, and heads that look at each of its levels alike.

    Features come down from coarse levels to fine ones (Lin et al., arXiv:1612.03144). Sharing the
    heads (Tian et al., FCOS, arXiv:1904.01355, section 3.2) shows them every face size at every
    stride, which counts where pictures are few.

    Args:
        stem: channels at strides 2 and 4.
        width: channels from stride 8 on.
    """

    def __init__(self, stem: Sequence[int], width: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv(3, stem[0], 2), conv(stem[0], stem[1], 2))
        inputs = (stem[1], width, width)
        self.stages = nn.ModuleList(
            nn.Sequential(conv(before, width, 2), Residual(width)) for before in inputs
        )
        self.merge = nn.ModuleList(conv(width, width) for _ in STRIDES)
        self.box = nn.Sequential(conv(width, width), nn.Conv2d(width, _BOX, 3, padding=1))
        self.points = nn.Sequential(
            conv(width, width), nn.Conv2d(width, VALUES - _BOX, 3, padding=1)
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        """Run the network.

        Args:
            images: [B, 3, H, W] RGB 0..1, H and W multiples of 32.

        Returns:
            For each stride s, the finest first, [B, 15, H / s, W / s]; `decode` tells their sense.
        """
        x = self.stem(4 * images - 2)
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        merged = [self.merge[-1](features[-1])]
        for level in (1, 0):
            coarse = F.interpolate(merged[0], scale_factor=2.0, mode="nearest")
            merged.insert(0, self.merge[level](features[level] + coarse))
        return [torch.cat([self.box(x), self.points(x)], 1) for x in merged]


def decode(outputs: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Turn the network's outputs into candidates, one a cell.

    The cell in column c and row r of stride s has its middle at m = ((c, r) + 0.5) s. Of its values
    0 is the score's logit; values 1 and 2 times s are the way from m to the box's centre; the
    box's sides are 4 s exp(values 3 and 4); values 5.. times 2 s lead from m to the five points.

    Args:
        outputs: as `LoomDetectorNetwork.forward` gives them.

    Returns:
        Score logits [B, A], boxes [B, A, 4] and points [B, A, 5, 2] in pixels, float32.
    """
    logits, boxes, points = [], [], []
    for stride, output in zip(STRIDES, outputs, strict=True):
        values = output.float().flatten(2).mT
        middle = cell_middles(output.shape[-2], output.shape[-1], stride, output.device)
        centre = middle + values[..., 1:3] * stride
        half = values[..., 3:5].clamp(-5, 5).exp() * (_PRIOR * stride / 2)
        logits.append(values[..., 0])
        boxes.append(torch.cat([centre - half, centre + half], -1))
        size = 2 * half.prod(-1).sqrt()
        offsets = values[..., _BOX:].reshape(*size.shape, 5, 2) * size[..., None, None]
        points.append(centre[..., None, :] + offsets)
    return torch.cat(logits, 1), torch.cat(boxes, 1), torch.cat(points, 1)


def cell_middles(rows: int, columns: int, stride: int, device: torch.device) -> Tensor:
    """Middles [rows * columns, 2] of the cells of one stride, row by row, in pixels."""
    x = (torch.arange(columns, device=device) + 0.5) * stride
    y = (torch.arange(rows, device=device) + 0.5) * stride
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), -1).reshape(-1, 2)
