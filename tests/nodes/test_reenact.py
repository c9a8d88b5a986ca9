from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import avg_pool2d

from faceloom.faces import Crops
from faceloom.models.classical import reenactor
from faceloom.nodes import ReenactFace
from faceloom.nodes.pairing import source_row
from faceloom.ops.face_shape import carry_shape
from faceloom.ops.geometry import transform_points
from faceloom.ops.reenact import reenact_mesh


def reenact(source, target):
    return ReenactFace.execute(source, target).args


def test_every_target_gets_the_source_in_its_own_place(source, crops):
    swapped, mask = reenact(source, crops)
    assert len(swapped) == 4
    assert swapped.image.shape == crops.image.shape
    assert swapped.faces is crops.faces
    assert torch.equal(swapped.matrix, crops.matrix)
    assert torch.equal(swapped.mask[:, 0], mask)
    assert swapped.image.isfinite().all()
    assert (mask > 0.5).float().mean() > 0.2
    # The source is redder than the targets.
    inside = swapped.mask > 0.5
    redness = [
        (image[:, 0] - image[:, 1])[inside[:, 0]].mean() for image in (swapped.image, crops.image)
    ]
    assert redness[0] > redness[1] + 0.05


def test_itself_onto_itself_is_the_same_face(crops):
    swapped, _ = reenact(crops, crops)
    assert ((swapped.image - crops.image).abs() * (swapped.mask > 0.9)).mean() < 0.01


@pytest.mark.parametrize("shape", [0.0, 0.5, None])
def test_the_sources_shape_comes_along(source, crops, shape):
    bump = torch.zeros(468, 3)
    bump[1:20] = torch.tensor([0.0, 4.0, 0.0])  # a longer nose
    longer = replace(source.faces, landmarks=source.faces.landmarks + bump)
    other = replace(source, faces=longer)
    swapped, _ = ReenactFace.execute(other, crops, shape=shape).args
    meshes = (transform_points(c.matrix, c.faces.landmarks) for c in (other, crops))
    mesh, goal = (each.expand(4, 468, 3) for each in meshes)
    wanted, _ = reenact_mesh(
        other.image.expand(4, 3, 64, 64),
        reenactor.skin_likeness(other.image, mesh[:1]).expand(4, 1, 64, 64),
        mesh,
        carry_shape(mesh, goal, 1.0 if shape is None else shape),
        64,
    )
    torch.testing.assert_close(swapped.image, wanted, atol=1e-5, rtol=0)
    plain, _ = ReenactFace.execute(other, crops, shape=0.0).args
    assert torch.equal(plain.image, swapped.image) == (shape == 0)


def test_mask_stays_inside_the_targets(source, crops):
    upper = torch.zeros(4, 1, 64, 64)
    upper[:, :, :32] = 1
    swapped, _ = reenact(source, replace(crops, mask=upper))
    assert swapped.mask[:, :, 32:].max() == 0
    assert swapped.mask.max() > 0.9


def test_source_may_have_another_size(source, crops):
    small = replace(source, image=avg_pool2d(source.image, 2), matrix=source.matrix / 2)
    swapped, mask = reenact(small, crops)
    assert swapped.size == crops.size
    difference = (swapped.image - reenact(source, crops)[0].image).abs() * (mask > 0.9)[:, None]
    assert difference.mean() < 0.02


def test_sources_pair_by_place_and_start_again(crops):
    # Faces 0, 1 are in frame 0 and faces 2, 3 in frame 2.
    for count, wanted in ((1, [0, 0, 0, 0]), (2, [0, 1, 0, 1]), (4, [0, 1, 0, 1])):
        assert source_row(count, crops.faces, "X").tolist() == wanted
    dark, bright = (replace(crops, image=crops.image * tone)[[0]] for tone in (0.6, 1))
    (first, _), (second, _) = (reenact(each, crops) for each in (dark, bright))
    pair, _ = reenact(Crops.cat([dark, bright]), crops)
    wanted = torch.stack([first.image[0], second.image[1], first.image[2], second.image[3]])
    torch.testing.assert_close(pair.image, wanted, atol=1e-4, rtol=0)


