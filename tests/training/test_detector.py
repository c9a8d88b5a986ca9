from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
import torch
from safetensors.torch import load_file

from faceloom.models.loom_detector.closer import turned_boxes
from faceloom.models.loom_detector.network import STRIDES
from faceloom.training.canvases import (
    FACE,
    MOST,
    NOTHING,
    SIZE,
    UNCLEAR,
    Canvases,
    Painter,
)
from faceloom.training.detector import DetectorTask, assign, detection_loss, giou, hide
from faceloom.training.negatives import HELD_OUT, TRAINED_ON, faceless
from faceloom.training.pictures import Pictures
from faceloom.training.teaching import label, labels
from faceloom.training.trainer import Training

SIDE = 64
BOX = (20.0, 16.0, 44.0, 48.0)
POINTS = ((26.0, 28.0), (38.0, 28.0), (32.0, 34.0), (27.0, 41.0), (37.0, 41.0))


@pytest.fixture
def painter():
    """Grey portraits whose points are red, green, blue, yellow and cyan spots."""
    image = torch.full((3, 3, SIDE, SIDE), 128, dtype=torch.uint8)
    colours = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255))
    for (x, y), colour in zip(POINTS, colours, strict=True):
        spot = torch.tensor(colour, dtype=torch.uint8).view(3, 1, 1)
        image[:, :, int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3] = spot
    pictures = Pictures(image, None, ("a", "b", "c"))
    boxes, points = torch.tensor([BOX] * 3), torch.tensor([POINTS] * 3)
    return Painter(pictures, boxes, points, [torch.zeros(3, 90, 70, dtype=torch.uint8)])


def canvases_of(*faces):
    """One canvas with faces given as (box, kind)."""
    box, kind = torch.zeros(1, MOST, 4), torch.full((1, MOST), NOTHING)
    for index, (place, what) in enumerate(faces):
        box[0, index], kind[0, index] = torch.tensor(place), what
    points = box[..., None, :2] + torch.rand(1, MOST, 5, 2) * 10
    return Canvases(torch.zeros(1, 3, SIZE, SIZE), box, points, kind)


def test_a_seed_repeats_a_canvas(painter):
    one, same, other = (painter.paint(Random(seed), 4) for seed in (1, 1, 2))
    assert torch.equal(one.image, same.image)
    assert torch.equal(one.box, same.box)
    assert not torch.equal(one.image, other.image)
    assert one.image.shape == (4, 3, SIZE, SIZE)
    assert 0 <= one.image.min() <= one.image.max() <= 1


def test_points_lie_on_their_spots_and_left_stays_left(painter):
    """Eyes and mouth corners show their spots' colours, or in a mirror image each other's."""
    canvases = painter.paint(Random(3), 60)
    side = (canvases.box[..., 2:] - canvases.box[..., :2]).amin(-1)
    plain = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [0, 1, 1]])
    seen = {"plain": 0, "mirrored": 0, "neither": 0}
    for canvas, face in ((canvases.kind == FACE) & (side > 40)).nonzero().tolist():
        places = canvases.points[canvas, face].long()
        if places.min() < 0 or places.max() >= SIZE:
            continue
        colours = canvases.image[canvas][:, places[:, 1], places[:, 0]].T
        orders = {"plain": plain, "mirrored": plain[[1, 0, 2, 4, 3]]}
        fits = [name for name, want in orders.items() if (colours - want).abs().max() < 0.3]
        seen[fits[0] if fits else "neither"] += 1
        eyes = canvases.points[canvas, face, 1] - canvases.points[canvas, face, 0]
        down = canvases.points[canvas, face, 3] - canvases.points[canvas, face, 0]
        assert eyes[0] * down[1] - eyes[1] * down[0] > 0  # the mouth is below the eyes, unflipped
    assert seen["plain"] > 8
    assert seen["mirrored"] > 8
    assert seen["neither"] < (seen["plain"] + seen["mirrored"]) / 3  # a later face may cover a spot


def test_faces_of_all_sizes_and_none(painter):
    canvases = painter.paint(Random(4), 200)
    real = canvases.kind == FACE
    size = (canvases.box[..., 2:] - canvases.box[..., :2]).prod(-1).sqrt()[real]
    assert size.min() < 14
    assert size.max() > SIZE
    assert (real.sum(1) == 0).any()
    assert (real.sum(1) >= 4).any()


@pytest.mark.parametrize("degrees", [0.0, 30.0, -75.0, 90.0])
def test_a_turned_box_is_that_of_the_turned_ellipse(degrees):
    box = torch.tensor([10.0, 20.0, 40.0, 70.0])
    angle, around = torch.tensor(degrees).deg2rad(), torch.linspace(0, 2 * torch.pi, 3601)
    linear = 1.5 * torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()]).reshape(2, 2)
    matrix = torch.cat([linear, torch.tensor([[3.0], [-8.0]])], 1)
    ellipse = torch.stack([25 + 15 * around.cos(), 45 + 25 * around.sin()], -1)
    moved = ellipse @ linear.mT + matrix[:, 2]
    wanted = torch.cat([moved.amin(0), moved.amax(0)])
    torch.testing.assert_close(turned_boxes(box[None], matrix[None])[0], wanted, atol=1e-3, rtol=0)


