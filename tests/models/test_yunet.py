from __future__ import annotations

import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

from faceloom import models
from faceloom.faces import Faces
from faceloom.models.letterbox import area_resize, letterbox
from faceloom.models.suppression import best_boxes, pairwise_iou
from faceloom.models.yunet.adapter import YuNet, decode
from faceloom.models.yunet.network import HEADS, STRIDES, YuNetNetwork


class OneFace(nn.Module):
    """Stands in for the network: one face of 64x64 px about (104, 56) px of the canvas."""

    def forward(self, images):
        self.images = images
        heads = {}
        for stride in STRIDES:
            rows, columns = (side // stride for side in images.shape[-2:])
            for name, values in HEADS.items():
                heads[f"{name}_{stride}"] = torch.zeros(len(images), rows * columns, values)
        cell = (56 // 8) * (images.shape[-1] // 8) + 104 // 8
        heads["cls_8"][:, cell], heads["obj_8"][:, cell] = 0.9, 0.4
        heads["bbox_8"][:, cell, 2:] = torch.tensor(8.0).log()
        return heads


def random_boxes(batch, count):
    generator = torch.Generator().manual_seed(3)
    corner, side = torch.rand(2, batch, count, 2, generator=generator).unbind()
    boxes = torch.cat([corner * 60, corner * 60 + side * 40 + 5], -1)
    return boxes, torch.rand(batch, count, generator=generator)


def greedy(boxes, scores, threshold, overlap):
    """The textbook algorithm, one frame and one box at a time."""
    chosen = []
    for frame in range(len(boxes)):
        kept = []
        for index in scores[frame].argsort(descending=True).tolist():
            if scores[frame, index] < threshold:
                break
            if all(iou(boxes[frame, index], boxes[frame, k]) <= overlap for k in kept):
                kept.append(index)
        chosen += [(frame, index) for index in kept]
    return chosen


def iou(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    area = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return float(shared / (area - shared))


def test_published_network_has_75856_parameters():
    network = YuNetNetwork([16, 64, 64, 64, 64, 64], shared=1)
    assert sum(weight.numel() for weight in network.parameters()) == 75_856


def test_widths_are_read_from_shapes(yunet_state):
    model = models.load(yunet_state)
    assert isinstance(model, YuNet)
    outputs = model.network(torch.rand(2, 3, 64, 96))
    assert {name: list(x.shape) for name, x in outputs.items()} == {
        f"{head}_{stride}": [2, (64 // stride) * (96 // stride), values]
        for head, values in HEADS.items()
        for stride in STRIDES
    }


def test_suppression_agrees_with_the_textbook():
    boxes, scores = random_boxes(3, 80)
    for overlap in (0.1, 0.3, 0.6):
        frame, chosen = best_boxes(boxes, scores, 0.2, overlap)
        found = list(zip(frame.tolist(), chosen.tolist(), strict=True))
        assert found == greedy(boxes, scores, 0.2, overlap)


def test_suppression_of_chains():
    # Each box overlaps its neighbours only: the first, third, fifth stay.
    x = torch.arange(6.0)[:, None] * 5
    boxes = torch.cat([x, torch.zeros(6, 1), x + 10, torch.full((6, 1), 10.0)], 1)[None]
    scores = torch.linspace(0.9, 0.4, 6)[None]
    assert best_boxes(boxes, scores, 0.1, 0.3)[1].tolist() == [0, 2, 4]


def test_equal_scores_keep_their_order_and_thresholds_may_leave_nothing():
    boxes = torch.tensor([[[0.0, 0, 5, 5], [10, 0, 15, 5], [20, 0, 25, 5]]])
    scores = torch.full((1, 3), 0.5)
    assert best_boxes(boxes, scores, 0.5, 0.3)[1].tolist() == [0, 1, 2]
    assert best_boxes(boxes, scores, 0.6, 0.3)[0].shape == (0,)
    assert best_boxes(boxes, scores * torch.nan, 0.6, 0.3)[0].shape == (0,)


def test_pairwise_iou():
    boxes = torch.tensor([[[0.0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 5, 5]]])
    third = 1 / 3
    wanted = torch.tensor([[[1, third, 0], [third, 1, 0], [0, 0, 0]]])
    torch.testing.assert_close(pairwise_iou(boxes), wanted)


@pytest.mark.parametrize("size", [1, 3, 7, 12, 13])
def test_area_resize_is_the_mean_of_what_a_pixel_covers(size):
    x = torch.rand(2, 3, 13, generator=torch.Generator().manual_seed(0))
    wanted = torch.zeros(2, 3, size)
    step = 13 / size
    for out in range(size):
        for pixel in range(13):
            shared = min(pixel + 1, (out + 1) * step) - max(pixel, out * step)
            wanted[..., out] += max(shared, 0) / step * x[..., pixel]
    torch.testing.assert_close(area_resize(x, size, -1), wanted)
    columns = area_resize(x.transpose(1, 2), size, -2).transpose(1, 2)
    torch.testing.assert_close(columns, wanted)


def test_area_resize_agrees_with_opencv():
    # cv2.resize(np.arange(25, dtype=np.float32).reshape(5, 5) ** 2, (2, 2),
    #            interpolation=cv2.INTER_AREA)
    wanted = torch.tensor([[37.6, 66.4], [296.8, 383.2]])
    x = torch.arange(25.0).reshape(5, 5) ** 2
    torch.testing.assert_close(area_resize(area_resize(x, 2, -2), 2, -1), wanted)


def test_letterbox_reduces_and_pads_and_never_enlarges():
    canvas, scale = letterbox(torch.ones(1, 3, 100, 200), 64, 32)
    assert canvas.shape == (1, 3, 32, 64)
    torch.testing.assert_close(scale, torch.tensor([0.32, 0.32]))
    canvas, scale = letterbox(torch.ones(1, 3, 16, 40), 640, 32)
    assert canvas.shape == (1, 3, 32, 64)
    assert scale.tolist() == [1, 1]
    assert canvas.sum() == 3 * 16 * 40
    assert canvas[..., :16, :40].min() == 1
    assert letterbox(torch.ones(1, 3, 700, 900), 0, 32)[0].shape == (1, 3, 704, 928)
    assert letterbox(torch.ones(1, 3, 700, 900), 640, 32, (96, 64))[0].shape == (1, 3, 96, 64)


def test_decode_agrees_with_the_contract():
    generator = torch.Generator().manual_seed(1)
    heads = {
        f"{name}_{stride}": torch.rand(1, 2048 // stride**2, values, generator=generator)
        for name, values in HEADS.items()
        for stride in STRIDES
    }
    scores, boxes, points = decode(heads, 64)
    row = 0
    for s in STRIDES:
        for r in range(32 // s):
            for c in range(64 // s):
                cell = r * (64 // s) + c
                cls, obj, (x, y, w, h), kps = (heads[f"{name}_{s}"][0, cell] for name in HEADS)
                centre, half = torch.stack([x + c, y + r]) * s, torch.stack([w, h]).exp() * s / 2
                torch.testing.assert_close(scores[0, row], (cls * obj).sqrt()[0])
                torch.testing.assert_close(boxes[0, row], torch.cat([centre - half, centre + half]))
                place = (kps.reshape(5, 2) + torch.tensor([c, r])) * s
                torch.testing.assert_close(points[0, row], place)
                row += 1
    assert row == scores.shape[1]


def test_boxes_are_in_frame_pixels_and_may_leave_the_frame():
    # 1280x400 becomes 320x100, so a canvas pixel is four frame pixels.
    faces = YuNet(OneFace()).detect(torch.rand(2, 3, 400, 1280), 0.5, 320)
    assert (faces.frames, faces.image_size) == (2, (400, 1280))
    assert faces.frame.tolist() == [0, 1]
    box = torch.tensor([104 - 32, 56 - 32, 104 + 32, 56 + 32]) * 4.0
    torch.testing.assert_close(faces.box, box.expand(2, 4))
    torch.testing.assert_close(faces.keypoints, torch.tensor([416.0, 224]).expand(2, 5, 2))
    torch.testing.assert_close(faces.score, torch.full((2,), 0.6))
    assert faces.track.tolist() == [-1, -1]
    cut = YuNet(OneFace()).detect(torch.rand(1, 3, 64, 112), 0.5)
    assert cut.box[0].tolist() == [72, 24, 136, 88]


def test_network_sees_bgr_0_to_255():
    network = OneFace()
    frame = torch.tensor([0.25, 7.0, -3.0]).reshape(1, 3, 1, 1).expand(1, 3, 96, 128)
    YuNet(network).detect(frame, 0.5)
    assert network.images[0, :, 5, 5].tolist() == [0, 255, 63.75]


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (33, 700), (1500, 20)])
def test_frames_of_any_size(size, yunet_state):
    faces = models.load(yunet_state).detect(torch.rand(2, 3, *size), 0.2, 64)
    assert faces.image_size == size
    assert (faces.frame.diff() >= 0).all()
    for frame in range(2):
        assert (faces.in_frame(frame).score.diff() <= 0).all()


def test_no_face_is_an_empty_value(yunet_state):
    faces = models.load(yunet_state).detect(torch.rand(3, 3, 64, 64), 1.01)
    assert isinstance(faces, Faces)
    assert (len(faces), faces.frames) == (0, 3)


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 4, 8, 8), (0, 3, 8, 8), (1, 3, 0, 8)])
def test_what_are_no_frames(shape, yunet_state):
    with pytest.raises(ValueError, match=r"YuNet wants frames \[B, 3, H, W\], got"):
        models.load(yunet_state).detect(torch.zeros(shape), 0.5)


def onnx_graph(path, height, width, operation="Sigmoid"):
    """Write a graph of YuNet's signature: strided convolutions in place of its layers."""
    nodes, weights, outputs = [], [], []
    for head, values in HEADS.items():
        for s in STRIDES:
            name = f"{head}_{s}"
            kernel = torch.full((values, 3, s, s), 1e-4 / s).flatten().tolist()
            weights += [
                helper.make_tensor(f"{name}.w", TensorProto.FLOAT, (values, 3, s, s), kernel),
                helper.make_tensor(f"{name}.shape", TensorProto.INT64, (3,), [0, -1, values]),
            ]
            last = operation if values == 1 else "Identity"
            nodes += [
                helper.make_node("Conv", ["input", f"{name}.w"], [f"{name}.a"], strides=[s, s]),
                helper.make_node("Transpose", [f"{name}.a"], [f"{name}.b"], perm=[0, 2, 3, 1]),
                helper.make_node("Reshape", [f"{name}.b", f"{name}.shape"], [f"{name}.c"]),
                helper.make_node(last, [f"{name}.c"], [name]),
            ]
            shape = [1, None, values]
            outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    shape = [1, 3, height, width]
    inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)]
    graph = helper.make_graph(nodes, "yunet", inputs, outputs, weights)
    opset = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), str(path))
    return path


