from __future__ import annotations

import pytest
import torch

from faceloom import models
from faceloom.models.pfld import load_graph
from faceloom.models.pfld.adapter import PFLD
from faceloom.models.pfld.network import PFLDNetwork
from faceloom.models.registry import find_architecture

PUBLISHED = [64, 128, 16, 32, 128]


def waves(state):
    """Weights that any program can make: sines, and variances of 1."""
    waves = {
        key: torch.sin(torch.arange(value.numel()) + 1.0).reshape(value.shape) * 0.1
        for key, value in state.items()
        if value.is_floating_point()
    }
    return waves | {key: torch.ones_like(state[key]) for key in state if key.endswith("var")}


def test_published_network_agrees_with_its_reference():
    # polarisZhao/PFLD-pytorch, models/pfld.py, with `waves` of above:
    #   net = PFLDInference().eval()
    #   net.load_state_dict(waves(net.state_dict()), strict=False)
    #   x = torch.sin(torch.arange(3 * 112 * 112) * 0.01).reshape(1, 3, 112, 112)
    #   net(x)[1][0, [0, 1, 100, 195]], sum(p.numel() for p in net.parameters())
    network = PFLDNetwork(PUBLISHED, 98).eval()
    network.load_state_dict(waves(network.state_dict()), strict=False)
    x = torch.sin(torch.arange(3 * 112 * 112) * 0.01).reshape(1, 3, 112, 112)
    wanted = [-0.1213291, -0.0946378, 0.0979864, 0.2869861]
    found = network(x).reshape(1, -1)[0, [0, 1, 100, 195]]
    torch.testing.assert_close(found, torch.tensor(wanted), atol=1e-5, rtol=1e-4)
    assert sum(weight.numel() for weight in network.parameters()) == 1_264_804


@pytest.mark.parametrize("points", [68, 98])
def test_widths_and_points_are_read_from_shapes(tmp_path, points):
    state = PFLDNetwork([4, 6, 3, 5, 7], points).state_dict()
    training = {"epoch": 3, "pfld_backbone": state, "auxiliarynet": {"fc1.weight": torch.ones(2)}}
    torch.save(training, tmp_path / "checkpoint.pth")
    model = models.load(tmp_path / "checkpoint.pth", "landmarker")
    assert isinstance(model, PFLD)
    assert model.points == points
    assert model.network(torch.zeros(2, 3, 112, 112)).shape == (2, points, 2)


@pytest.mark.parametrize("points", [68, 98])
def test_graphs_with_features_beside_the_points(point_graph, two_faces, grey_frames, points):
    table = torch.arange(2 * points) / 1000
    outputs = {"output_1": torch.zeros(64, 28, 28), "412": table}
    graph = point_graph((3, 112, 112), outputs)
    assert find_architecture(graph).name == "pfld"
    found = load_graph(graph, graph.to_module()).find(grey_frames, two_faces).landmarks
    # Fractions of a square of 1.1 times the box; blue comes first.
    for row, blue in enumerate((1.0, 0.0)):
        wanted = (table.reshape(-1, 2) + blue - 0.5) * 1.1 * 128 + torch.tensor([200, 150])
        torch.testing.assert_close(found[row], wanted, atol=1e-3, rtol=0)
