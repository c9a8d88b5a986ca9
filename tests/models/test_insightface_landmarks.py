from __future__ import annotations

import pytest
import torch

from faceloom.faces import Faces
from faceloom.models.insightface_landmarks import detect_graph, load_graph
from faceloom.models.registry import find_architecture


def test_106_points_of_each_frame(point_graph, two_faces, grey_frames):
    table = torch.arange(212) / 1000
    graph = point_graph((3, 192, 192), {"fc1": table}, gain=1 / 255)
    assert find_architecture(graph).name == "insightface_landmarks"
    model = load_graph(graph, graph.to_module())
    assert model.points == 106
    found = model.find(grey_frames, two_faces).landmarks
    # insightface/model_zoo/landmark.py: pred += 1; pred *= 96, in the pixels of a crop that shows
    # 1.5 times the box, counted from 0: here frame pixels, from (104, 54) on, and half a pixel.
    for row, red in enumerate((0.25, 0.75)):
        wanted = (table.reshape(106, 2) + red + 1) * 96 + torch.tensor([104.5, 54.5])
        torch.testing.assert_close(found[row], wanted, atol=1e-3, rtol=0)


def test_the_last_68_points_have_depth(point_graph, two_faces, grey_frames):
    table = torch.arange(3309) / 10000
    graph = point_graph((3, 192, 192), {"fc1": table}, gain=1 / 255, batch=None)
    model = load_graph(graph, graph.to_module())
    found = model.find(grey_frames, two_faces).landmarks
    assert (model.points, found.shape) == (68, (2, 68, 3))
    wanted = (table.reshape(1103, 3)[-68:] + 0.25) * 96
    wanted = wanted + torch.tensor([96 + 104.5, 96 + 54.5, 0])
    torch.testing.assert_close(found[0], wanted, atol=1e-3, rtol=0)


@pytest.mark.parametrize("values", [10, 136, 213])
def test_other_graphs_are_left_alone(point_graph, values):
    assert not detect_graph(point_graph((3, 192, 192), {"fc1": torch.zeros(values)}))
    assert not detect_graph(point_graph((3, 96, 96), {"fc1": torch.zeros(212)}))


def test_no_faces_have_no_landmarks(point_graph, grey_frames):
    graph = point_graph((3, 192, 192), {"fc1": torch.zeros(212)})
    found = load_graph(graph, graph.to_module()).find(grey_frames, Faces.empty((300, 400), 2))
    assert found.landmarks.shape == (0, 106, 2)
