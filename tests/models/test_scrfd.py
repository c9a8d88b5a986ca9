from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch

from faceloom import models
from faceloom.models.graph import Graph
from faceloom.models.scrfd import detect_graph
from faceloom.models.scrfd.adapter import SCRFD, VALUES, decode

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

# Outputs of the file as InsightFace first exported it: scores, boxes and points of each stride.
ORIGINAL = ["448", "471", "494", "451", "474", "497", "454", "477", "500"]


def graph(levels=3, points=True, names=None, flat=True, size=(None, None), backwards=False):
    """One convolution a head, of kernel and stride alike; the heads leave as SCRFD's do."""
    generator = torch.Generator().manual_seed(levels)
    anchors = 2 if levels == 3 else 1
    nodes, weights, outputs = [], {}, []
    heads = [(v, 8 << level) for v in VALUES[: 2 + points] for level in range(levels)]
    for name, (values, stride) in zip(names or map(str, range(100)), heads, strict=False):
        channels = anchors * values
        kernel = torch.randn(channels, 3, stride, stride, generator=generator) / stride
        weights[f"{name}w"] = kernel / (1 if values == 1 else 3)
        weights[f"{name}r"] = torch.tensor([-1, values] if flat else [1, -1, values])
        nodes.append(
            helper.make_node(
                "Conv", ["picture", f"{name}w"], [f"{name}c"], strides=[stride, stride]
            )
        )
        nodes.append(helper.make_node("Transpose", [f"{name}c"], [f"{name}t"], perm=[0, 2, 3, 1]))
        last = name if values > 1 else f"{name}s"
        nodes.append(helper.make_node("Reshape", [f"{name}t", f"{name}r"], [last]))
        if values == 1:
            nodes.append(helper.make_node("Sigmoid", [last], [name]))
        shape = [None, values] if flat else [1, None, values]
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    picture = helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, *size])
    constants = [numpy_helper.from_array(value.numpy(), key) for key, value in weights.items()]
    if backwards:
        outputs.reverse()
    return helper.make_model(
        helper.make_graph(nodes, "scrfd", [picture], outputs, constants),
        opset_imports=[helper.make_opsetid("", 11)],
        ir_version=8,
    )


@pytest.fixture
def load(tmp_path):
    def make(**options):
        onnx.save(graph(**options), str(tmp_path / "graph.onnx"))
        return models.load(tmp_path / "graph.onnx", "detector")

    return make


def frames(count=2, height=140, width=200):
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize(
    "options", [{}, {"levels": 5}, {"flat": False}, {"points": False}, {"levels": 5, "points": 0}]
)
def test_graphs_are_known_by_their_content(options):
    assert detect_graph(Graph.from_proto(graph(**options)))


def test_other_graphs_are_not_scrfd():
    other = graph()
    del other.graph.output[0]
    assert not detect_graph(Graph.from_proto(other))
    wider = graph()
    first = wider.graph.initializer[0]
    first.CopyFrom(numpy_helper.from_array(torch.zeros(3, 3, 8, 8).numpy(), first.name))
    assert not detect_graph(Graph.from_proto(wider))


def test_boxes_without_points_are_refused(load):
    with pytest.raises(models.CheckpointError, match=r"boxes only.*scrfd_10g_bnkps\.onnx"):
        load(points=False)


@pytest.mark.parametrize("options", [{"names": ORIGINAL}, {"backwards": True}, {"flat": False}])
def test_names_order_and_rank_of_the_outputs_do_not_matter(load, options):
    wanted, got = load().detect(frames(), 0.7), load(**options).detect(frames(), 0.7)
    assert len(wanted)
    torch.testing.assert_close(got.keypoints, wanted.keypoints)
    torch.testing.assert_close(got.score, wanted.score)


@pytest.mark.parametrize("levels", [3, 5])
@pytest.mark.parametrize("flat", [True, False])
def test_batches_equal_single_frames(load, levels, flat):
    model = load(levels=levels, flat=flat)
    assert isinstance(model, SCRFD)
    assert model.network.whole == flat
    together = model.detect(frames(3), 0.7)
    for index in range(3):
        alone = model.detect(frames(3)[index : index + 1], 0.7)
        torch.testing.assert_close(together.in_frame(index).box, alone.box)
    assert together.frames == 3


