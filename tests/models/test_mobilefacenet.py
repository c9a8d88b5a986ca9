from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from faceloom import models
from faceloom.faces import Faces
from faceloom.faces.convert import faces_from_boxes
from faceloom.models.mobilefacenet.adapter import MobileFaceNet
from faceloom.models.mobilefacenet.network import STRIDES, MobileFaceNetNetwork
from faceloom.ops.templates import template_points

BLOCKS = [(8, 4)] * 5 + [(8, 6)] * 7 + [(8, 5)] * 3
PUBLISHED = [(128, 64)] * 5 + [(256, 128)] + [(256, 128)] * 6 + [(512, 128)] + [(256, 128)] * 2


@pytest.fixture(scope="module")
def state():
    torch.manual_seed(0)
    return MobileFaceNetNetwork(6, BLOCKS, 7, 9).state_dict()


@pytest.fixture(scope="module")
def model(state):
    return models.load(state)


def two_faces(size=128):
    boxes = torch.tensor([[30.0, 24, 90, 104], [10, 40, 70, 120]])
    return faces_from_boxes(boxes, torch.ones(2), torch.tensor([0, 1]), (size, size), 2)


def test_published_network_has_the_published_keys_and_parameters():
    with torch.device("meta"):
        network = MobileFaceNetNetwork(64, PUBLISHED, 512, 128)
    assert len(PUBLISHED) == len(STRIDES)
    assert sum(weight.numel() for weight in network.parameters()) == 999_936
    assert "dw_conv.bn2.running_var" in network.state_dict()


def test_widths_are_read_from_shapes(state, tmp_path):
    save_file(state, tmp_path / "any name.safetensors")
    model = models.load(tmp_path / "any name.safetensors", "encoder")
    assert isinstance(model, MobileFaceNet)
    assert model.network(torch.zeros(2, 3, 112, 112)).shape == (2, 9)
    assert {key: value.shape for key, value in model.network.state_dict().items()} == {
        key: value.shape for key, value in state.items()
    }


def test_space_is_named_by_the_weights(state, model):
    other = models.load({**state, "bn.bias": state["bn.bias"] + 1})
    assert model.space == f"mobilefacenet-{model.sha256[:8]}"
    assert other.space != model.space


def test_an_embedding_and_that_of_the_mirror_image_are_alike(model):
    frames = torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    crops = F.interpolate(frames, (112, 112), mode="bilinear")
    torch.testing.assert_close(model.embed(crops), model.embed(crops.flip(3)))
    normalised = (crops - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)) / torch.tensor(
        [0.229, 0.224, 0.225]
    ).view(3, 1, 1)
    sum_of_both = model.network(normalised) + model.network(normalised.flip(3))
    torch.testing.assert_close(model.embed(crops), sum_of_both)


def test_points_on_the_template_leave_the_picture_as_it_is(model):
    """Points that count pixel centres at integers lie half a pixel further on in ours."""
    frames = torch.rand(1, 3, 112, 112, generator=torch.Generator().manual_seed(0))
    faces = two_faces(112)[:1]
    points = template_points("arcface_112_v2", 112)[None] + 0.5
    faces = Faces(**{**vars(faces), "keypoints": points, "frames": 1})
    torch.testing.assert_close(
        model.encode(frames, faces), model.embed(frames), rtol=1e-3, atol=1e-4
    )


def test_faces_without_points_are_cut_by_their_boxes(model):
    frames, faces = torch.rand(2, 3, 128, 128), two_faces()
    lost = Faces(**{**vars(faces), "keypoints": torch.full((2, 5, 2), torch.nan)})
    torch.testing.assert_close(model.encode(frames, lost), model.encode(frames, faces))


def test_no_faces_have_no_embeddings(model):
    assert model.encode(torch.rand(2, 3, 40, 30), Faces.empty((40, 30), 2)).shape == (0, 9)


def test_faces_of_other_frames_are_refused(model):
    with pytest.raises(ValueError, match="MobileFaceNet wants the frames that"):
        model.encode(torch.rand(1, 3, 128, 128), two_faces())


def test_public_weights_reproduce_the_golden_cosines(shared_weights):
    """As it was made: OpenCV's warp without a low-pass, pixel centres at integers throughout."""
    cv2 = pytest.importorskip("cv2")
    folder = shared_weights.parent / "pictures" / "public_domain"
    golden = json.loads((folder / "golden_yunet_mobilefacenet.json").read_text())
    files = {path.stem: path for path in folder.iterdir() if path.suffix in (".png", ".jpg")}
    names = [name for name in golden["_cosine"]["names"] if name in files]
    rows = [golden["_cosine"]["names"].index(name) for name in names]
    wanted = torch.tensor(golden["_cosine"]["matrix"])[rows][:, rows]
    model = models.load(shared_weights / "mobilefacenet_128.safetensors", "encoder")
    target = template_points("arcface_112_v2", 112)
    published, ours = [], []
    for name in names:
        picture = cv2.imread(str(files[name]))[..., ::-1]
        points = torch.tensor(golden[files[name].name]["kps5"])
        matrix, _ = cv2.estimateAffinePartial2D(points.numpy(), target.numpy(), method=cv2.LMEDS)
        crop = cv2.warpAffine(np.ascontiguousarray(picture), matrix, (112, 112))
        published.append(model.embed(torch.from_numpy(crop).permute(2, 0, 1)[None] / 255))
        frame = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None] / 255
        faces = faces_from_boxes(
            torch.tensor([golden[files[name].name]["box"]]),
            torch.ones(1),
            torch.zeros(1, dtype=torch.int64),
            tuple(frame.shape[-2:]),
            1,
        )
        ours.append(model.encode(frame, Faces(**{**vars(faces), "keypoints": points[None]})))
    one, other = (F.normalize(torch.cat(vectors)) for vectors in (published, ours))
    assert (one @ one.T - wanted).abs().max() < 0.01
    # Reduced pictures alias in OpenCV's warp and fade in ours.
    assert (other @ other.T - wanted).abs().max() < 0.08