def test_giou_of_known_boxes():
    boxes = torch.tensor([[0.0, 0, 2, 2], [0, 0, 2, 2], [0, 0, 2, 2]])
    wanted = torch.tensor([[0.0, 0, 2, 2], [1, 0, 3, 2], [4, 0, 6, 2]])
    overlap, loss = giou(boxes, wanted)
    torch.testing.assert_close(overlap, torch.tensor([1, 1 / 3, 0]))
    # apart by a box's width: the hull is 12, the union 8
    torch.testing.assert_close(loss, torch.tensor([0, 2 / 3, 1 + 4 / 12]))


def test_cells_answer_for_the_face_they_lie_in():
    small, large = (20.0, 20.0, 40.0, 44.0), (60.0, 60.0, 180.0, 180.0)
    owner, counted = assign(canvases_of((small, FACE), (large, FACE)), torch.device("cpu"))
    fine, middle, coarse = owner[0].split([(SIZE // s) ** 2 for s in STRIDES])
    assert set(fine.tolist()) == {-1, 0}
    assert set(middle.tolist()) == {-1}  # 22 px is too small for stride 16, 120 px too large
    assert set(coarse.tolist()) == {-1, 1}
    for row, column in (fine.reshape(24, 24) == 0).nonzero().tolist():
        assert abs((column + 0.5) * 8 - 30) < 8
        assert abs((row + 0.5) * 8 - 32) < 8
    assert counted.min() == 1


def test_unclear_faces_count_neither_way():
    owner, counted = assign(canvases_of(((20.0, 20, 60, 60), UNCLEAR)), torch.device("cpu"))
    assert (owner == -1).all()
    fine = counted[0, : (SIZE // 8) ** 2].reshape(24, 24)
    assert fine[4, 4] == 0
    assert fine[12, 12] == 1


def test_a_covered_face_is_unclear():
    canvases = canvases_of(((10.0, 10, 50, 50), FACE), ((100.0, 100, 140, 140), FACE))
    cover = torch.zeros(1, 1, SIZE, SIZE)
    cover[..., 5:60, 5:40] = 1
    assert hide(canvases, cover).kind[0, :3].tolist() == [UNCLEAR, FACE, NOTHING]


def test_the_loss_is_small_where_the_network_knows_the_answer():
    canvases = canvases_of(((20.0, 20.0, 60.0, 70.0), FACE))
    owner, _ = assign(canvases, torch.device("cpu"))
    boxes, points = canvases.box[0, owner.clamp(min=0)], canvases.points[0, owner.clamp(min=0)]
    logits = torch.where(owner >= 0, 12.0, -12.0)
    terms = detection_loss((logits, boxes, points), canvases)
    assert terms["score"] < 1e-3
    assert terms["box"] < 1e-5
    assert terms["points"] == pytest.approx(4 * 1e-5**0.5, rel=1e-3)
    worse = detection_loss((-logits, boxes + 9, points + 9), canvases)
    assert all(worse[name] > 10 * terms[name] for name in terms)


def test_no_face_on_any_canvas_is_a_case():
    logits = torch.zeros(1, sum((SIZE // s) ** 2 for s in STRIDES), requires_grad=True)
    empty = canvases_of()
    boxes, points = torch.zeros(*logits.shape, 4), torch.zeros(*logits.shape, 5, 2)
    terms = detection_loss((logits, boxes, points), empty)
    assert terms["score"] > 0
    assert terms["box"] == terms["points"] == 0


def test_broken_off_and_resumed_it_gives_the_weights_of_an_unbroken_training(painter, tmp_path):
    def training(name, steps):
        task = DetectorTask(painter, seed=0, batch=2)
        run = Training(task, tmp_path / name / "d.safetensors", steps=3, rate=1e-3, seed=1)
        while run.step < steps:
            run._one_step()
        run.save()
        return load_file(tmp_path / name / "d.safetensors")

    whole = training("whole", 3)
    training("parts", 1)
    parts = training("parts", 3)
    for key, value in whole.items():
        assert torch.equal(parts[key], value)


@pytest.fixture
def portraits(world):
    image = world.picture(SIDE, SIDE, [(12, 8, 52, 56)], frames=3)
    image[1] = 0.5  # no face
    return Pictures((image.movedim(-1, 1) * 255).to(torch.uint8), None, ("a", "b", "c"))


def test_the_teacher_labels_each_portrait_from_both_sides(portraits, detector):
    kept, box, points = label(portraits, detector.use(), sizes=(64, 32))
    assert kept.names == ("a", "c")
    assert box.shape == (2, 4)
    assert points.shape == (2, 5, 2)
    torch.testing.assert_close(box[0], torch.tensor([12.0, 8, 52, 56]), atol=1.0, rtol=0)
    assert (points[:, 0, 0] < points[:, 1, 0]).all()


def test_the_teacher_is_asked_once(portraits, detector, tmp_path):
    file = tmp_path / "new" / "d.labels.safetensors"
    teacher = detector.use()
    first = labels(file, portraits, teacher)
    asked = len(teacher.calls)
    second = labels(file, portraits, teacher)
    assert len(teacher.calls) == asked
    assert first[0].names == second[0].names == ("a", "c")
    assert all(torch.equal(one, other) for one, other in zip(first[1:], second[1:], strict=True))
    others = replace(portraits, names=("x", "y", "z"))
    with pytest.raises(ValueError, match="labels other pictures"):
        labels(file, others, teacher)


def test_faceless_pictures_are_rgb_and_none_is_in_both_lists():
    pictures = faceless(("page", "horse", "logo", "stereo_motorcycle"))
    assert all(p.dtype == torch.uint8 and p.shape[0] == 3 for p in pictures)
    assert not set(TRAINED_ON) & set(HELD_OUT)
