"""The shipped workflows, run on drawn faces with models that know the places."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from PIL import Image

import faceloom
from faceloom.headless import cli
from faceloom.headless.core_nodes import CORE_NODES
from faceloom.headless.execute import Runner
from faceloom.headless.graph import WorkflowError
from faceloom.headless.overrides import find_node, override
from faceloom.headless.workflow import read_workflow
from faceloom.host.node_api import io, schema
from faceloom.host.session import Session
from faceloom.nodes import NODES, choices

FOLDER = Path(faceloom.__file__).with_name("workflows")
SWAPS = ("swap_faces", "swap_one_of_many")
SOURCE, TARGET = (100, 90), (96, 150)  # (H, W)
SOURCE_BOX = (18.0, 14.0, 74.0, 80.0)
TARGET_BOXES = [(10.0, 15.0, 58.0, 75.0), (86.0, 22.0, 134.0, 82.0)]
CROP = 128


class GivenImage(io.ComfyNode):
    """In place of Load Image: any tensor, by name."""

    pictures: ClassVar[dict[str, torch.Tensor]] = {}

    @classmethod
    def define_schema(cls):
        return schema(
            node_id="LoadImage",
            display_name="Load Image",
            inputs=[io.Combo.Input("image", options=[], upload=io.UploadType.image)],
            outputs=[io.Image.Output(), io.Mask.Output()],
        )

    @classmethod
    def validate_inputs(cls, image):
        return image in cls.pictures

    @classmethod
    def fingerprint_inputs(cls, image):
        return id(cls.pictures[image])

    @classmethod
    def execute(cls, image):
        return io.NodeOutput(cls.pictures[image], torch.zeros(1, 64, 64))


@pytest.fixture(autouse=True)
def models(monkeypatch, detector, landmarker, parser):
    """Fake models behind the loader nodes."""
    fakes = {"detector": detector, "landmarker": landmarker, "parser": parser}
    monkeypatch.setattr(choices.models, "load_built_in", lambda role: fakes[role].use())
    return fakes


@pytest.fixture
def source(world):
    return world.picture(*SOURCE, [SOURCE_BOX], seed=1)


@pytest.fixture
def target(world):
    """Five frames of two faces, in cooler light, and in the middle one without."""
    frames = world.picture(*TARGET, TARGET_BOXES, frames=5, seed=2) * torch.tensor([0.8, 0.9, 1.0])
    frames[2] = torch.tensor([0.1, 0.2, 0.3])
    return frames


@pytest.fixture
def runner(tmp_path, monkeypatch):
    monkeypatch.setattr(GivenImage, "pictures", {})
    core = [node for node in CORE_NODES if node.__name__ != "LoadImage"]
    session = Session(device=torch.device("cpu"), output_dir=tmp_path)
    return Runner([*NODES, GivenImage, *core], session)


@pytest.fixture
def run(runner):
    """Run a shipped workflow on tensors by title of their Load Image; gives outputs by node."""

    def run(name, changes=(), **pictures):
        graph = read_workflow(FOLDER / f"{name}.json", runner.specs)
        for node in graph.nodes.values():
            if node.type == "FaceLoomAlignFaces":
                node.set("size", CROP)
            if node.type == "ImageScale":
                node.set("width", CROP)
                node.set("height", CROP)
        for title, picture in pictures.items():
            GivenImage.pictures[title] = picture
            find_node(graph, title).set("image", title)
        for change in changes:
            override(graph, runner.specs, change)
        results = runner.run(graph).results
        return lambda node: [values[0] for values in results[find_node(graph, node).id].outputs]

    return run


def pasted(outputs):
    return outputs("FaceLoomPasteFaces")


def assert_only_the_mask_changed(image, mask, frames):
    """`frames` [B, H, W, 3 or 4] are the input as the nodes see it."""
    assert image.shape == frames.shape
    assert mask.shape == image.shape[:3]
    assert image.isfinite().all()
    assert mask.isfinite().all()
    assert torch.equal(image[mask == 0], frames[mask == 0])
    assert torch.equal(image[..., 3:], frames[..., 3:])


def as_seen(picture, kind):
    """What the outside of the masks must look like: RGB or RGBA floats of the same values."""
    whites = {torch.uint8: 255, torch.uint16: 65535}
    seen = picture.float() / whites.get(picture.dtype, 1)
    return seen.expand(-1, -1, -1, 3) if kind == "grey" else seen


# ---- the swap ----


@pytest.mark.parametrize("name", SWAPS)
def test_swap_puts_the_source_onto_the_targets(run, name, source, target):
    outputs = run(name, Source=source, Target=target)
    image, mask = pasted(outputs)
    assert_only_the_mask_changed(image, mask, target)
    assert torch.equal(image[2], target[2])
    assert mask[2].max() == 0
    swapped = {"swap_faces": (0, 1), "swap_one_of_many": (0,)}[name]
    for place, box in enumerate(TARGET_BOXES):
        x0, y0, x1, y1 = map(int, box)
        covered = (mask[[0, 1, 3, 4], y0:y1, x0:x1] > 0.5).float().mean()
        assert covered > 0.4 if place in swapped else covered == 0


def test_swap_carries_the_source_over_in_the_targets_colours(run, world, source, target):
    red = source * torch.tensor([1.0, 0.6, 0.6])
    points = world.faces(source).landmarks[0, :, :2]
    # A tattoo under the left eye, which the target cannot have.
    x, y = points[[50, 205]].mean(0).round().int().tolist()
    red[0, y - 3 : y + 3, x - 3 : x + 3] *= 0.8
    image, mask = pasted(run("swap_faces", Source=red, Target=target[:1]))
    goal = world.faces(target[:1]).landmarks[0, :, :2]
    x, y = goal[[50, 205]].mean(0).round().int().tolist()
    patch = (slice(0, 1), slice(y - 1, y + 2), slice(x - 1, x + 2))
    assert (image[patch].mean() - target[patch].mean()) < -0.04
    change = (image - target[:1])[mask > 0.5].mean(0)
    assert change.abs().max() < 0.03


def test_swap_takes_any_kind_of_picture(run, source, target, kind, as_kind):
    given = as_kind(target)
    image, mask = pasted(run("swap_faces", Source=as_kind(source), Target=given))
    assert (mask[0] > 0.5).any()
    assert_only_the_mask_changed(image, mask, as_seen(given, kind))


@pytest.mark.parametrize("name", SWAPS)
@pytest.mark.parametrize("count", [1, 11])
def test_no_face_in_the_target_leaves_every_bit(run, name, source, target, count, kind, as_kind):
    blank = as_kind(target[2:3].expand(count, -1, -1, -1).contiguous())
    image, mask = pasted(run(name, Source=source, Target=blank))
    assert mask.shape == image.shape[:3]
    assert mask.max() == 0
    assert torch.equal(image, as_seen(blank, kind))


def test_no_frame_at_all_gives_none(run, source):
    image, mask = pasted(run("swap_faces", Source=source, Target=torch.zeros(0, 48, 64, 3)))
    assert image.shape == (0, 48, 64, 3)
    assert mask.shape == (0, 48, 64)


def test_faces_may_be_cut_by_the_edge_overlap_or_be_tiny(run, world, source):
    boxes = [(-20, -10, 30, 50), (20, 10, 60, 60), (62, 30, 90, 66), (0, 60, 8, 69)]
    frames = world.picture(64, 72, boxes, frames=9)
    image, mask = pasted(run("swap_faces", Source=source, Target=frames))
    assert_only_the_mask_changed(image, mask, frames)
    assert (mask.flatten(1).amax(1) > 0.5).all()


def test_frames_may_be_smaller_than_a_crop(run, world, source):
    frames = world.picture(20, 17, [(2, 2, 15, 18)])
    image, mask = pasted(run("swap_faces", Source=source, Target=frames))
    assert_only_the_mask_changed(image, mask, frames)
    assert mask.max() > 0.5


@pytest.mark.parametrize("name", SWAPS)
def test_no_face_in_the_source_is_said_plainly(run, name, target):
    with pytest.raises(WorkflowError) as error:
        run(name, Source=torch.full((1, *SOURCE, 3), 0.5), Target=target)
    text = str(error.value)
    assert "Reenact Face" in text
    assert "no face was found in the source picture" in text
    assert "\n" not in text


def test_no_face_in_either_picture_is_fine(run, target):
    blank = target[2:3]
    image, _ = pasted(run("swap_faces", Source=blank.clone(), Target=blank))
    assert torch.equal(image, blank)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("title", ["Source", "Target"])
def test_nan_in_a_picture_is_said_plainly(run, source, target, title, bad):
    pictures = {"Source": source.clone(), "Target": target.clone()}
    pictures[title][0, 3, 4, 1] = bad
    with pytest.raises(
        WorkflowError, match=r"Detect Faces \(#\d+\): image holds NaN or infinite values"
    ):
        run("swap_faces", **pictures)


@pytest.mark.parametrize("method", ["poisson", "poisson mixed", "gaussian", "multiband"])
def test_swap_by_each_blend_of_a_bright_and_of_a_grey_picture(run, source, target, method):
    for kind in (target, target.mean(-1, keepdim=True), target * 300 - 20):
        changes = [f"FaceLoomBlendFaces.method={method}"]
        image, mask = pasted(run("swap_faces", changes, Source=source, Target=kind[:1]))
        assert_only_the_mask_changed(image, mask, kind[:1].expand(-1, -1, -1, 3))


# ---- crops out and back ----


def test_edit_brings_back_edited_crops(run, target):
    outputs = run("align_edit_paste", Picture=target)
    image, mask = pasted(outputs)
    assert len(outputs("FaceLoomCropsToImage")[0]) == 8
    assert_only_the_mask_changed(image, mask, target)
    assert torch.equal(image[2], target[2])
    assert (image - target).abs().mean() < 0.02
    assert mask[0].mean() > 0.3


def test_edit_without_a_face_leaves_every_bit(run, target):
    image, mask = pasted(run("align_edit_paste", Picture=target[2:3]))
    assert torch.equal(image, target[2:3])
    assert mask.max() == 0


def test_edit_takes_any_kind_of_picture(run, target, kind, as_kind):
    given = as_kind(target)
    image, mask = pasted(run("align_edit_paste", Picture=given))
    assert_only_the_mask_changed(image, mask, as_seen(given, kind))


# ---- masks of parts ----


def test_parts_are_masked_in_crops_and_picture(run, target):
    outputs = run("face_parts_mask", Picture=target)
    image, mask = pasted(outputs)
    assert torch.equal(image[mask == 0], target[mask == 0])
    assert mask[2].max() == 0
    for x0, y0, x1, y1 in TARGET_BOXES:
        across, down = int(x0 + x1) // 2, int(y0 + y1) // 2
        assert (mask[[0, 1, 3, 4], down - 10 : down + 10, across - 8 : across + 8] > 0.99).all()
    assert mask[:, :8].max() == 0
    full, crops = outputs("Mask of the picture")[0], outputs("Masks of the crops")[0]
    assert torch.equal(full[..., 0], mask)
    assert crops.shape == (8, CROP, CROP, 3)
    assert outputs("FaceLoomParseFace")[2].shape == (8, CROP, CROP, 3)


def test_parts_of_no_face_are_none(run, target):
    image, mask = pasted(run("face_parts_mask", Picture=target[2:3]))
    assert torch.equal(image, target[2:3])
    assert mask.max() == 0


# ---- the command ----


@pytest.fixture
def picture_files(tmp_path, monkeypatch, source, target):
    monkeypatch.chdir(tmp_path)
    for name, picture in (("source", source), ("target", target)):
        pixels = (picture[0] * 255).round().byte().numpy()
        Image.fromarray(pixels).save(f"{name}.png")
    Image.new("RGB", SOURCE[::-1], (90, 90, 90)).save("wall.png")


def test_command_swaps(picture_files, capsys, target):
    assert cli.main(["swap", "source.png", "target.png", "-o", "out.png", "--device", "cpu"]) == 0
    assert capsys.readouterr().out == "out.png\n"
    before, after = (np.asarray(Image.open(name)) for name in ("target.png", "out.png"))
    assert before.shape == after.shape
    changed = (before != after).any(-1)
    assert 0.05 < changed.mean() < 0.5
    _, top, _, bottom = np.array(TARGET_BOXES).T
    assert not changed[: int(top.min())].any()
    assert not changed[int(bottom.max()) + 1 :].any()


def test_command_without_a_source_face_ends_in_one_line(picture_files, capsys):
    command = ["swap", "wall.png", "target.png", "-o", "out.png", "--device", "cpu"]
    assert cli.main(command) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "Reenact Face" in err
    assert "Traceback" not in err
    assert not Path("out.png").exists()
