from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from faceloom import models
from faceloom.faces import Faces
from faceloom.models.slim68.adapter import Slim68
from faceloom.models.slim68.network import SlimNetwork
from faceloom.models.squares import stretch_box
from faceloom.ops.geometry import transform_points
from faceloom.ops.landmark_sets import convert_landmarks

PUBLISHED = [16, 32, 32, 32, 64, 64, 64, 64, 128, 128, 128, 256, 256]


def test_published_network_has_234415_parameters():
    network = SlimNetwork(PUBLISHED)
    assert sum(weight.numel() for weight in network.parameters()) == 234_415


def test_widths_are_read_from_shapes(tmp_path):
    widths = [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]
    save_file(SlimNetwork(widths).state_dict(), tmp_path / "any.safetensors")
    model = models.load(tmp_path / "any.safetensors", "landmarker")
    assert isinstance(model, Slim68)
    assert model.network(torch.zeros(2, 3, 160, 160)).shape == (2, 143)


def test_a_box_is_stretched_to_the_crop():
    box, eyes = torch.tensor([[20.0, 30, 60, 110]]), torch.zeros(1, 5, 2)
    corners = transform_points(stretch_box(box, eyes, 160, 1.25), box.reshape(1, 2, 2))[0]
    torch.testing.assert_close(corners, torch.tensor([[16.0, 16], [144, 144]]))


def test_a_face_on_its_side_lends_its_height_to_the_width():
    box, eyes = torch.tensor([[20.0, 30, 100, 70]]), torch.zeros(1, 5, 2)
    eyes[:, 1, 1] = 10  # the right eye is below the left one: a quarter turn
    corners = transform_points(stretch_box(box, eyes, 160, 1.0), box.reshape(1, 2, 2))[0]
    wanted = torch.tensor([[0.0, 160], [160, 0]])
    torch.testing.assert_close(corners, wanted, atol=1e-4, rtol=0)


def test_no_faces_have_no_landmarks():
    model = models.load(SlimNetwork([4] * 13).state_dict())
    found = model.find(torch.rand(1, 3, 40, 30), Faces.empty((40, 30), 1))
    assert found.landmarks.shape == (0, 68, 2)


def test_public_weights_agree_with_the_published_graph(shared_weights):
    # https://github.com/ainrichman/Peppa-Facial-Landmark-PyTorch, in its folder:
    #   x = np.linspace(-1, 1, 3 * 160 * 160, dtype="float32").reshape(1, 3, 160, 160)
    #   x = np.sin(40 * x)
    #   onnxruntime.InferenceSession("pretrained_weights/slim_160_latest.onnx").run(
    #       None, {"input1": x})[0][0, [0, 1, 60, 61, 134, 135, 137, 142]]
    model = models.load(shared_weights / "slim68_160.safetensors")
    x = torch.sin(40 * torch.linspace(-1, 1, 3 * 160 * 160)).reshape(1, 3, 160, 160)
    wanted = [0.03306, 0.34869, 0.32176, 0.51205, 0.30075, 0.64388, -0.05569, -6.72893]
    found = model.network(x)[0, [0, 1, 60, 61, 134, 135, 137, 142]]
    torch.testing.assert_close(found, torch.tensor(wanted), atol=2e-4, rtol=0)


def test_public_weights_find_the_astronaut(shared_weights):
    data = pytest.importorskip("skimage.data")
    frame = torch.from_numpy(data.astronaut()).permute(2, 0, 1)[None] / 255
    faces = models.load(shared_weights / "yunet_n.safetensors").detect(frame, 0.6)
    points = models.load(shared_weights / "slim68_160.safetensors").find(frame, faces).landmarks
    mesh = models.load(shared_weights / "facemesh468.safetensors").find(frame, faces).landmarks
    wanted = convert_landmarks(mesh, 68)[..., :2]
    eyes = (wanted[0, 36] - wanted[0, 45]).norm()
    assert (points - wanted)[0, 17:].norm(dim=1).mean() < 0.08 * eyes