def test_a_face_with_a_track_gets_the_source_of_that_number(crops):
    # As Match Identity leaves them: frame 0 lacks the first reference, one face is of nobody.
    faces = replace(crops.faces, track=torch.tensor([1, 2, 0, -1]))
    assert source_row(3, faces, "Reenact Face").tolist() == [1, 2, 0, 1]


def test_each_source_is_looked_at_once(source, crops, monkeypatch: pytest.MonkeyPatch):
    seen = []
    look = reenactor.skin_likeness
    monkeypatch.setattr(
        reenactor, "skin_likeness", lambda *of: seen.append(len(of[0])) or look(*of)
    )
    reenact(Crops.cat([source] * 3), crops)
    assert seen == [2]


def test_sources_mask_stands_for_its_colours(source, crops):
    # Half the source hidden: a frontal face takes the hidden half from the other one.
    half = torch.ones(1, 1, 64, 64)
    half[..., :32] = 0
    marked = source.image.clone()
    marked[..., :30] = torch.tensor([0.1, 0.9, 0.2])[:, None, None]
    swapped, mask = reenact(replace(source, image=marked, mask=half), crops)
    _, plain_mask = reenact(source, crops)
    both = (mask > 0.9) & (plain_mask > 0.9)
    assert both.sum() > 0.8 * (plain_mask > 0.9).sum()
    green = swapped.image[:, 1] - swapped.image[:, 0]
    assert green[mask > 0.5].max() < 0.1
    # What the mask hides on both sides cannot be carried, whatever its colour.
    hidden = replace(source, mask=torch.zeros(1, 1, 64, 64))
    assert reenact(hidden, crops)[1].max() == 0


def test_a_mask_spares_the_look_at_colours(source, crops, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reenactor, "skin_likeness", None)
    masked = replace(source, mask=torch.ones(1, 1, 64, 64))
    assert (reenact(masked, crops)[1] > 0.9).float().mean() > 0.2


def test_many_faces_go_in_pieces(source, crops):
    many = Crops.cat([crops.as_frames()[[0] * 11]])
    swapped, _ = reenact(source, many)
    assert len(swapped) == 11
    torch.testing.assert_close(swapped.image, swapped.image[:1].expand_as(swapped.image))


def test_no_target_needs_no_source(source, no_crops):
    for sources in (source, no_crops):
        swapped, mask = reenact(sources, no_crops)
        assert len(swapped) == 0
        assert torch.equal(mask, torch.zeros(1, 64, 64))


def test_no_source_is_said_plainly(no_crops, crops):
    with pytest.raises(ValueError, match=r"^Reenact Face: no face was found in the source picture"):
        reenact(no_crops, crops)


def test_irises_after_the_mesh_change_nothing(source, crops):
    landmarks = torch.cat([crops.faces.landmarks, crops.faces.landmarks[:, :10] * 0], 1)
    irises = replace(crops, faces=replace(crops.faces, landmarks=landmarks))
    assert torch.equal(reenact(source, irises)[0].image, reenact(source, crops)[0].image)


def test_missing_landmarks_are_said_plainly(source, crops, bare_crops, few_points):
    for pair in ((bare_crops, crops), (source, bare_crops)):
        with pytest.raises(ValueError, match=r"^Reenact Face: .* Put Find Landmarks between"):
            reenact(*pair)
    for pair in ((few_points, crops), (source, few_points)):
        with pytest.raises(ValueError, match=r"^Reenact Face: .*468 points"):
            reenact(*pair)
    flat_68 = crops.faces.landmarks[:, :68, :2]
    with pytest.raises(ValueError, match=r"^Reenact Face: .*68 landmarks \(iBUG\).*468 points"):
        reenact(source, replace(crops, faces=replace(crops.faces, landmarks=flat_68)))
    flat = replace(crops, faces=replace(crops.faces, landmarks=crops.faces.landmarks[..., :2]))
    with pytest.raises(ValueError, match=r"^Reenact Face: .*with depth"):
        reenact(source, flat)
