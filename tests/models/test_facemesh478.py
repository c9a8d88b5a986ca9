from __future__ import annotations

import torch

from faceloom.faces import Faces
from faceloom.models.facemesh478 import load_graph
from faceloom.models.registry import find_architecture
from faceloom.models.squares import find_points, square_about_box, square_about_landmarks
from faceloom.ops.landmark_sets import landmark_set

MEAN = torch.cat([landmark_set(468).mean, torch.zeros(10, 3)]) * 40 + torch.tensor([128.0, 128, 0])


def mesh_graph(point_graph):
    flag = torch.zeros(1)
    outputs = {"Identity": MEAN.reshape(1, 1, -1), "Identity_1": flag, "Identity_2": flag}
    return point_graph((3, 256, 256), outputs, gain=8.0)


def test_it_looks_twice_and_gives_points_in_frame_pixels(point_graph, two_faces, grey_frames):
    graph = mesh_graph(point_graph)
    assert find_architecture(graph).name == "facemesh478"
    model = load_graph(graph, graph.to_module())
    found = model.find(grey_frames, two_faces).landmarks
    # Both crops lie inside the frames, so the graph sees 0.25 and 0.75 of red and adds 2 and 6 px.
    matrix = square_about_box(two_faces.box, two_faces.keypoints, 256, 1.5)
    points = MEAN + torch.tensor([2.0, 6])[:, None, None]
    first = find_points(grey_frames, two_faces.frame, matrix, 256, lambda _: points)
    matrix = square_about_landmarks(first, 256, 1.5)
    second = find_points(grey_frames, two_faces.frame, matrix, 256, lambda _: points)
    torch.testing.assert_close(found, second, atol=1e-3, rtol=1e-5)


def test_no_faces_have_no_landmarks(point_graph, grey_frames):
    graph = mesh_graph(point_graph)
    found = load_graph(graph, graph.to_module()).find(grey_frames, Faces.empty((300, 400), 2))
    assert found.landmarks.shape == (0, 478, 3)
