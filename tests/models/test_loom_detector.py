from __future__ import annotations

import math

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from faceloom import models
from faceloom.models.loom_detector import ARCHITECTURE
from faceloom.models.loom_detector.adapter import LoomDetector, look_sizes
from faceloom.models.loom_detector.closer import upright
from faceloom.models.loom_detector.network import STRIDES, VALUES, LoomDetectorNetwork, decode
from faceloom.models.weights import CheckpointError
from faceloom.ops.geometry import transform_points

ASTRONAUT = [[203.4, 103.6], [247.5, 104.4], [224.1, 127.7], [204.0, 143.1], [242.9, 143.7]]
"""Her five points, as YuNet finds them: models.load("yunet_n.safetensors").detect(frame, 0.6)."""


class OneFace(nn.Module):
    """Stands in for the network: one face of 64x64 px about (104, 56) px of each canvas.

    In a closer look, 192x192 px, it is one of 96x96 px in the middle, seen with this score.
    """

    def __init__(self, closer=0.9):
        super().__init__()
        self.closer = closer
        self.seen = []

    def forward(self, images):
        self.seen.append(images)
        height, width = images.shape[-2:]
        outputs = [torch.zeros(len(images), VALUES, height // s, width // s) for s in STRIDES]
        for output in outputs:
            output[:, 0] = -9
        pattern = torch.tensor([-1.0, -1, 1, -1, 0, 0, -1, 1, 1, 1])
        if (height, width) == (192, 192):
            cell = outputs[1][:, :, 5, 5]  # about (88, 88)
            score, size = self.closer, 96 / 64
        else:
            cell = outputs[0][:, :, 6, 12]  # about (100, 52)
            score, size = 0.8, 2.0
        cell[:, 0], cell[:, 3:5] = torch.tensor(score).logit(), math.log(size)
        cell[:, 1:3], cell[:, 5:] = 0.5, pattern / 16
        return outputs


def decoded_slowly(outputs):
    """What `decode` says, one cell after the other."""
    logits, boxes, points = [], [], []
    for stride, output in zip(STRIDES, outputs, strict=True):
        for row in range(output.shape[1]):
            for column in range(output.shape[2]):
                v = output[:, row, column].tolist()
                x, y = (column + 0.5) * stride, (row + 0.5) * stride
                cx, cy = x + v[1] * stride, y + v[2] * stride
                w, h = 4 * stride * math.exp(v[3]), 4 * stride * math.exp(v[4])
                size = math.sqrt(w * h)
                logits.append(v[0])
                boxes.append([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2])
                points.append([(cx + v[k] * size, cy + v[k + 1] * size) for k in range(5, 15, 2)])
    return torch.tensor(logits), torch.tensor(boxes), torch.tensor(points)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return LoomDetectorNetwork((4, 6), 8)


def test_weights_are_recognised_and_sizes_read_from_them(network, tmp_path):
    path = tmp_path / "w.safetensors"
    save_file({key: value.half() for key, value in network.state_dict().items()}, path)
    model = models.load(path, "detector")
    assert isinstance(model, LoomDetector)
    outputs = model.network(torch.rand(2, 3, 64, 96))
    assert [list(x.shape) for x in outputs] == [[2, VALUES, 64 // s, 96 // s] for s in STRIDES]
    state = network.state_dict()
    del state["merge.1.norm.bias"]
    with pytest.raises(CheckpointError, match=r"missing: merge\.1\.norm\.bias"):
        models.load(state)


def test_decoding_agrees_with_its_slow_twin():
    random = torch.Generator().manual_seed(1)
    outputs = [torch.randn(2, VALUES, 64 // s, 96 // s, generator=random) for s in STRIDES]
    found = decode(outputs)
    for frame in range(2):
        wanted = decoded_slowly([output[frame] for output in outputs])
        for got, want in zip(found, wanted, strict=True):
            torch.testing.assert_close(got[frame], want, rtol=1e-4, atol=1e-3)


def test_a_face_comes_out_in_frame_pixels():
    network = OneFace()
    faces = LoomDetector(network).detect(torch.rand(2, 3, 100, 180), 0.5)
    assert faces.frame.tolist() == [0, 1]
    assert (faces.image_size, faces.frames) == ((100, 180), 2)
    torch.testing.assert_close(faces.box, torch.tensor([[72.0, 24, 136, 88]]).expand(2, -1))
    torch.testing.assert_close(faces.score, torch.tensor(0.8 * 0.9 * 0.9).pow(1 / 3).expand(2))
    eyes_nose_mouth = [[100.0, 52], [108, 52], [104, 56], [100, 60], [108, 60]]
    torch.testing.assert_close(faces.keypoints[0], torch.tensor(eyes_nose_mouth))
    assert network.seen[0].shape == (2, 3, 128, 192)
    assert network.seen[0][:, :, 100:].abs().max() == 0


def test_large_frames_are_looked_at_twice_and_the_faces_are_one_list():
    network = OneFace()
    faces = LoomDetector(network).detect(torch.rand(1, 3, 320, 640), 0.5)
    assert [list(x.shape[-2:]) for x in network.seen] == [[320, 640], [96, 160]] + [[192, 192]] * 4
    wanted = torch.tensor([[72.0, 24, 136, 88]])
    torch.testing.assert_close(faces.box, torch.cat([wanted, 4 * wanted]))


def test_faces_that_the_closer_look_moves_onto_one_another_are_one():
    class Two(OneFace):
        def forward(self, images):
            outputs = super().forward(images)
            if images.shape[-1] != 192:  # the same face again, too far up for the first look
                outputs[0][:, :, 2, 12] = outputs[0][:, :, 6, 12]
                outputs[0][:, 0, 2, 12] = 1.0
            else:
                upper = images[:, 0, 108, 96] > 0.5
                outputs[1][upper, 2, 5, 5] += 36 / 16
            return outputs

    frames = torch.zeros(3, 3, 100, 180)
    frames[:, :, :40] = 1
    faces = LoomDetector(Two()).detect(frames, 0.5)
    assert faces.frame.tolist() == [0, 1, 2]
    torch.testing.assert_close(faces.score, torch.tensor(0.8 * 0.9 * 0.9).pow(1 / 3).expand(3))


def test_a_closer_look_may_see_no_face():
    frames = torch.rand(2, 3, 100, 180)
    faces = LoomDetector(OneFace(closer=0.2)).detect(frames, 0.5)
    assert (len(faces), faces.frames, faces.keypoints.shape) == (0, 2, (0, 5, 2))
    assert len(LoomDetector(OneFace(closer=0.2)).detect(frames, 0.3)) == 2
    assert len(LoomDetector(OneFace(closer=0.0)).detect(frames, 0.0)) == 0


def test_a_closer_look_shows_the_face_upright_and_of_one_size():
    random = torch.Generator().manual_seed(4)
    points = torch.tensor([[-1.0, -1], [1, -1], [0, 0], [-0.8, 1], [0.8, 1]]) * 10
    angle = torch.tensor([0.0, 0.7, -2.0, 3.1])
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], -1).reshape(4, 2, 2)
    centre = torch.rand(4, 1, 2, generator=random) * 200
    turned = points @ turn.mT + centre
    box = torch.cat([centre[:, 0] - 20, centre[:, 0] + 20], -1)
    found = transform_points(upright(box, turned), turned)
    torch.testing.assert_close(found, (2.4 * points + 96).expand(4, -1, -1), atol=1e-3, rtol=0)


def test_mirrored_looks_swap_left_and_right():
    class Halves(OneFace):
        """Takes the brighter side for the right one, and puts the nose there."""

        def forward(self, images):
            outputs = super().forward(images)
            if images.shape[-1] == 192:
                bright = images.mean((1, 2)).argmax(-1) > 96
                outputs[1][:, 9, 5, 5] += torch.where(bright, 0.2, -0.2)  # box sizes
            return outputs

    frame = torch.zeros(1, 3, 100, 180)
    frame[..., 110:] = 1
    faces = LoomDetector(Halves()).detect(frame, 0.5)
    wanted = [[100.0, 52], [108, 52], [104 + 0.2 * 64, 56], [100, 60], [108, 60]]
    torch.testing.assert_close(faces.keypoints[0], torch.tensor(wanted))


def test_sizes_of_the_looks():
    assert look_sizes(150, 640) == [150]
    assert look_sizes(192, 640) == [192]
    assert look_sizes(512, 640) == [512, 128]
    assert look_sizes(4000, 640) == [640, 160]
    assert look_sizes(4000, 0) == [4000, 1000, 250, 63]
    assert look_sizes(1000, 250) == [250, 63]


def test_frames_without_a_face_and_bad_frames(network):
    detector = LoomDetector(network.eval())
    for frames in (torch.rand(2, 3, 40, 300), torch.rand(1, 3, 1, 1)):
        faces = detector.detect(frames, 0.9)
        assert (len(faces), faces.frames, faces.keypoints.shape) == (0, len(frames), (0, 5, 2))
    with pytest.raises(ValueError, match=r"wants frames \[B, 3, H, W\], got \[3, 40, 30\]"):
        detector.detect(torch.rand(3, 40, 30), 0.5)


def test_shipped_weights_find_the_astronaut_however_she_is_turned():
    data = pytest.importorskip("skimage.data")
    frame = torch.from_numpy(data.astronaut().copy()).permute(2, 0, 1)[None] / 255
    detector = models.load(ARCHITECTURE.built_in, "detector")
    assert sum(weight.numel() for weight in detector.network.parameters()) == 296_367
    wanted = torch.tensor(ASTRONAUT)
    for turns in range(4):
        faces = detector.detect(frame.rot90(-turns, (2, 3)), 0.6)
        assert len(faces) == 1
        torch.testing.assert_close(faces.keypoints[0], wanted, atol=4.0, rtol=0)
        # a quarter turn clockwise of a square picture of 512 px
        wanted = torch.stack([512 - wanted[:, 1], wanted[:, 0]], -1)
