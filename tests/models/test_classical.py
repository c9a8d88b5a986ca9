from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from faceloom import models
from faceloom.models.classical import WITHOUT_WEIGHTS, MeshReenactor
from faceloom.ops.composite import composite
from faceloom.ops.inpaint import fill
from faceloom.ops.reenact import reenact_mesh
from faceloom.ops.skin import skin_likeness

PROTOCOLS = {
    "reenactor": models.Reenactor,
    "inpainter": models.Inpainter,
    "blender": models.Blender,
}


@pytest.mark.parametrize("role", PROTOCOLS)
def test_roles_without_weights_load_as_built_in(role):
    model = models.load_built_in(role)
    assert isinstance(model, PROTOCOLS[role])
    assert model.role == role
    assert not list(model.network.parameters())
    assert sorted(PROTOCOLS) == sorted(WITHOUT_WEIGHTS)


def test_built_in_weights_load_too_and_the_lack_of_them_is_named():
    assert models.load_built_in("parser").name == "loom_parser"
    with pytest.raises(models.CheckpointError, match="no built-in swapper; choose a file"):
        models.load_built_in("swapper")


@pytest.fixture
def crops(world):
    """Two crops that are their own frames."""
    picture = world.picture(96, 96, [(12, 8, 84, 88)], frames=2, seed=3)
    picture[1] = picture[1] * torch.tensor([1.0, 0.8, 0.7])
    faces = world.faces(picture)
    from faceloom.faces import Crops

    eye = torch.eye(2, 3).repeat(2, 1, 1)
    return Crops(picture.movedim(-1, 1), eye, faces, "ffhq_512")


def test_the_mesh_reenacts_as_its_operation_does(crops):
    points = crops.faces.landmarks
    goal = points * torch.tensor([0.9, 1.0, 1.0]) + torch.tensor([5.0, 0.0, 0.0])
    skin = skin_likeness(crops.image, points)
    wanted = reenact_mesh(crops.image, skin, points, goal, 64)
    torch.testing.assert_close(MeshReenactor().reenact(crops, goal, 64), wanted)


def test_the_mesh_takes_a_mask_for_the_skin(crops):
    prepared = MeshReenactor().prepare(crops)
    torch.testing.assert_close(prepared.mask, skin_likeness(crops.image, crops.faces.landmarks))
    masked = replace(crops, mask=torch.zeros(2, 1, 96, 96))
    assert MeshReenactor().prepare(masked) is masked
    _, trust = MeshReenactor().reenact(masked, crops.faces.landmarks, 96)
    assert trust.max() == 0


def test_the_mesh_wants_landmarks(crops):
    bare = replace(crops, faces=replace(crops.faces, landmarks=None))
    with pytest.raises(ValueError, match="Put Find Landmarks between Detect Faces and Align"):
        MeshReenactor().prepare(bare)


def test_inpainter_and_blender_are_the_classical_ones(crops):
    known = torch.ones(2, 1, 96, 96)
    known[..., 60:] = 0
    face = torch.ones_like(known)
    face[:, :, :10] = 0
    inpainted = models.load_built_in("inpainter").inpaint(crops.image, known, face)
    assert torch.equal(inpainted, fill(crops.image, face * (1 - known), "smooth"))
    blended = models.load_built_in("blender").blend(crops.image, crops.image.flip(0), face)
    assert torch.equal(
        blended, composite(crops.image, crops.image.flip(0), face, "poisson", 0.0)[0]
    )