def test_a_graph_of_fixed_size_keeps_it(load):
    model = load(size=(64, 96))
    assert model.canvas == (64, 96)
    found = model.detect(frames(), 0.6)
    assert found.image_size == (140, 200)
    assert len(found)


def test_network_sees_rgb_about_zero():
    class Eye(torch.nn.Module):
        def forward(self, images):
            self.images = images
            cells = [images.shape[0] * images.shape[2] * images.shape[3] // 4**n for n in (3, 4, 5)]
            return [torch.zeros(2 * count, values) for values in VALUES for count in cells]

    network = Eye()
    picture = torch.tensor([1.0, 0.5, -7.0]).reshape(1, 3, 1, 1).expand(1, 3, 32, 64)
    assert len(SCRFD(network).detect(picture, 0.5)) == 0
    seen = network.images[0, :, 3, 3]
    torch.testing.assert_close(seen, torch.tensor([127.5, 0, -127.5]) / 128)


def test_decode_agrees_with_the_contract():
    generator = torch.Generator().manual_seed(1)
    canvas, strides = torch.zeros(2, 3, 64, 96), (8, 16, 32)
    counts = [64 * 96 * 2 // stride**2 for stride in strides]
    outputs = [torch.rand(2, n, v, generator=generator) for v in VALUES for n in counts]
    scores, boxes, points = decode(outputs, strides, canvas)
    row = 0
    for level, s in enumerate(strides):
        for r in range(64 // s):
            for c in range(96 // s):
                for anchor in range(2):
                    index = 2 * (r * (96 // s) + c) + anchor
                    score, box, kps = (outputs[3 * k + level][1, index] for k in range(3))
                    x, y = c * s, r * s
                    wanted = [x - box[0] * s, y - box[1] * s, x + box[2] * s, y + box[3] * s]
                    torch.testing.assert_close(boxes[1, row], torch.stack(wanted))
                    for k in range(5):
                        place = torch.stack([x + kps[2 * k] * s, y + kps[2 * k + 1] * s])
                        torch.testing.assert_close(points[1, row, k], place)
                    assert scores[1, row] == score
                    row += 1
    assert row == scores.shape[1]


def test_agrees_with_insightface(shared_weights):
    """On the same pixels: the rest is InsightFace reducing in 8 bits and rounding the size down.

    Neither adds half a pixel: InsightFace divides the network's coordinates by the scale, which
    is right where they span the picture from edge to edge, and ours do.
    """
    cv2 = pytest.importorskip("cv2")
    pytest.importorskip("onnxruntime")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of packages that InsightFace imports
        insightface = pytest.importorskip("insightface")
        from insightface.model_zoo import get_model

        path = str(shared_weights / "scrfd_500m_bnkps.onnx")
        reference = get_model(path, providers=["CPUExecutionProvider"])
        reference.prepare(-1, input_size=(640, 640), det_thresh=0.6)
        folder = Path(insightface.__file__).parent / "data" / "images"
        picture = cv2.imread(str(folder / "t1.jpg"))
        boxes, points = reference.detect(picture)
    rgb = torch.from_numpy(picture[..., ::-1].copy()).permute(2, 0, 1)[None] / 255
    faces = models.load(path, "detector").detect(rgb.repeat(2, 1, 1, 1), 0.6)
    assert faces.frame.tolist() == [0] * 6 + [1] * 6
    for found in (faces.in_frame(0), faces.in_frame(1)):
        own = found.box[:, 0].argsort()
        theirs = torch.from_numpy(boxes[:, 0]).argsort()
        wanted = torch.from_numpy(boxes)[theirs]
        torch.testing.assert_close(found.box[own], wanted[:, :4], atol=0.5, rtol=0)
        torch.testing.assert_close(found.score[own], wanted[:, 4], atol=1e-3, rtol=0)
        places = torch.from_numpy(points)[theirs]
        torch.testing.assert_close(found.keypoints[own], places, atol=0.5, rtol=0)
