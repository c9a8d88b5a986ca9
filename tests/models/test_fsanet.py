from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from faceloom import models
from faceloom.faces import Faces
from faceloom.models.fsanet.adapter import FSANet, in_our_axes
from faceloom.models.fsanet.network import FSANetNetwork, _Capsules

onnx = pytest.importorskip("onnx")
FILE = "fsanet-var-iter-688590.onnx"


class Seen(nn.Module):
    """Stands in for the network: keeps what it is shown, and sees 10, 20 and 30 degrees."""

    def forward(self, crops):
        self.crops = crops
        return torch.tensor([10.0, 20.0, 30.0]).expand(len(crops), 3)


def small():
    return FSANetNetwork([4, 5, 6, 7], features=64, primary=3, rows=2, parts=(2, 2, 4))


@pytest.fixture
def state():
    generator = torch.Generator().manual_seed(3)
    return {
        key: torch.rand(value.shape, generator=generator) / 10 + 0.05
        if value.is_floating_point()
        else value
        for key, value in small().state_dict().items()
    }


def some_faces(boxes, eyes, size=(120, 160)):
    count = len(boxes)
    points = torch.zeros(count, 5, 2)
    points[:, :2] = torch.tensor(eyes, dtype=torch.float32)
    return replace(
        Faces.empty(size, 1),
        frame=torch.zeros(count, dtype=torch.int64),
        box=torch.tensor(boxes, dtype=torch.float32),
        score=torch.ones(count),
        keypoints=points,
        track=torch.full((count,), -1),
    )


def test_published_network_has_237228_parameters():
    network = FSANetNetwork([16, 32, 64, 128], features=64, primary=7, rows=5, parts=(4, 4, 8))
    assert sum(weight.numel() for weight in network.parameters()) == 237_228


def test_sizes_are_read_from_shapes(tmp_path, state):
    save_file(state, tmp_path / "pose.safetensors")
    for source in (state, tmp_path / "pose.safetensors"):
        model = models.load(source, "head pose")
        assert isinstance(model, FSANet)
        assert (model.name, model.role) == ("fsanet", "head pose")
        assert {k: v.shape for k, v in model.network.state_dict().items()} == {
            k: v.shape for k, v in small().state_dict().items()
        }
        assert model.network(torch.zeros(2, 3, 64, 64)).shape == (2, 3)


def test_onnx_file_with_named_weights(tmp_path, state):
    weights = [onnx.numpy_helper.from_array(v.numpy(), k) for k, v in state.items()]
    weights.append(onnx.numpy_helper.from_array(torch.zeros(1).numpy(), "595"))
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["input"], ["output"])],
        "fsanet",
        [info("input", onnx.TensorProto.FLOAT, [1, 3, 64, 64])],
        [info("output", onnx.TensorProto.FLOAT, [1, 3])],
        weights,
    )
    opset = [onnx.helper.make_opsetid("", 9)]
    path = tmp_path / "pose.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), str(path))
    crops = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    wanted = models.load(state).network(crops)
    torch.testing.assert_close(models.load(path, "head pose").network(crops), wanted)


def test_other_weights_of_its_kind_are_named(state):
    state["fgsm.conv1x1.weight"] = torch.zeros(1)
    with pytest.raises(models.CheckpointError, match=r"unexpected: fgsm\.conv1x1\.weight"):
        models.load(state)


def test_routing_agrees_with_its_definition():
    # Sabour, Frosst, Hinton 2017, procedure 1, in loops.
    torch.manual_seed(0)
    layer, x = _Capsules(3, 4, 5, 6), torch.rand(1, 4, 6)
    nn.init.normal_(layer.requires_grad_(False).affine_w)
    votes = [[layer.affine_w[j, i] @ x[0, i] for i in range(4)] for j in range(3)]
    logits = torch.zeros(3, 4)
    for _ in range(2):
        weight = logits.exp() / logits.exp().sum(0)
        sums = [sum(weight[j, i] * votes[j][i] for i in range(4)) for j in range(3)]
        out = [s * s.norm() / (1 + s.norm() ** 2) for s in sums]
        logits = logits + torch.tensor([[v @ out[j] for v in votes[j]] for j in range(3)])
    torch.testing.assert_close(layer(x)[0], torch.stack(out))


def test_crop_is_level_and_1_4_times_as_wide():
    # The box is 80 px long and the eyes tilt by 45 degrees, so a corner of the crop lies
    # 0.7 * 80 * sqrt(2) = 79 px straight above its middle, (80, 100).
    network = Seen()
    frame = torch.zeros(1, 3, 200, 160)
    frame[..., 100 - 79 : 100 - 70, 78:82] = 1
    faces = some_faces([[50, 60, 110, 140]], [[[70, 90], [90, 110]]], (200, 160))
    yaw, pitch, roll = FSANet(network).pose(frame, faces)[0].tolist()
    light = network.crops[0, 0] > 0
    rows, columns = light.nonzero().unbind(1)
    assert rows.max() < 6
    assert columns.max() < 6
    assert light[0, 0]
    wanted = in_our_axes(torch.tensor([[10.0, 20, 30]]), torch.tensor([45.0]).deg2rad())
    assert [yaw, pitch, roll] == pytest.approx(wanted[0].tolist())


