from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from faceloom import models
from faceloom.faces import Faces
from faceloom.models.facemesh import load_graph
from faceloom.models.facemesh.adapter import FaceMesh
from faceloom.models.facemesh.network import Block, FaceMeshNetwork
from faceloom.models.registry import find_architecture
from faceloom.models.squares import square_about_box, square_about_landmarks
from faceloom.ops.geometry import invert_affine, transform_points


class Bright(nn.Module):
    """Stands in for the network: every point is where the crop is bright, the eyes beside it."""

    def forward(self, crops):
        self.crops = crops
        light = (crops.mean(1) + 1) / 2
        place = torch.arange(192) + 0.5
        total = light.sum((1, 2)).clamp(min=1e-6)
        x = (light.sum(1) * place).sum(1) / total
        y = (light.sum(2) * place).sum(1) / total
        points = torch.stack([x, y, torch.full_like(x, 7)], -1)[:, None].repeat(1, 468, 1)
        points[:, 33, 0] -= 30
        points[:, 263, 0] += 30
        return points, torch.zeros(len(crops))


def one_face(image_size, box, left, right):
    faces = Faces.empty(image_size, 1)
    keypoints = torch.tensor([left, right, left, left, left], dtype=torch.float32)
    return replace(
        faces,
        frame=torch.zeros(1, dtype=torch.int64),
        box=torch.tensor([box], dtype=torch.float32),
        score=torch.ones(1),
        keypoints=keypoints[None],
        track=torch.full((1,), -1),
    )


def test_published_network_has_604685_parameters():
    network = FaceMeshNetwork([16, 32, 64, 128, 128], hidden=32)
    assert sum(weight.numel() for weight in network.parameters()) == 604_685


def test_widths_are_read_from_shapes(facemesh_state):
    model = models.load(facemesh_state)
    assert isinstance(model, FaceMesh)
    points, confidence = model.network(torch.zeros(2, 3, 192, 192))
    assert (points.shape, confidence.shape) == ((2, 468, 3), (2,))


def test_strided_block_agrees_with_its_definition():
    # TensorFlow's SAME padding, stride 2, even size: output (r, c) reads rows 2r..2r+2.
    torch.manual_seed(0)
    block, x = Block(2, 3, stride=2).eval(), torch.rand(1, 2, 6, 6)
    spatial, mix = block.convs
    wanted = torch.zeros(1, 3, 3, 3)
    for r in range(3):
        for c in range(3):
            window = torch.zeros(2, 3, 3)
            seen = x[0, :, 2 * r : 2 * r + 3, 2 * c : 2 * c + 3]
            window[:, : seen.shape[1], : seen.shape[2]] = seen
            reduced = (spatial.weight[:, 0] * window).sum((1, 2)) + spatial.bias
            wanted[0, :, r, c] = mix.weight[:, :, 0, 0] @ reduced + mix.bias
            wanted[0, :2, r, c] += x[0, :, 2 * r : 2 * r + 2, 2 * c : 2 * c + 2].amax((1, 2))
    torch.testing.assert_close(block(x), F.prelu(wanted, block.act.weight))


def test_square_about_a_box_is_level_and_one_and_a_half_times_as_wide():
    keypoints = torch.tensor([[[40.0, 50], [60, 70], [0, 0], [0, 0], [0, 0]]])
    matrix = square_about_box(torch.tensor([[20.0, 30, 80, 110]]), keypoints, 192, 1.5)
    eyes = transform_points(matrix, keypoints[:, :2])[0]
    torch.testing.assert_close(eyes[0, 1], eyes[1, 1])
    assert eyes[1, 0] > eyes[0, 0]
    centre = transform_points(matrix, torch.tensor([[[50.0, 70]]]))[0, 0]
    torch.testing.assert_close(centre, torch.tensor([96.0, 96.0]))
    corners = transform_points(invert_affine(matrix), torch.tensor([[[0.0, 0], [192, 0]]]))[0]
    torch.testing.assert_close((corners[1] - corners[0]).norm(), torch.tensor(1.5 * 80))


@pytest.mark.parametrize("eye", [0.0, float("nan")])
def test_a_box_without_eyes_stays_upright(eye):
    matrix = square_about_box(
        torch.tensor([[0.0, 0, 96, 64]]), torch.full((1, 5, 2), eye), 192, 1.5
    )
    wanted = torch.tensor([[[192 / 144, 0, 96 - 64], [0, 192 / 144, 96 - 32 * 192 / 144]]])
    torch.testing.assert_close(matrix, wanted)


