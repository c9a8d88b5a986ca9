from __future__ import annotations

import pytest
import torch
from torch import nn

from faceloom import models
from faceloom.faces import Crops, Faces, Identity
from faceloom.models.aei import AEISizes
from faceloom.models.attribute_encoder import UNetSizes
from faceloom.models.faceshifter.adapter import FaceShifter
from faceloom.models.faceshifter_maum.adapter import MaumFaceShifter
from faceloom.models.ghost.adapter import GHOST
from faceloom.models.ghost.network import GHOSTNetwork
from faceloom.ops.templates import POSE_TEMPLATES

SIZE, LENGTH = 8, 5
SWAPPERS = [GHOST, FaceShifter, MaumFaceShifter]


class Recorder(nn.Module):
    """Keeps what it is given; each picture is the target with the embedding's sum added to red."""

    size, length = SIZE, LENGTH

    def attributes(self, target):
        self.target = target
        return [target]

    def generate(self, attributes, embedding):
        self.embedding = embedding
        out = attributes[0].repeat_interleave(len(embedding) // len(attributes[0]), 0)
        out[:, 0] += embedding.sum(1)[:, None, None]
        return out


class Silent(nn.Module):
    """Must not be asked."""

    size, length = SIZE, LENGTH


def crops_of(count, dtype=torch.float32):
    image = torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    faces = Faces(
        frame=torch.zeros(count, dtype=torch.int64),
        box=torch.zeros(count, 4),
        score=torch.ones(count),
        keypoints=torch.zeros(count, 5, 2),
        track=torch.zeros(count, dtype=torch.int64),
        image_size=(SIZE, SIZE),
        frames=1,
    )
    return Crops(image.to(dtype), torch.eye(2, 3).repeat(count, 1, 1), faces, "ghost_best_pose")


def identities_of(count, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return Identity(torch.randn(count, LENGTH, generator=generator), "arcface_ghost")


def test_what_each_swapper_was_trained_for():
    assert GHOST.templates == ("ghost_best_pose", "arcface_112_v1", *POSE_TEMPLATES)
    assert GHOST.space == "arcface_ghost"
    assert FaceShifter.templates == ("mtcnn_512",)
    assert MaumFaceShifter.templates == ("ffhq_quad", "ffhq_512")
    assert FaceShifter.space == MaumFaceShifter.space == ""
    for swapper in SWAPPERS:
        assert isinstance(swapper(Recorder()), models.Swapper)
        assert (swapper(Recorder()).size, swapper(Recorder()).length) == (SIZE, LENGTH)


def test_ghost_sees_rgb_in_minus_one_to_one_and_the_embedding_as_it_is():
    # ai-forever/ghost's utils/inference/core.py: BGR to RGB, /255, (x - .5) / .5; netArc's output.
    crops, identity, network = crops_of(2), identities_of(2), Recorder()
    GHOST(network).swap(crops, identity)
    torch.testing.assert_close(network.target, 2 * crops.image - 1)
    assert torch.equal(network.embedding, identity.embedding)


def test_faceshifter_sees_bgr_in_minus_one_to_one_and_directions():
    # taotaonice/FaceShifter's inference_demo.py: cv2.imread, ToTensor, Normalize(.5, .5);
    # face_modules/model.py: l2_norm(x).
    crops, identity, network = crops_of(2), identities_of(2), Recorder()
    FaceShifter(network).swap(crops, identity)
    torch.testing.assert_close(network.target, 2 * crops.image[:, [2, 1, 0]] - 1)
    lengths = identity.embedding.norm(dim=1, keepdim=True)
    torch.testing.assert_close(network.embedding, identity.embedding / lengths)


def test_maum_s_sees_rgb_in_zero_to_one_and_directions():
    # maum-ai/faceshifter's aei_net.py: ToTensor alone; F.normalize(z_id).
    crops, identity, network = crops_of(2), identities_of(2), Recorder()
    MaumFaceShifter(network).swap(crops, identity)
    torch.testing.assert_close(network.target, crops.image)
    torch.testing.assert_close(network.embedding.norm(dim=1), torch.ones(2))


@pytest.mark.parametrize("swapper", SWAPPERS)
def test_pictures_come_back_as_the_crops_are(swapper):
    crops = crops_of(3)
    nobody = Identity(torch.zeros(3, LENGTH), "")
    (pictures,) = swapper(Recorder()).swap(crops, nobody)
    torch.testing.assert_close(pictures, crops.image)


def test_each_list_of_identities_has_its_own_pictures():
    crops, network = crops_of(3), Recorder()
    lists = [identities_of(3, seed) for seed in (1, 2, 3, 4)]
    together = GHOST(network).swap(crops, *lists)
    assert len(together) == 4
    assert len(network.target) == 3
    for pictures, identities in zip(together, lists, strict=True):
        (wanted,) = GHOST(network).swap(crops, identities)
        torch.testing.assert_close(pictures, wanted)


def test_lists_share_the_pass_of_a_real_network():
    torch.manual_seed(0)
    sizes = AEISizes(UNetSizes((4, 5), (3,)), (6, 5, 4), identity=LENGTH)
    network = GHOSTNetwork(sizes).eval().requires_grad_(False)
    passes = []
    network.parts.encoder.register_forward_hook(lambda *_: passes.append(1))
    crops, lists = crops_of(2), [identities_of(2, 1), identities_of(2, 2)]
    together = GHOST(network).swap(crops, *lists)
    assert len(passes) == 1
    for pictures, identities in zip(together, lists, strict=True):
        (wanted,) = GHOST(network).swap(crops, identities)
        torch.testing.assert_close(pictures, wanted)
        assert pictures.amin() >= 0
        assert pictures.amax() <= 1


@pytest.mark.parametrize("swapper", SWAPPERS)
def test_no_crops_do_not_reach_the_network(swapper):
    none = identities_of(0)
    pictures = swapper(Silent()).swap(crops_of(0), none, none)
    assert [each.shape for each in pictures] == [(0, 3, SIZE, SIZE)] * 2
    assert swapper(Silent()).swap(crops_of(2)) == ()


def test_half_precision_goes_in_and_float_comes_out():
    crops, network = crops_of(2, torch.float16), Recorder()
    (pictures,) = GHOST(network).swap(crops, identities_of(2))
    assert network.target.dtype == pictures.dtype == torch.float32
    with torch.autocast("cpu", torch.bfloat16):
        sizes = AEISizes(UNetSizes((4, 5), (3,)), (6, 5, 4), identity=LENGTH)
        (pictures,) = GHOST(GHOSTNetwork(sizes).eval()).swap(crops, identities_of(2))
    assert pictures.dtype == torch.float32
