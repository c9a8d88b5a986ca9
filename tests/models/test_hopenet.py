from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from faceloom import models
from faceloom.faces import Faces
from faceloom.faces.convert import faces_from_boxes
from faceloom.models.hopenet.adapter import Hopenet
from faceloom.models.hopenet.network import HopenetNetwork
from faceloom.ops.rotation import euler_to_matrix

PUBLISHED = {"width": 64, "blocks": (3, 4, 6, 3)}
IMAGENET = {"mean": (0.485, 0.456, 0.406), "deviation": (0.229, 0.224, 0.225)}


class Seen(nn.Module):
    """Stands in for the network: keeps what it is shown, and sees given angles."""

    def __init__(self, *angles):
        super().__init__()
        self.angles = torch.tensor([angles], dtype=torch.float32)

    def forward(self, crops):
        self.crops = crops
        return self.angles.expand(len(crops), 3)


@pytest.fixture(scope="module")
def state():
    torch.manual_seed(0)
    return HopenetNetwork(4, (1, 2, 1, 1)).state_dict()


def turned(faces, eyes):
    points = faces.keypoints.clone()
    points[:, :2] = torch.tensor(eyes)
    return replace(faces, keypoints=points)


# ---- network ----


def test_published_network_has_the_published_counts_and_keys():
    with torch.device("meta"):
        network = HopenetNetwork(**PUBLISHED)
    assert sum(weight.numel() for weight in network.parameters()) == 23_919_890
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    assert len(shapes) == 326
    assert shapes["fc_yaw.weight"] == (66, 2048)
    assert shapes["fc_finetune.weight"] == (3, 2051)
    assert shapes["layer1.0.downsample.0.weight"] == (256, 64, 1, 1)
    assert shapes["layer4.2.conv2.weight"] == (512, 512, 3, 3)


def test_published_network_agrees_with_its_reference(fill):
    # YuvalNirkin/fsgan, fsgan/models/hopenet.py:
    #   net = Hopenet().eval()
    #   net.load_state_dict(fill.state_dict_for(net.state_dict()))
    #   net(fill.input_for("hopenet.x", (2, 3, 224, 224)))
    with torch.device("meta"):
        like = HopenetNetwork(**PUBLISHED).state_dict()
    like = {key: torch.empty_like(value, device="cpu") for key, value in like.items()}
    network = models.load(fill.state_dict_for(like)).network
    found = network(fill.input_for("hopenet.x", (2, 3, 224, 224)))
    wanted = [[-3.1934662, -6.2388611, -0.9617920], [-3.1800766, -6.2636871, -0.8423615]]
    torch.testing.assert_close(found, torch.tensor(wanted), atol=2e-4, rtol=0)


def test_angles_are_the_mean_of_likely_bins(state):
    state = dict(state)
    for angle, bins in {"yaw": [0, 0], "pitch": [65, 65], "roll": [40, 41]}.items():
        state[f"fc_{angle}.weight"] = torch.zeros(66, 128)
        state[f"fc_{angle}.bias"] = torch.zeros(66).index_fill(0, torch.tensor(bins), 60)
    found = models.load(state).network(torch.rand(2, 3, 64, 64))
    torch.testing.assert_close(found, torch.tensor([[-99, 96, 40.5 * 3 - 99]]).expand(2, 3))


# ---- loading ----


@pytest.mark.parametrize("wrapped", [False, True])
def test_sizes_are_read_from_shapes(tmp_path, state, wrapped):
    # FSGAN's release wraps the weights; deep-head-pose's files do not.
    path = tmp_path / "hopenet_robust_alpha1.pth"
    torch.save({"state_dict": state, "arch": "hopenet.Hopenet()"} if wrapped else state, path)
    model = models.load(path, "head pose")
    assert isinstance(model, Hopenet)
    assert model.mean == model.deviation == (0.5, 0.5, 0.5)
    torch.testing.assert_close(dict(model.network.state_dict()), dict(state))


def test_truncated_weights_are_refused_by_name(state):
    lacking = {key: value for key, value in state.items() if key != "fc_finetune.bias"}
    with pytest.raises(models.CheckpointError, match=r"missing: fc_finetune\.bias"):
        models.load(lacking)


# ---- head pose ----