def test_onnx_graph_of_fixed_size_takes_any_batch(tmp_path):
    model = models.load(onnx_graph(tmp_path / "fixed.onnx", 64, 96))
    assert (model.name, model.canvas) == ("yunet", (64, 96))
    assert not any(weight.requires_grad for weight in model.network.parameters())
    frames = torch.rand(2, 3, 200, 150, generator=torch.Generator().manual_seed(0))
    faces = model.detect(frames, 0.5)
    single = Faces.cat_frames([model.detect(frame[None], 0.5) for frame in frames])
    assert len(faces)
    torch.testing.assert_close(faces.box, single.box)
    assert faces.frame.tolist() == single.frame.tolist()


def test_onnx_graph_of_free_size(tmp_path):
    model = models.load(onnx_graph(tmp_path / "free.onnx", "height", "width"), "detector")
    assert model.canvas is None
    assert len(model.detect(torch.rand(1, 3, 40, 70), 0.5))


def test_onnx_operation_that_has_no_torch_module(tmp_path):
    path = onnx_graph(tmp_path / "odd.onnx", 64, 64, operation="Det")
    with pytest.raises(models.CheckpointError, match=r"odd\.onnx: onnx2torch cannot.*Conv, Det"):
        models.load(path)


def test_onnx_graph_cut_short(tmp_path):
    path = onnx_graph(tmp_path / "cut.onnx", 64, 64)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(models.CheckpointError, match=r"cut\.onnx: the file is damaged"):
        models.load(path)


