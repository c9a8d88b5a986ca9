from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from faceloom import models
from faceloom.models.retinaface.adapter import RetinaFace, decode
from faceloom.models.retinaface.network import (
    STRIDES,
    MobileNet,
    ResNet,
    RetinaFaceNetwork,
)


def mobile(width=8, out=64):
    return RetinaFaceNetwork(MobileNet(width), [8 * width, 16 * width, 32 * width], out)


def residual(width=64, blocks=(3, 4, 6, 3), out=256):
    return RetinaFaceNetwork(ResNet(width, blocks), [8 * width, 16 * width, 32 * width], out)


def waves(state):
    """Weights that anyone can make: sines, those of norms about a half, the others small."""
    filled = {}
    for place, key in enumerate(sorted(state)):
        value = state[key]
        if not value.is_floating_point():
            filled[key] = torch.zeros(value.shape, dtype=value.dtype)
            continue
        steps = torch.arange(value.numel(), dtype=torch.float64)
        wave = torch.sin(steps * 0.7 + place).reshape(value.shape).float()
        if key.endswith("running_var"):
            filled[key] = 1 + wave / 4
        elif value.ndim == 1 and key.endswith("weight"):
            filled[key] = 0.5 + wave / 8
        else:
            filled[key] = wave / max(value[0].numel(), 4) ** 0.5
    return filled


def picture(height, width):
    steps = torch.arange(3 * height * width, dtype=torch.float64)
    return (torch.sin(steps * 0.37) * 0.5 + 0.5).float().reshape(1, 3, height, width)


# biubug6's RetinaFace(cfg, "test") with the weights of `waves` on 255 * picture(40, 56) - 110;
# of anchors 0, 57 and 101: boxes, scores, and points' first three values.
MOBILE = (
    [
        [-0.323900, 0.032930, 0.421087, 0.622797],
        [0.467481, -0.089754, -0.618640, -0.826968],
        [0.620912, 0.554630, 0.213634, -0.186276],
    ],
    [0.574748, 0.566042, 0.627203],
    [
        [-0.491847, -0.270172, 0.133090],
        [0.118336, 0.652821, 0.835426],
        [-0.342096, -0.123895, 0.092459],
    ],
)
RESIDUAL = (
    [
        [1.092062, -0.682688, 1.393504, -0.350136],
        [0.596419, -0.557990, -0.105897, -0.762910],
        [0.855724, -0.099963, 0.990138, -0.211403],
    ],
    [0.114247, 0.263294, 0.251504],
    [
        [0.978711, -1.179538, 1.594720],
        [0.425718, 0.081217, 0.733343],
        [0.116576, -0.980283, 0.087853],
    ],
)


@pytest.mark.parametrize(
    ("build", "parameters", "keys"), [(mobile, 426_608, 300), (residual, 27_293_600, 456)]
)
def test_published_networks(build, parameters, keys):
    with torch.device("meta"):
        network = build()
    assert sum(weight.numel() for weight in network.parameters()) == parameters
    assert len(network.state_dict()) == keys


@pytest.mark.parametrize(("build", "numbers"), [(mobile, MOBILE), (residual, RESIDUAL)])
def test_networks_agree_with_the_published_code(build, numbers):
    with torch.device("meta"):
        state = build().state_dict()
    boxes, logits, points = models.load(waves(state)).network(255 * picture(40, 56) - 110)
    assert boxes.shape == (1, 102, 4)
    rows, (box, score, place) = [0, 57, 101], map(torch.tensor, numbers)
    close = {"atol": 1e-4, "rtol": 1e-4}
    torch.testing.assert_close(boxes[0, rows], box, **close)
    torch.testing.assert_close(logits.softmax(-1)[0, rows, 1], score, **close)
    torch.testing.assert_close(points[0, rows, :3], place, **close)


@pytest.mark.parametrize("network", [mobile(2, 8), residual(4, (1, 2, 1, 1), 96)])
def test_widths_are_read_from_shapes(network, tmp_path):
    state = waves(network.state_dict())
    save_file({f"module.{key}": value for key, value in state.items()}, tmp_path / "x.safetensors")
    model = models.load(tmp_path / "x.safetensors", "detector")
    assert isinstance(model, RetinaFace)
    assert {k: v.shape for k, v in model.network.state_dict().items()} == {
        key: value.shape for key, value in state.items()
    }
    network.load_state_dict(state)
    wanted = network.eval()(picture(64, 40))
    for got, want in zip(model.network(picture(64, 40)), wanted, strict=True):
        torch.testing.assert_close(got, want)


def test_decode_agrees_with_the_published_priors():
    # Anchors as SSD codes them, one by one; variances 0.1 and 0.2.
    height, width = 40, 56
    generator = torch.Generator().manual_seed(2)
    cells = [-(-height // s) * -(-width // s) for s in STRIDES]
    boxes, logits, points = (
        torch.randn(2, 2 * sum(cells), n, generator=generator) for n in (4, 2, 10)
    )
    scores, found, places = decode(boxes, logits, points, height, width)
    row = 0
    for stride, sides in ((8, (16, 32)), (16, (64, 128)), (32, (256, 512))):
        for r in range(-(-height // stride)):
            for c in range(-(-width // stride)):
                for side in sides:
                    middle = torch.tensor([(c + 0.5) * stride, (r + 0.5) * stride])
                    box = boxes[1, row]
                    centre = middle + 0.1 * side * box[:2]
                    half = side * torch.exp(0.2 * box[2:]) / 2
                    wanted = torch.cat([centre - half, centre + half])
                    torch.testing.assert_close(found[1, row], wanted, atol=1e-3, rtol=1e-5)
                    for k in range(5):
                        point = middle + 0.1 * side * points[1, row, 2 * k : 2 * k + 2]
                        torch.testing.assert_close(places[1, row, k], point, atol=1e-3, rtol=1e-5)
                    row += 1
    assert row == found.shape[1]
    torch.testing.assert_close(scores, logits.softmax(-1)[..., 1])


def test_network_sees_bgr_less_its_means():
    class Blind(torch.nn.Module):
        def forward(self, images):
            self.images = images
            count = sum(2 * -(-images.shape[2] // s) * -(-images.shape[3] // s) for s in STRIDES)
            return tuple(torch.zeros(len(images), count, n) for n in (4, 2, 10))

    network = Blind()
    frame = torch.tensor([1.0, 0.0, 0.2]).reshape(1, 3, 1, 1).expand(2, 3, 200, 333)
    found = RetinaFace(network).detect(frame, 0.4, 100)
    assert network.images.shape == (2, 3, 60, 100)
    seen = network.images[1, :, 4, 4]
    torch.testing.assert_close(seen, torch.tensor([51.0 - 104, -117, 255 - 123]))
    assert found.frames == 2
    # The one anchor of 512 px in the first cell of stride 32 overlaps all others of its kind.
    widths = found.box[:, 2] - found.box[:, 0]
    torch.testing.assert_close(widths.max(), torch.tensor(512 * 3.33))


@pytest.mark.parametrize("size", [(1, 1), (33, 70), (150, 20)])
def test_frames_of_any_size(size):
    model = models.load(waves(mobile(2, 8).state_dict()))
    found = model.detect(torch.rand(2, 3, *size), 0.2, 64)
    assert found.image_size == size
    assert len(model.detect(torch.rand(2, 3, *size), 1.01)) == 0
