from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from faceloom import models
from faceloom.faces import Faces
from faceloom.host.memory import Hosted
from faceloom.models.hrnet.adapter import HRNet
from faceloom.models.hrnet.network import Exchange, HRNetNetwork
from faceloom.nodes import FindLandmarks
from faceloom.ops.heatmaps import decode_disc
from faceloom.ops.landmark_sets import keypoints_from_landmarks

PUBLISHED = {
    "stem": 64,
    "bottlenecks": 4,
    "widths": (18, 36, 72, 144),
    "modules": (1, 4, 3),
    "blocks": (4, 4, 4),
}
SMALL = {
    "stem": 4,
    "bottlenecks": 2,
    "widths": (3, 4, 5, 6),
    "modules": (1, 2, 1),
    "blocks": (1, 3, 2),
}


class Drawn(nn.Module):
    """Draws given heat maps [98, 64, 64], plus the pictures' own brightness."""

    def __init__(self, maps):
        super().__init__()
        self.maps = maps

    def forward(self, crops):
        self.crops = crops
        return self.maps + nn.functional.avg_pool2d(crops.mean(1, keepdim=True), 4)


@pytest.fixture(scope="module")
def state():
    torch.manual_seed(0)
    return HRNetNetwork(**SMALL, points=98).state_dict()


@pytest.fixture(scope="module")
def model(state):
    return models.load(state, "landmarker")


# ---- network ----


def test_published_network_has_the_published_counts_and_keys():
    with torch.device("meta"):
        network = HRNetNetwork(**PUBLISHED, points=98)
    assert sum(weight.numel() for weight in network.parameters()) == 9_662_528
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    assert len(shapes) == 1839
    assert shapes["layer1.0.downsample.0.weight"] == (256, 64, 1, 1)
    assert shapes["transition1.0.0.weight"] == (18, 256, 3, 3)
    assert shapes["transition3.3.0.0.weight"] == (144, 72, 3, 3)
    assert shapes["stage3.3.fuse_layers.0.2.0.weight"] == (18, 72, 1, 1)
    assert shapes["stage4.2.fuse_layers.3.0.2.0.weight"] == (144, 18, 3, 3)
    assert shapes["head.0.bias"] == (270,)
    assert shapes["head.3.weight"] == (98, 270, 1, 1)


def test_published_network_agrees_with_its_reference(fill):
    # YuvalNirkin/fsgan, fsgan/models/hrnet.py (a copy of HRNet-Facial-Landmark-Detection's):
    #   net = hrnet_wlfw().eval()
    #   net.load_state_dict(fill.state_dict_for(net.state_dict()))
    #   maps = net(fill.input_for("hrnet.x", (1, 3, 256, 256), "normal"))
    #   some = [0, 33, 60, 97]
    #   maps.mean((2, 3))[0, some], maps.std((2, 3))[0, some]
    #   64 * landmarks_utils.LandmarksHeatMapEncoder()(maps)[0, some]
    with torch.device("meta"):
        like = HRNetNetwork(**PUBLISHED, points=98).state_dict()
    like = {key: torch.empty_like(value, device="cpu") for key, value in like.items()}
    network = models.load(fill.state_dict_for(like)).network
    maps = network(fill.input_for("hrnet.x", (1, 3, 256, 256), "normal"))
    assert maps.shape == (1, 98, 64, 64)
    some = maps[:, [0, 33, 60, 97]]
    mean = [907.3526001, 489.8875427, -42.2338562, -1135.9954834]
    deviation = [292.1516113, 169.0940094, 132.0023804, 263.3068848]
    points = [
        [30.9858608, 35.2140884],
        [31.7059994, 37.0091934],
        [18.3015614, 35.5225067],
        [27.8099842, 16.5408630],
    ]
    torch.testing.assert_close(some.mean((2, 3))[0], torch.tensor(mean), atol=0.01, rtol=1e-5)
    torch.testing.assert_close(some.std((2, 3))[0], torch.tensor(deviation), atol=0.01, rtol=1e-5)
    # A pixel about half as high as its map's peak may fall on either side of the threshold.
    torch.testing.assert_close(decode_disc(some)[0], torch.tensor(points), atol=0.02, rtol=0)


def test_every_branch_adds_what_all_others_know():
    torch.manual_seed(0)
    exchange = Exchange((2, 3, 4), blocks=1).eval()
    for branch in exchange.branches:
        branch[0] = nn.Identity()
    maps = [torch.rand(1, channels, side, side) for channels, side in ((2, 16), (3, 8), (4, 4))]
    bridges = exchange.fuse_layers
    resize = nn.functional.interpolate
    middle = (
        bridges[1][0](maps[0])
        + maps[1]
        + resize(bridges[1][2](maps[2]), scale_factor=2, mode="bilinear", align_corners=False)
    )
    found = exchange(maps)
    assert [x.shape for x in found] == [x.shape for x in maps]
    torch.testing.assert_close(found[1], middle.relu())
    # Two steps down: only the first of them is rectified.
    assert [type(layer).__name__ for layer in bridges[2][0][0]][-1] == "ReLU"
    assert [type(layer).__name__ for layer in bridges[2][0][1]][-1] == "BatchNorm2d"