def test_square_about_landmarks_encloses_them_with_eyes_level():
    torch.manual_seed(0)
    landmarks = torch.rand(4, 468, 3) * 100
    crop = transform_points(square_about_landmarks(landmarks, 192, 1.3), landmarks[..., :2])
    low, high = crop.amin(1), crop.amax(1)
    torch.testing.assert_close((low + high) / 2, torch.full((4, 2), 96.0), atol=1e-3, rtol=0)
    torch.testing.assert_close((high - low).amax(1), torch.full((4,), 192 / 1.3))
    across = crop[:, 263] - crop[:, 33]
    torch.testing.assert_close(across[:, 1], torch.zeros(4), atol=1e-3, rtol=0)
    assert (across[:, 0] > 0).all()


def test_points_come_back_in_frame_pixels():
    frame = torch.zeros(1, 3, 300, 400)
    frame[..., 139:141, 219:221] = 1  # about (220, 140)
    faces = one_face((300, 400), [150, 90, 278, 218], [190, 130], [240, 120])
    found = FaceMesh(Bright()).find(frame, faces)
    torch.testing.assert_close(
        found.landmarks[0, 0, :2], torch.tensor([220.0, 140]), atol=0.3, rtol=0
    )
    # The second crop is 1.3 times as wide as the 60 px between the eyes of the first: 60 px of
    # 192 that showed 192 px of the frame, so depth 7 shrinks by 78 / 192.
    torch.testing.assert_close(found.landmarks[0, 0, 2], torch.tensor(7 * 78 / 192))
    assert found.box is faces.box


def test_turning_the_frame_turns_the_landmarks(facemesh_state):
    torch.manual_seed(0)
    model = models.load(facemesh_state)
    frame = F.interpolate(torch.rand(1, 3, 12, 16), (120, 160), mode="bilinear")
    upright = one_face((120, 160), [50, 40, 100, 90], [60, 55], [90, 60])
    # A quarter turn against the clock takes (x, y) to (y, 160 - x).
    turned = one_face((160, 120), [40, 60, 90, 110], [55, 100], [60, 70])
    points = model.find(frame, upright).landmarks
    other = model.find(frame.rot90(1, (2, 3)), turned).landmarks
    wanted = torch.stack([points[..., 1], 160 - points[..., 0], points[..., 2]], -1)
    torch.testing.assert_close(other, wanted, atol=1e-2, rtol=1e-3)


def test_no_faces_have_no_landmarks(facemesh_state):
    found = models.load(facemesh_state).find(torch.rand(2, 3, 40, 30), Faces.empty((40, 30), 2))
    assert found.landmarks.shape == (0, 468, 3)
    assert found.frames == 2


def test_faces_of_other_frames_are_refused(facemesh_state):
    model = models.load(facemesh_state)
    with pytest.raises(ValueError, match="2 of 30x40 px, got 1 of 30x41 px"):
        model.find(torch.rand(1, 3, 41, 30), Faces.empty((40, 30), 2))


def test_network_sees_minus_1_to_1():
    network, face = Bright(), one_face((64, 64), [30, 30, 34, 34], [31, 31], [33, 31])
    shades = torch.tensor([0.25, 7.0, -3.0]).reshape(1, 3, 1, 1)
    FaceMesh(network).find(shades.expand(1, 3, 64, 64), face)
    assert network.crops[0, :, 96, 96].tolist() == [-0.5, 1, -1]


def test_public_weights_agree_with_an_independent_network(shared_weights):
    data = pytest.importorskip("skimage.data")
    frame = torch.from_numpy(data.astronaut()).permute(2, 0, 1)[None] / 255
    faces = models.load(shared_weights / "yunet_n.safetensors").detect(frame, 0.6)
    landmarker = models.load(shared_weights / "facemesh468.safetensors", "landmarker")
    points = landmarker.find(frame, faces).landmarks[0]
    # YuNet's five points against the mesh's eye corners, nose tip and mouth corners.
    pairs = [(33, 133), (362, 263), (1, 4), (61, 61), (291, 291)]
    mesh = torch.stack([(points[a, :2] + points[b, :2]) / 2 for a, b in pairs])
    eyes = (mesh[0] - mesh[1]).norm()
    assert (mesh - faces.keypoints[0]).norm(dim=1).max() < 0.15 * eyes
    assert points[4, 2] < points[[33, 263, 234, 454], 2].min()  # the nose is nearest


def test_graphs_with_channels_last_are_facemesh(point_graph):
    table = torch.rand(1, 1, 1404) * 192
    graph = point_graph((192, 192, 3), {"conv2d_21": table}, gain=10.0)
    assert find_architecture(graph).name == "facemesh"
    network = load_graph(graph, graph.to_module()).network
    crops = torch.tensor([-0.5, 0, 0])[:, None, None].expand(2, 3, 192, 192)
    wanted = table.reshape(1, 468, 3).expand(2, -1, -1) - 5
    torch.testing.assert_close(network(crops)[0], wanted, atol=1e-4, rtol=1e-5)
