from __future__ import annotations

import torch

from faceloom.models.fan2d import detect_graph, load_graph
from faceloom.models.registry import find_architecture

POINTS = torch.arange(68 * 3).reshape(68, 3) / 10


def test_points_are_read_in_pixels_of_the_heat_maps(point_graph, two_faces, grey_frames):
    outputs = {"landmarks_xyscore": POINTS, "heatmaps": torch.zeros(68, 64, 64)}
    graph = point_graph((3, 256, 256), outputs)
    assert find_architecture(graph).name == "fan2d"
    found = load_graph(graph, graph.to_module()).find(grey_frames, two_faces).landmarks
    # A box of 128 px becomes 195: the crop's 256 px show 256 * 128 / 195 px about (200, 150).
    side = 256 * 128 / 195
    for row, red in enumerate((0.25, 0.75)):
        wanted = (POINTS[:, :2] + red) / 64 * side + torch.tensor([200, 150]) - side / 2
        torch.testing.assert_close(found[row], wanted, atol=1e-3, rtol=0)


def test_points_without_heat_maps_are_of_another_network(point_graph):
    assert not detect_graph(point_graph((3, 256, 256), {"landmarks_xyscore": POINTS}))
