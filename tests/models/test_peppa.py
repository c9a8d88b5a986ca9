from __future__ import annotations

import torch

from faceloom.models.peppa import load_graph
from faceloom.models.registry import find_architecture

POINTS = torch.arange(68 * 3).reshape(68, 3) / 10


def test_64_units_span_the_crop_and_blue_comes_first(point_graph, two_faces, grey_frames):
    graph = point_graph((3, 256, 256), {"output": POINTS})
    assert find_architecture(graph).name == "peppa"
    found = load_graph(graph, graph.to_module()).find(grey_frames, two_faces).landmarks
    side = 256 * 128 / 195
    for row, blue in enumerate((1.0, 0.0)):
        wanted = (POINTS[:, :2] + blue) / 64 * side + torch.tensor([200, 150]) - side / 2
        torch.testing.assert_close(found[row], wanted, atol=1e-3, rtol=0)


def test_98_points_are_fractions_of_the_crop(point_graph, two_faces, grey_frames):
    points = torch.arange(98 * 3).reshape(98, 3) / 300
    graph = point_graph((3, 256, 256), {"landmarks_xyscore": points}, batch=None)
    assert find_architecture(graph).name == "peppa"
    model = load_graph(graph, graph.to_module())
    assert model.points == 98
    found = model.find(grey_frames, two_faces).landmarks
    wanted = (points[:, :2] + 1 - 0.5) * 1.1 * 128 + torch.tensor([200, 150])
    torch.testing.assert_close(found[0], wanted, atol=1e-3, rtol=0)