@pytest.mark.parametrize("angles", [(30, 0, 0), (0, 20, 0), (0, 0, 25), (40, -25, 60)])
def test_the_pose_draws_the_references_axes(two_faces, grey_frames, angles):
    # natanielruiz/deep-head-pose, code/utils.py, draw_axis, with size 1 at the origin
    yaw, pitch, roll = (math.radians(angle) for angle in angles)
    yaw = -yaw
    sin, cos = math.sin, math.cos
    x_axis = (cos(yaw) * cos(roll), cos(pitch) * sin(roll) + cos(roll) * sin(pitch) * sin(yaw))
    y_axis = (-cos(yaw) * sin(roll), cos(pitch) * cos(roll) - sin(pitch) * sin(yaw) * sin(roll))
    nose = (sin(yaw), -cos(yaw) * sin(pitch))
    pose = Hopenet(Seen(*angles)).pose(grey_frames, two_faces)
    assert pose.shape == (2, 3)
    # ops.rotation's positive pitch looks down, and its z points away from the viewer
    ours = euler_to_matrix((pose[1] * torch.tensor([1, -1, 1])).deg2rad())
    drawn = ours[:2] * torch.tensor([1, 1, -1])
    torch.testing.assert_close(drawn.T, torch.tensor([x_axis, y_axis, nose]), atol=1e-5, rtol=0)


def test_each_angle_alone_has_its_sign(two_faces, grey_frames):
    # A positive yaw of Hopenet's looks to the image's left, ours to its right.
    signs = {(30, 0, 0): (-30, 0, 0), (0, 20, 0): (0, 20, 0), (0, 0, 9): (0, 0, 9)}
    for angles, wanted in signs.items():
        pose = Hopenet(Seen(*angles)).pose(grey_frames, two_faces)
        torch.testing.assert_close(pose[0], torch.tensor(wanted).float(), atol=1e-4, rtol=0)


def test_the_crop_is_fsgans(two_faces):
    # preprocess/euler_sequences.py: scale_bbox(bbox, 1.2) of the box 136..264, 86..214 is the
    # square 123..277, 73..227, resized to 224, its colours (x - 0.5) / 0.5.
    frames = torch.zeros(2, 3, 300, 400)
    frames[0, :, 73:227, 123:277] = 1
    network = Seen(0, 0, 0)
    Hopenet(network).pose(frames, two_faces)
    assert network.crops.shape == (2, 3, 224, 224)
    assert network.crops[0].mean() > 0.98
    frames[0, :, 80:220, 130:270] = 0
    Hopenet(network).pose(frames, two_faces)
    dark = (network.crops[0, 0] < 0).nonzero()
    # 7 px of 154 remain on each side
    assert dark.amin(0).tolist() == pytest.approx([7 / 154 * 224] * 2, abs=1)
    assert dark.amax(0).tolist() == pytest.approx([147 / 154 * 224] * 2, abs=1)


def test_beyond_the_frame_is_black():
    network = Seen(0, 0, 0)
    faces = faces_from_boxes(
        torch.tensor([[-40.0, -40, 20, 20]]), torch.ones(1), torch.zeros(1).long(), (60, 60), 1
    )
    Hopenet(network).pose(torch.ones(1, 3, 60, 60), faces)
    assert network.crops[0, :, 20, 20].tolist() == [-1, -1, -1]
    assert network.crops[0, :, 200, 200].tolist() == [1, 1, 1]


def test_the_original_colours_can_be_had(two_faces, grey_frames):
    network = Seen(0, 0, 0)
    Hopenet(network).pose(grey_frames, two_faces)
    assert network.crops[0, :, 112, 112].tolist() == pytest.approx([-0.5, 0, 1])
    replace(Hopenet(network), **IMAGENET).pose(grey_frames, two_faces)
    wanted = [(x - m) / s for x, m, s in zip((0.25, 0.5, 1), *IMAGENET.values(), strict=True)]
    assert network.crops[0, :, 112, 112].tolist() == pytest.approx(wanted)


def test_the_eyes_are_made_level_and_their_tilt_comes_back(two_faces):
    frames = torch.zeros(2, 3, 300, 400)
    frames[:, :, :150] = 1  # above the box's middle
    faces = turned(two_faces, [[200, 120], [200, 180]])  # a quarter turn clockwise
    network = Seen(20, 0, 0)
    pose = Hopenet(network).pose(frames, faces)
    torch.testing.assert_close(pose[0], torch.tensor([-20.0, 0, 90]), atol=1e-4, rtol=0)
    # What is up in the frame lies to the left of a face that lies on its side so.
    assert network.crops[0, 0, 112, [50, 170]].tolist() == [1, -1]


def test_no_faces_have_no_pose(state):
    pose = models.load(state).pose(torch.rand(2, 3, 40, 30), Faces.empty((40, 30), 2))
    assert pose.shape == (0, 3)


def test_faces_of_other_frames_are_refused(state, two_faces, grey_frames):
    with pytest.raises(ValueError, match="Hopenet wants the frames that the faces were found in"):
        models.load(state).pose(grey_frames[:1], two_faces)
