from __future__ import annotations

import pytest
import torch
from torch import nn

from faceloom import models
from faceloom.faces import Faces
from faceloom.host.memory import Hosted
from faceloom.models.adaptive_wing.adapter import AdaptiveWing, peaks
from faceloom.models.adaptive_wing.network import AdaptiveWingNetwork, CoordConv, coordinates
from faceloom.nodes import FindLandmarks
from faceloom.ops.landmark_sets import convert_landmarks, keypoints_from_landmarks

PUBLISHED = {"widths": (64, 128, 256), "stacks": 4, "depth": 4, "points": 98}
SMALL = {"widths": (4, 8, 12), "stacks": 3, "depth": 2, "points": 98}


class Drawn(nn.Module):
    """Draws given heat maps [99, 64, 64], plus the pictures' own brightness."""

    def __init__(self, maps):
        super().__init__()
        self.maps = maps

    def forward(self, images, rectified=True):
        self.images, self.rectified = images, rectified
        light = nn.functional.avg_pool2d(images.mean(1, keepdim=True), 4)
        return [torch.zeros(1), self.maps + light]


@pytest.fixture(scope="module")
def state():
    torch.manual_seed(0)
    return AdaptiveWingNetwork(**SMALL).state_dict()


@pytest.fixture(scope="module")
def model(state):
    return models.load(state, "landmarker")


@pytest.fixture(scope="module")
def images():
    return torch.rand(2, 3, 256, 256, generator=torch.Generator().manual_seed(0))


# ---- network ----


def test_published_network_has_the_published_counts_and_keys():
    with torch.device("meta"):
        network = AdaptiveWingNetwork(**PUBLISHED)
    assert sum(weight.numel() for weight in network.parameters()) == 24_153_036
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    assert len(shapes) == 1137
    assert shapes["conv1.conv.weight"] == (64, 6, 7, 7)
    assert shapes["m0.coordconv.conv.weight"] == (256, 259, 1, 1)
    assert shapes["m3.coordconv.conv.weight"] == (256, 261, 1, 1)
    assert shapes["m2.b2_plus_1.conv3.weight"] == (64, 64, 3, 3)
    assert shapes["al2.weight"] == (256, 99, 1, 1)
    assert not {"al3.weight", "bl3.weight", "conv3.downsample.2.weight"} & shapes.keys()