@pytest.mark.parametrize("eye", [0.0, math.nan])
def test_a_box_without_eyes_stays_upright(eye):
    faces = some_faces([[50, 60, 110, 140]], [[[eye, eye], [eye, eye]]], (200, 160))
    pose = FSANet(Seen()).pose(torch.zeros(1, 3, 200, 160), faces)
    torch.testing.assert_close(pose, in_our_axes(torch.tensor([[10.0, 20, 30]]), torch.zeros(1)))


def test_axes_agree_with_scipy():
    # The network's yaw 40, pitch 25, roll -15:
    # turn = scipy.spatial.transform.Rotation.from_euler("XYZ", [-25, 40, -15], degrees=True)
    # r, y, p = turn.as_euler("ZYX", degrees=True); print(-y, -p, r)
    found = in_our_axes(torch.tensor([[40.0, 25, -15]]), torch.zeros(1))
    torch.testing.assert_close(
        found, torch.tensor([[-26.95762, 38.83944, -33.88648]]), atol=1e-3, rtol=0
    )


def test_the_eyes_tilt_adds_to_the_roll_alone_within_half_a_turn():
    angles = torch.tensor([[12.0, -7, 20]]).expand(3, 3)
    tilt = torch.tensor([0.0, 90, 175]).deg2rad()
    yaw, pitch, roll = in_our_axes(angles, tilt).unbind(1)
    torch.testing.assert_close(yaw, yaw[:1].expand(3))
    torch.testing.assert_close(pitch, pitch[:1].expand(3))
    torch.testing.assert_close(
        roll - roll[0], torch.tensor([0.0, 90, 175 - 360]), atol=1e-3, rtol=0
    )


def test_network_sees_bgr_as_published():
    network = Seen()
    frame = torch.tensor([0.25, 7.0, -3.0]).reshape(1, 3, 1, 1).expand(1, 3, 120, 160)
    FSANet(network).pose(frame, some_faces([[40, 40, 80, 80]], [[[50, 50], [70, 50]]]))
    wanted = torch.tensor([-127.5, 127.5, 63.75 - 127.5]) / 128
    torch.testing.assert_close(network.crops[0, :, 32, 32], wanted)


def test_no_faces_have_no_pose(state):
    pose = models.load(state).pose(torch.rand(2, 3, 40, 30), Faces.empty((40, 30), 2))
    assert pose.shape == (0, 3)


def test_faces_of_other_frames_are_refused(state):
    with pytest.raises(ValueError, match="FSA-Net wants the frames that the faces were found in"):
        models.load(state).pose(torch.rand(1, 3, 41, 30), Faces.empty((40, 30), 2))


def test_golden_numbers_of_public_weights(shared_weights):
    # y, x = np.mgrid[:64, :64].astype(np.float32)
    # picture = np.stack([np.sin(x / (5 + k) + y / (9 - 2 * k) + k) for k in range(3)])[None]
    # onnxruntime.InferenceSession(FILE).run(None, {"input": picture})
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    picture = torch.stack([(x / (5 + k) + y / (9 - 2 * k) + k).sin() for k in range(3)])
    network = models.load(shared_weights / FILE, "head pose").network
    found = network(torch.stack([picture, 0.5 * picture.flip(2)]))
    wanted = torch.tensor([[0.644597, -32.60177, -9.406777], [9.918932, -22.400988, 0.386808]])
    torch.testing.assert_close(found, wanted, atol=2e-3, rtol=0)


def test_public_weights_on_a_portrait_its_mirror_image_and_a_turned_copy(shared_weights):
    data = pytest.importorskip("skimage.data")
    cv2 = pytest.importorskip("cv2")
    model = models.load(shared_weights / FILE)
    picture = data.astronaut()
    # YuNet's box and eyes; see test_yunet.py
    box, eyes = [178.11, 64.95, 269.47, 176.37], [[203.35, 103.62], [247.52, 104.45]]

    def pose(pixels, box, eyes):
        frame = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None] / 255
        return model.pose(frame, some_faces([box], [eyes], (512, 512)))[0]

    upright = pose(picture, box, eyes)
    # cv2.warpAffine to 192 px, INTER_AREA to 64 px, onnxruntime, then the axes as in scipy
    torch.testing.assert_close(upright, torch.tensor([0.46, -7.38, 2.51]), atol=0.6, rtol=0)

    mirrored_eyes = [[512 - x, y] for x, y in eyes[::-1]]
    mirrored = pose(picture[:, ::-1], [512 - box[2], box[1], 512 - box[0], box[3]], mirrored_eyes)
    wanted = upright * torch.tensor([-1, 1, -1])
    torch.testing.assert_close(mirrored, wanted, atol=2.5, rtol=0)

    # 30 degrees clockwise about the face; OpenCV counts pixel centres at integers and angles
    # against the clock
    centre = ((box[0] + box[2]) / 2 - 0.5, (box[1] + box[3]) / 2 - 0.5)
    turn = cv2.getRotationMatrix2D(centre, -30, 1)
    turned_eyes = [(turn[:, :2] @ [x - 0.5, y - 0.5] + turn[:, 2] + 0.5).tolist() for x, y in eyes]
    turned = pose(cv2.warpAffine(picture, turn, (512, 512)), box, turned_eyes)
    wanted = upright + torch.tensor([0.0, 0, 30])
    torch.testing.assert_close(turned, wanted, atol=1, rtol=0)