# ---- loading ----


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("points", [68, 98])
def test_sizes_are_read_from_shapes(tmp_path, points, wrapped):
    # FSGAN wraps the weights; the authors' training may leave the prefix of parallel devices.
    torch.manual_seed(0)
    state = HRNetNetwork(**SMALL, points=points).state_dict()
    parallel = {f"module.{key}": value for key, value in state.items()}
    path = tmp_path / "hr18_wflw_landmarks.pth"
    torch.save({"state_dict": state, "arch": "hrnet.hrnet_wlfw()"} if wrapped else parallel, path)
    model = models.load(path, "landmarker")
    assert isinstance(model, HRNet)
    assert model.points == points
    torch.testing.assert_close(dict(model.network.state_dict()), dict(state))
    assert model.network(torch.rand(2, 3, 64, 96)).shape == (2, points, 16, 24)


def test_truncated_weights_are_refused_by_name(state):
    lacking = {k: v for k, v in state.items() if not k.startswith("stage3.1.fuse_layers.2.0.1.0")}
    with pytest.raises(models.CheckpointError, match=r"missing: stage3\.1\.fuse_layers\.2\.0\.1"):
        models.load(lacking)


def test_sets_of_points_that_nothing_can_use_are_refused():
    with pytest.raises(models.CheckpointError, match="no known architecture"):
        models.load(HRNetNetwork(**SMALL, points=29).state_dict())


# ---- landmarker ----


def test_heat_maps_are_read_as_fsgan_does():
    # y, x = torch.meshgrid(torch.arange(64.), torch.arange(64.), indexing="ij"), the maps below,
    # and 64 * fsgan.utils.landmarks_utils.LandmarksHeatMapEncoder()(maps)
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    maps = [(x / 9 + y / (5 + k)).sin() + (x * y / 200).cos() * (1 + k) for k in range(3)]
    wanted = [[29.0724087, 30.3596764], [29.5889549, 29.4313068], [29.3117161, 29.2491989]]
    found = decode_disc(torch.stack(maps)[None])[0]
    torch.testing.assert_close(found, torch.tensor(wanted), atol=1e-3, rtol=0)


def test_the_crop_is_fsgans(two_faces, grey_frames):
    # scale_bbox(bbox, 1.2) of the box 136..264, 86..214: a square of 153.6 px about its middle
    maps = torch.zeros(98, 64, 64)
    maps[:, 0, 0] = 50
    maps[1, 63, 63] = 200
    network = Drawn(maps)
    found = HRNet(network, 98).find(grey_frames, two_faces).landmarks
    assert found.shape == (2, 98, 2)
    assert network.crops.shape == (2, 3, 256, 256)
    pixel = 153.6 / 64
    corner = torch.tensor([200 - 76.8, 150 - 76.8])
    torch.testing.assert_close(found[0, 0], corner + pixel / 2, atol=1e-2, rtol=0)
    torch.testing.assert_close(found[1, 1], corner + pixel * 63.5, atol=1e-2, rtol=0)


def test_the_network_sees_imagenets_colours_and_black_beyond_the_frame(two_faces, grey_frames):
    network = Drawn(torch.zeros(98, 64, 64))
    box = two_faces.box - torch.tensor([150.0, 0, 150, 0])
    HRNet(network, 98).find(grey_frames, replace(two_faces, box=box))
    mean, deviation = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])
    wanted = (torch.tensor([0.25, 0.5, 1]) - mean) / deviation
    torch.testing.assert_close(network.crops[0, :, 128, 200], wanted)
    torch.testing.assert_close(network.crops[0, :, 128, 10], -mean / deviation)


@pytest.mark.parametrize("angle", [0, 90, 180])
def test_points_come_back_to_where_they_were_seen(two_faces, angle):
    frames = torch.zeros(2, 3, 300, 400)
    spots = torch.tensor([[180, 140], [230, 170]])
    for frame, (x, y) in zip(frames, spots.tolist(), strict=True):
        frame[:, y - 2 : y + 2, x - 2 : x + 2] = 1
    eyes = {
        0: [[180, 130], [220, 130]],
        90: [[220, 130], [220, 170]],
        180: [[220, 170], [180, 170]],
    }
    points = two_faces.keypoints.clone()
    points[:, :2] = torch.tensor(eyes[angle])
    network = Drawn(torch.zeros(98, 64, 64))
    found = HRNet(network, 98).find(frames, replace(two_faces, keypoints=points)).landmarks
    # A pixel of the heat maps is 2.4 px of the frame.
    torch.testing.assert_close(found[:, 5], spots.float(), atol=0.6, rtol=0)


def test_no_faces_have_no_landmarks(model):
    found = model.find(torch.rand(2, 3, 40, 30), Faces.empty((40, 30), 2))
    assert found.landmarks.shape == (0, 98, 2)


def test_frames_of_other_faces_are_refused(model, two_faces, grey_frames):
    with pytest.raises(ValueError, match="HRNet wants the frames that the faces were found"):
        model.find(grey_frames[:1], two_faces)


def test_find_landmarks_runs_it(model, two_faces):
    image = torch.rand(2, 300, 400, 3, generator=torch.Generator().manual_seed(0))
    (found,) = FindLandmarks.execute(image, two_faces, Hosted(model)).args
    assert found.landmarks.shape == (2, 98, 2)
    assert found.landmarks.isfinite().all()
    assert torch.equal(found.keypoints, keypoints_from_landmarks(found.landmarks))
