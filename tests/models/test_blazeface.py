from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from faceloom import models
from faceloom.models.blazeface import _BACK_STRIDES, _FRONT_STRIDES
from faceloom.models.blazeface.adapter import BlazeFace, blend, decode, five_points
from faceloom.models.blazeface.network import BlazeFaceNetwork, Last, chain

FRONT_WIDTHS = (24, 24, 28, 32, 36, 42, 48, 56, 64, 72, 80, 88)
BACK_WIDTHS = (24,) * 16 + (48,) * 8 + (96,) * 8


def front(widths=FRONT_WIDTHS, coarse=96):
    last = widths[-1]
    stages = {
        "backbone1": nn.Sequential(*chain(widths, _FRONT_STRIDES[0], 3)),
        "backbone2": nn.Sequential(*chain([last, *[coarse] * 5], _FRONT_STRIDES[1])),
    }
    return BlazeFaceNetwork(stages, {8: last, 16: coarse})


def back(widths=BACK_WIDTHS):
    last = widths[-1]
    body = nn.Sequential(*chain(widths, _BACK_STRIDES, 3))
    return BlazeFaceNetwork({"backbone": body, "final": Last(last)}, {8: last, 16: last})


def waves(state):
    """Weights that anyone can make: small sines."""
    filled = {}
    for place, (key, value) in enumerate(sorted(state.items())):
        steps = torch.arange(value.numel(), dtype=torch.float64)
        wave = torch.sin(steps * 0.7 + place).reshape(value.shape).float()
        filled[key] = wave / max(value[0].numel(), 4) ** 0.5
    return filled


def picture(side):
    steps = torch.arange(3 * side * side, dtype=torch.float64)
    return (torch.sin(steps * 0.37) * 0.5 + 0.5).float().reshape(1, 3, side, side)


# hollance's BlazeFace with the weights of `waves` on 2 * picture - 1; of anchors 0, 511 and 895
# the first four values, and the logits.
FRONT_VALUES = [
    [-2.492345, -3.974996, -0.336427, 3.357824],
    [-3.417317, -0.062842, 3.720292, 2.632385],
    [4.572185, -7.579394, 1.492229, 7.659457],
]
FRONT_LOGITS = [3.581896, 0.266664, 7.771770]
BACK_VALUES = [
    [0.559990, -2.768493, 0.207238, 1.815116],
    [4.347322, -3.545004, -2.222094, 4.151318],
    [1.705240, 0.764419, -1.332861, 0.394193],
]
BACK_LOGITS = [-1.824317, 0.869659, -0.935772]


@pytest.mark.parametrize(
    ("build", "side", "parameters", "values", "logits"),
    [
        (front, 128, 101_390, FRONT_VALUES, FRONT_LOGITS),
        (back, 256, 136_240, BACK_VALUES, BACK_LOGITS),
    ],
)
def test_published_networks(build, side, parameters, values, logits):
    network = build()
    assert sum(weight.numel() for weight in network.parameters()) == parameters
    model = models.load(waves(network.state_dict()), "detector")
    assert (model.name, model.side) == ("blazeface", side)
    got, scores = model.network(2 * picture(side) - 1)
    assert got.shape == (1, 896, 16)
    close = {"atol": 1e-4, "rtol": 1e-4}
    rows = [0, 511, 895]
    torch.testing.assert_close(got[0, rows, :4], torch.tensor(values), **close)
    torch.testing.assert_close(scores[0, rows], torch.tensor(logits), **close)


@pytest.mark.parametrize(
    "network",
    [
        front((4, 4, 5, 6, 6, 6, 7, 7, 8, 8, 8, 9), 10),
        back((4,) * 16 + (6,) * 8 + (8,) * 8),
    ],
)
def test_widths_are_read_from_shapes(network, tmp_path):
    state = waves(network.state_dict())
    save_file(state, tmp_path / "x.safetensors")
    model = models.load(tmp_path / "x.safetensors", "detector")
    assert isinstance(model, BlazeFace)
    assert {k: v.shape for k, v in model.network.state_dict().items()} == {
        key: value.shape for key, value in state.items()
    }


def test_missing_weights_are_named():
    state = waves(front().state_dict())
    del state["backbone1.4.convs.0.bias"]
    with pytest.raises(models.CheckpointError, match=r"missing: backbone1\.4\.convs\.0\.bias"):
        models.load(state)


@pytest.mark.parametrize("side", [128, 256])
def test_decode_agrees_with_the_published_anchors(side):
    # The anchors of MediaPipe's SsdAnchorsCalculator are middles of cells, two and six a cell.
    values = torch.randn(1, 896, 16, generator=torch.Generator().manual_seed(0)) * 9
    boxes, points = decode(values, side)
    row = 0
    for cells, count in ((16, 2), (8, 6)):
        for r in range(cells):
            for c in range(cells):
                for _ in range(count):
                    middle = torch.tensor([(c + 0.5) / cells, (r + 0.5) / cells]) * side
                    centre, half = middle + values[0, row, :2], values[0, row, 2:4] / 2
                    wanted = torch.cat([centre - half, centre + half])
                    torch.testing.assert_close(boxes[0, row], wanted)
                    place = middle + values[0, row, 8:10]
                    torch.testing.assert_close(points[0, row, 2], place)
                    row += 1
    assert row == 896


def test_blending_weighs_overlapping_candidates_by_score():
    boxes = torch.tensor([[[0.0, 0, 10, 10], [2, 0, 12, 10], [50, 50, 60, 60], [1, 0, 11, 10]]])
    scores = torch.tensor([[0.9, 0.6, 0.8, 0.1]])
    points = boxes.reshape(1, 4, 2, 2)
    mixed, places = blend(boxes, points, scores, 0.5)
    torch.testing.assert_close(mixed[0, 0], torch.tensor([0.8, 0, 10.8, 10]))  # 2 * 0.6 / 1.5
    torch.testing.assert_close(mixed[0, 2], boxes[0, 2])
    torch.testing.assert_close(places.reshape(1, 4, 4), mixed)


def test_mouth_corners_follow_the_eye_line():
    points = torch.tensor([[0.0, 0], [6, 8], [1, 2], [-4, 9], [9, 9], [9, 9]])
    five = five_points(points)
    assert torch.equal(five[:3], points[:3])
    across = five[4] - five[3]
    torch.testing.assert_close((five[3] + five[4]) / 2, points[3])
    # (73.5318 - 38.2946) and (70.7299 - 41.5493) px in the ArcFace template
    torch.testing.assert_close(across, torch.tensor([6.0, 8]) * 29.1806 / 35.2372)


@pytest.mark.parametrize("size", [(1, 1), (300, 200), (90, 90)])
def test_frames_of_any_size(size):
    model = models.load(waves(front().state_dict()))
    frames = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(1))
    found = model.detect(frames, 0.6)
    assert (found.frames, found.image_size) == (2, size)
    single = model.detect(frames[1:], 0.6)
    torch.testing.assert_close(found.in_frame(1).box, single.box)
    assert len(model.detect(frames, 1.01)) == 0
