from __future__ import annotations

import math

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from faceloom import models
from faceloom.faces import Faces
from faceloom.models.loom_landmarker.adapter import BOX_MARGIN, LoomLandmarker
from faceloom.models.loom_landmarker.network import INPUT, LoomLandmarkerNetwork
from faceloom.models.weights import CheckpointError
from faceloom.ops.landmark_sets import landmark_set


class Middle(nn.Module):
    """Stands in for the network: a mean face 64 px wide in the middle of every crop."""

    def __init__(self):
        super().__init__()
        self.crops = []

    def forward(self, crops):
        self.crops.append(crops)
        mean = landmark_set(468).mean
        width = mean[:, 0].max() - mean[:, 0].min()
        points = mean * 64 / width + torch.tensor([INPUT / 2, INPUT / 2, 0.0])
        return points.expand(len(crops), -1, -1), torch.zeros(len(crops))


def one_face(angle=0.0):
    """A box of 80 px about (100, 60) with the eyes 40 px apart on a line of that angle."""
    across = 20 * torch.tensor([math.cos(angle), math.sin(angle)])
    centre = torch.tensor([100.0, 60.0])
    points = torch.stack([centre - across, centre + across, centre, centre, centre])
    return Faces(
        frame=torch.tensor([0]),
        box=torch.tensor([[60.0, 20, 140, 100]]),
        score=torch.ones(1),
        keypoints=points[None],
        track=torch.tensor([-1]),
        image_size=(120, 200),
        frames=1,
    )


@pytest.fixture
def network():
    torch.manual_seed(0)
    return LoomLandmarkerNetwork((4, 6, 8, 8, 4), (0, 1, 2, 0, 0), hidden=7)


def test_weights_are_recognised_and_sizes_read_from_them(network, tmp_path):
    path = tmp_path / "w.safetensors"
    save_file({key: value.half() for key, value in network.state_dict().items()}, path)
    model = models.load(path, "landmarker")
    assert isinstance(model, LoomLandmarker)
    crops = torch.rand(2, 3, INPUT, INPUT)
    half = LoomLandmarkerNetwork((4, 6, 8, 8, 4), (0, 1, 2, 0, 0), hidden=7)
    half.load_state_dict({k: v.half().float() for k, v in network.state_dict().items()})
    for got, wanted in zip(model.network(crops), half.eval()(crops), strict=True):
        torch.testing.assert_close(got, wanted)


def test_a_missing_tensor_is_named(network):
    state = network.state_dict()
    del state["stages.2.1.second.weight"]
    with pytest.raises(CheckpointError, match=r"stages\.2\.1\.second\.weight"):
        models.load(state)


@pytest.mark.parametrize("angle", [0.0, 0.6])
def test_points_lie_where_the_crop_was_cut(angle):
    """The second crop is centred on the first points, so the face stays about its middle."""
    network = Middle()
    found = LoomLandmarker(network).find(torch.zeros(1, 3, 120, 200), one_face(angle)).landmarks
    box = landmark_set(468).mean[:, :2]
    off_centre = (box.amin(0) + box.amax(0)) / 2 / (box[:, 0].max() - box[:, 0].min())
    width = 80 * BOX_MARGIN / INPUT * 64
    turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    first_centre = torch.tensor([100.0, 60.0]) + turn @ (off_centre * width)
    low, high = (turn.T @ found[0, :, :2].T).amin(1), (turn.T @ found[0, :, :2].T).amax(1)
    # Its own middle is off the crop's by as much again, at the second crop's scale.
    second = (high - low)[0]
    wanted = turn.T @ first_centre + off_centre * second
    torch.testing.assert_close((low + high) / 2, wanted, atol=1e-2, rtol=0)
    assert len(network.crops) == 2


def test_no_faces_give_no_points(network):
    none = one_face()[torch.zeros(0, dtype=torch.long)]
    found = LoomLandmarker(network.eval()).find(torch.zeros(1, 3, 120, 200), none)
    assert found.landmarks.shape == (0, 468, 3)


def test_frames_of_another_size_are_refused(network):
    with pytest.raises(ValueError, match="200x120"):
        LoomLandmarker(network.eval()).find(torch.zeros(1, 3, 64, 64), one_face())
