from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from faceloom import models
from faceloom.faces import Faces
from faceloom.faces.convert import faces_from_boxes
from faceloom.models.loom_encoder import ARCHITECTURE
from faceloom.models.loom_encoder.adapter import LoomEncoder
from faceloom.models.loom_encoder.network import LoomEncoderNetwork


@pytest.fixture(scope="module")
def state():
    torch.manual_seed(0)
    return LoomEncoderNetwork((4, 6, 8, 10), (1, 0, 2, 1), 5, 12, 9).state_dict()


@pytest.fixture(scope="module")
def built_in():
    return models.load(models.built_in("encoder"), "encoder")


def test_sizes_are_read_from_shapes(state, tmp_path):
    save_file({key: value.half() for key, value in state.items()}, tmp_path / "x.safetensors")
    model = models.load(tmp_path / "x.safetensors", "encoder")
    assert isinstance(model, LoomEncoder)
    loaded = {key: value.shape for key, value in model.network.state_dict().items()}
    assert loaded == {key: value.shape for key, value in state.items()}
    assert model.embed(torch.rand(2, 3, 112, 112)).shape == (2, 9)
    assert model.space == f"loom_encoder-{model.sha256[:8]}"


def test_cells_are_weighed_one_by_one(state):
    """The head against its definition."""
    network = models.load(state).network
    features = torch.rand(2, 5, 7, 7, generator=torch.Generator().manual_seed(0))
    wide = network.wide_norm(network.widen(features)).clamp(min=0)
    pooled = torch.zeros(2, 12)
    for row in range(7):
        for column in range(7):
            pooled += wide[:, :, row, column] * network.cells[:, row, column]
    wanted = pooled @ network.linear.weight.T + network.linear.bias
    torch.testing.assert_close(network.embed(features), wanted, rtol=1e-4, atol=1e-5)


def test_a_face_and_its_mirror_image_are_one_person(state):
    crops = torch.rand(2, 3, 112, 112, generator=torch.Generator().manual_seed(0))
    model = models.load(state)
    torch.testing.assert_close(model.embed(crops), model.embed(crops.flip(3)))


def test_no_faces_have_no_embeddings(state):
    model = models.load(state)
    assert model.encode(torch.rand(2, 3, 40, 30), Faces.empty((40, 30), 2)).shape == (0, 9)


def test_faces_of_other_frames_are_refused(state):
    with pytest.raises(ValueError, match="FaceLoom's encoder wants the frames"):
        models.load(state).encode(torch.rand(2, 3, 40, 30), Faces.empty((41, 30), 2))


def test_the_weights_are_small(built_in):
    assert ARCHITECTURE.built_in.stat().st_size < 2_000_000
    assert sum(weight.numel() for weight in built_in.network.parameters()) < 1_000_000


def test_the_weights_know_a_face_again(built_in):
    """The astronaut, her copies in other light and at half the size, and a cat."""
    data = pytest.importorskip("skimage.data")
    frame = torch.from_numpy(data.astronaut()).permute(2, 0, 1)[None] / 255
    cat = torch.from_numpy(data.chelsea()).permute(2, 0, 1)[None] / 255
    copies = [frame, frame.flip(3), (0.6 * frame**1.3).clamp(0, 1), F.avg_pool2d(frame, 2)]
    boxes = torch.tensor([[178.0, 65, 269, 176]])
    points = torch.tensor(
        [[[203.4, 103.6], [247.5, 104.5], [224.1, 127.7], [204.0, 143.1], [242.9, 143.7]]]
    )
    mirrored = torch.tensor([512.0, 0]) + points * torch.tensor([-1.0, 1])
    places = [points, mirrored[:, [1, 0, 2, 4, 3]], points, points / 2]
    cats_eyes = torch.tensor([[[165.0, 95], [247, 98], [205, 150], [178, 170], [232, 172]]])
    vectors = []
    for picture, place in zip([*copies, cat], [*places, cats_eyes], strict=True):
        size = tuple(picture.shape[-2:])
        face = faces_from_boxes(boxes, torch.ones(1), torch.zeros(1, dtype=torch.int64), size, 1)
        faces = Faces(**{**vars(face), "keypoints": place})
        vectors.append(F.normalize(built_in.encode(picture, faces)))
    cosine = (vectors[0] @ torch.cat(vectors).T)[0].tolist()
    assert min(cosine[:4]) > 0.8
    assert cosine[4] < 0.3