# YuNet's public weights run in onnxruntime on scikit-image's astronaut, 512x512, decoded in NumPy.
ASTRONAUT_BOX = [178.11, 64.95, 269.47, 176.37]
ASTRONAUT_POINTS = [
    [203.35, 103.62],
    [247.52, 104.45],
    [224.1, 127.69],
    [203.96, 143.14],
    [242.91, 143.67],
]


@pytest.fixture(scope="module")
def astronaut():
    data = pytest.importorskip("skimage.data")
    return torch.from_numpy(data.astronaut()).permute(2, 0, 1)[None] / 255


def test_golden_astronaut(shared_weights, astronaut):
    faces = models.load(shared_weights / "yunet_n.safetensors").detect(astronaut, 0.6)
    assert len(faces) == 1
    torch.testing.assert_close(faces.box[0], torch.tensor(ASTRONAUT_BOX), atol=0.02, rtol=0)
    points = torch.tensor(ASTRONAUT_POINTS)
    torch.testing.assert_close(faces.keypoints[0], points, atol=0.02, rtol=0)
    assert faces.score.item() == pytest.approx(0.9356, abs=1e-4)


def test_public_onnx_agrees_with_safetensors(shared_weights, astronaut):
    frames = torch.cat([astronaut, astronaut.flip(3)])[..., :-50, :]
    ours = models.load(shared_weights / "yunet_n.safetensors").detect(frames, 0.6, 400)
    graph = models.load(shared_weights / "yunet_n_dynamic.onnx").detect(frames, 0.6, 400)
    assert ours.frame.tolist() == graph.frame.tolist() == [0, 1]
    torch.testing.assert_close(ours.box, graph.box, atol=1e-3, rtol=0)
    torch.testing.assert_close(ours.keypoints, graph.keypoints, atol=1e-3, rtol=0)