def test_published_network_agrees_with_its_reference(fill):
    # protossw512/AdaptiveWingLoss, core/models.py, with `torch.Tensor.cuda` made to do nothing:
    #   net = FAN(4, "False", "False", 98).eval()
    #   net.load_state_dict(fill.state_dict_for(net.state_dict()))
    #   x = fill.input_for("adaptive_wing.x", (1, 3, 256, 256), "unit")
    #   torch.stack([maps[0].mean((1, 2))[[0, 48, 97, 98]] for maps in net(x)[0]])
    # and with `net.end_relu = False`, the last stack's.
    with torch.device("meta"):
        like = AdaptiveWingNetwork(**PUBLISHED).state_dict()
    like = {key: torch.empty_like(value, device="cpu") for key, value in like.items()}
    network = models.load(fill.state_dict_for(like)).network
    x = fill.input_for("adaptive_wing.x", (1, 3, 256, 256), "unit")
    wanted = [
        [0.2186846, 0.4099723, 0.0000000, 0.5377758],
        [41.7059975, 1.7407572, 37.8174057, 0.0000000],
        [0.0976736, 90.7414093, 341.1152954, 0.1368674],
        [1811.7515869, 312.4554749, 0.0000000, 1080.5161133],
    ]
    plain = [1951.3487549, -353.6072083, -2380.3620605, 1858.6230469]
    with torch.no_grad():
        found = [maps[0].mean((1, 2))[[0, 48, 97, 98]] for maps in network(x)]
        last = network(x, rectified=False)[-1][0].mean((1, 2))[[0, 48, 97, 98]]
    torch.testing.assert_close(torch.stack(found), torch.tensor(wanted), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(last, torch.tensor(plain), atol=1e-4, rtol=1e-4)


def test_coordinates_run_down_and_across_and_outwards():
    places = coordinates(torch.zeros(2, 7, 3, 5, dtype=torch.float64))
    assert (places.shape, places.dtype) == ((2, 3, 3, 5), torch.float64)
    for row in range(3):
        for column in range(5):
            down, across = row - 1, (column - 2) / 2
            wanted = [down, across, ((down**2 + across**2) / 2) ** 0.5]
            assert places[1, :, row, column].tolist() == pytest.approx(wanted, abs=1e-6)


def test_the_boundary_lets_the_coordinates_through_once_more():
    layer = CoordConv(1, 6, 1, gated=True)
    nn.init.zeros_(layer.conv.bias)
    layer.conv.weight.data = torch.eye(6)[:, :, None, None]
    x = torch.rand(1, 1, 2, 2)
    boundary = torch.tensor([[[[0.04, 0.06], [7.0, -3.0]]]])
    seen = layer(x, boundary)[0]
    assert torch.equal(seen[:1], x[0])
    assert torch.equal(seen[1:4], coordinates(x)[0])
    assert seen[4].tolist() == [[0, -1], [1, 0]]
    assert seen[5].tolist() == [[0, 1], [-1, 0]]


def test_rectified_maps_feed_the_next_stack(model, images):
    rectified, plain = model.network(images), model.network(images, rectified=False)
    assert [maps.shape for maps in rectified] == [(2, 99, 64, 64)] * 3
    assert plain[0].min() < 0
    torch.testing.assert_close(rectified[0], plain[0].clamp(min=0))
    assert not torch.allclose(rectified[1], plain[1].clamp(min=0))


# ---- loading ----


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("points", [68, 98])
def test_sizes_are_read_from_shapes(tmp_path, wrapped, points):
    state = AdaptiveWingNetwork((4, 8, 16), stacks=2, depth=3, points=points).state_dict()
    torch.save({"state_dict": state, "epoch": 3} if wrapped else state, tmp_path / "WFLW_4HG.pth")
    model = models.load(tmp_path / "WFLW_4HG.pth", "landmarker")
    assert isinstance(model, AdaptiveWing)
    assert model.points == points
    torch.testing.assert_close(dict(model.network.state_dict()), dict(state))


def test_truncated_weights_are_refused_by_name(state):
    lacking = {key: value for key, value in state.items() if not key.startswith("m1.b2_1.conv2")}
    with pytest.raises(models.CheckpointError, match=r"missing: m1\.b2_1\.conv2\.weight"):
        models.load(lacking)


# ---- reading heat maps ----


def slow_peaks(heatmaps):
    found = torch.zeros(*heatmaps.shape[:2], 2)
    for face, maps in enumerate(heatmaps):
        for point, heat in enumerate(maps.tolist()):
            high = max(max(row) for row in heat)
            y = next(row for row, values in enumerate(heat) if high in values)
            x = heat[y].index(high)
            right = down = 0.0
            if 0 < x < len(heat[0]) - 1 and 0 < y < len(heat) - 1:
                right = (heat[y][x + 1] > heat[y][x - 1]) - (heat[y][x + 1] < heat[y][x - 1])
                down = (heat[y + 1][x] > heat[y - 1][x]) - (heat[y + 1][x] < heat[y - 1][x])
            found[face, point] = torch.tensor([x + 0.5 + right / 4, y + 0.5 + down / 4])
    return found


def test_peaks_move_towards_the_higher_neighbour():
    heat = torch.zeros(1, 4, 8, 10)
    heat[0, :, 3, 6] = 1
    heat[0, 0, 3, 7] = heat[0, 0, 4, 6] = 0.5  # right and down
    heat[0, 1, 3, 5] = heat[0, 1, 2, 6] = 0.5  # left and up
    heat[0, 2, 3, 5] = heat[0, 2, 3, 7] = 0.5  # both sides alike
    heat[0, 3, 0, 9] = 2  # the map's corner
    # Centres at integer + 0.5; the reference counts 7.25, 4.25 from 1, and takes off 0.5.
    assert peaks(heat)[0].tolist() == [[6.75, 3.75], [6.25, 3.25], [6.5, 3.5], [9.5, 0.5]]


@pytest.mark.parametrize("shape", [(2, 40, 4, 5), (1, 40, 3, 3), (0, 3, 4, 4), (2, 0, 4, 4)])
def test_peaks_beside_the_slow_ones(shape):
    # Whole numbers, for ties; about half of the peaks lie at an edge.
    heat = torch.randint(-3, 4, shape, generator=torch.Generator().manual_seed(0)).float()
    assert torch.equal(peaks(heat), slow_peaks(heat))


def test_a_drawn_blob_is_found_within_a_quarter_of_a_pixel():
    grid = torch.arange(64) + 0.5
    centre = 20 + 20 * torch.rand(1, 50, 2, generator=torch.Generator().manual_seed(0))
    x, y = centre[..., :1, None], centre[..., 1:, None]
    blobs = (-((grid - x) ** 2 + (grid[:, None] - y) ** 2) / 2).exp()
    assert (peaks(blobs) - centre).abs().max() <= 0.25 + 1e-4


# ---- landmarker ----


def test_the_crop_is_that_of_the_authors_evaluation(two_faces, grey_frames):
    maps = torch.zeros(99, 64, 64)
    maps[:98, 0, 0] = 1
    maps[1, 63, 63] = 2
    network = Drawn(maps)
    found = AdaptiveWing(network, 98).find(grey_frames, two_faces).landmarks
    assert found.shape == (2, 98, 2)
    assert not network.rectified
    assert network.images.shape == (2, 3, 256, 256)
    assert network.images[:, :, 128, 128].tolist() == grey_frames[:, :, 0, 0].tolist()
    # convert_WFLW.py and dataloader.py, for a box of the landmarks 0.71 * 128 px wide and high.
    bounds = 0.71 * 128 * 1.05
    shown = 200 * (bounds + bounds) / 250 * (200 * 1.8) / 450
    corner = torch.tensor([200, 150 + 0.12 * 128]) - shown / 2
    pixel = shown / 64
    torch.testing.assert_close(found[0, 0], corner + pixel / 2, atol=1e-3, rtol=0)
    torch.testing.assert_close(found[1, 1], corner + pixel * 63.5, atol=1e-3, rtol=0)


@pytest.mark.parametrize("turned", [False, True])
def test_points_come_back_to_where_they_were_seen(two_faces, turned):
    frames = torch.zeros(2, 3, 300, 400)
    spots = torch.tensor([[180, 140], [230, 170]])
    for frame, (x, y) in zip(frames, spots.tolist(), strict=True):
        frame[:, y - 2 : y + 2, x - 2 : x + 2] = 1
    points = two_faces.keypoints.clone()
    if turned:  # by a quarter turn about the box's middle
        points = (points - torch.tensor([200, 150])).flip(2) * torch.tensor([-1, 1])
        points = points + torch.tensor([200, 150])
    faces = Faces(**{**vars(two_faces), "keypoints": points})
    found = AdaptiveWing(Drawn(torch.zeros(99, 64, 64)), 98).find(frames, faces).landmarks
    # A pixel of the heat maps is 1.9 px of the frame.
    torch.testing.assert_close(found[:, 5], spots.float(), atol=1.0, rtol=0)


def test_no_faces_have_no_landmarks(model):
    found = model.find(torch.rand(2, 3, 40, 30), Faces.empty((40, 30), 2))
    assert found.landmarks.shape == (0, 98, 2)


def test_frames_of_other_faces_are_refused(model, two_faces, grey_frames):
    with pytest.raises(ValueError, match="AdaptiveWing wants the frames that the faces were found"):
        model.find(grey_frames[:1], two_faces)


def test_find_landmarks_runs_it(model, two_faces, grey_frames):
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(2, 300, 400, 3, generator=generator)
    (found,) = FindLandmarks.execute(image, two_faces, Hosted(model)).args
    assert found.landmarks.shape == (2, 98, 2)
    assert found.landmarks.isfinite().all()
    assert torch.equal(found.box, two_faces.box)
    assert torch.equal(found.keypoints, keypoints_from_landmarks(found.landmarks))
    assert convert_landmarks(found.landmarks, 68).shape == (2, 68, 2)


# ---- GHOST's eye loss ----


def test_eye_heatmaps_are_the_pupils_of_the_last_stack(model, images):
    maps = model.heatmaps(images)
    assert maps.shape == (2, 99, 64, 64)
    assert torch.equal(maps, model.network(images)[-1])
    eyes = model.eye_heatmaps(images)
    assert torch.equal(eyes, torch.stack([maps[:, 96], maps[:, 97]], 1))
    assert eyes.min() == 0  # GHOST's network never goes below
    assert model.eye_heatmaps(images[:0]).shape == (0, 2, 64, 64)


def test_the_eye_loss_reaches_the_pictures_only(model, images):
    # ai-forever/ghost, losses.py: l2_loss(Xt_left, Y_left) + l2_loss(Xt_right, Y_right)
    output = images.clone().requires_grad_()
    target, drawn = model.eye_heatmaps(images.flip(3)), model.eye_heatmaps(output)
    assert not target.requires_grad
    mse = nn.functional.mse_loss
    loss = mse(target[:, 0], drawn[:, 0]) + mse(target[:, 1], drawn[:, 1])
    torch.testing.assert_close((target - drawn).square().mean((0, 2, 3)).sum(), loss)
    loss.backward()
    assert output.grad.flatten(1).abs().amax(1).min() > 0
    assert all(weight.grad is None for weight in model.network.parameters())


def test_what_has_no_pupils_or_another_size_is_refused(model, images):
    with pytest.raises(ValueError, match=r"98 landmarks \(WFLW_4HG.pth\).*these draw 68"):
        AdaptiveWing(model.network, 68).eye_heatmaps(images)
    with pytest.raises(ValueError, match=r"\[N, 3, 256, 256\], got \[2, 3, 128, 256\]"):
        model.heatmaps(images[:, :, ::2])
