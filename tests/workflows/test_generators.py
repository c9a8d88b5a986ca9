"""The generators' workflows from end to end: FSGAN's with the built-in parts, the others with small
networks of random weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from PIL import Image

import faceloom
from faceloom.headless.core_nodes import CORE_NODES
from faceloom.headless.demo import packaged
from faceloom.headless.execute import Runner
from faceloom.headless.graph import WorkflowError
from faceloom.headless.overrides import override
from faceloom.headless.workflow import read_workflow
from faceloom.host.session import Session
from faceloom.nodes import NODES
from faceloom.tests.workflows.random_networks import (
    GHOST,
    IRSE50,
    MFIM,
    MIXING,
    RAFSWAP,
    STYLED,
    save_networks,
)

WORKFLOWS = Path(faceloom.__file__).with_name("workflows")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A model folder with a small random network under each name."""
    return save_networks(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Source: the astronaut. Target: six friends, cut down; and a wall without a face."""
    folder = tmp_path_factory.mktemp("pictures")
    for name in ("source", "global", "local"):
        Image.open(packaged("skimage", "data", "astronaut.png")).save(folder / f"{name}.png")
    friends = Image.open(packaged("insightface", "data", "images", "t1.jpg"))
    friends.save(folder / "target.png")
    friends.crop((0, 0, 640, 886)).save(folder / "reference.png")
    wall = Image.new("RGB", friends.size, (90, 110, 130))
    wall.save(folder / "wall.png")
    friends.save(folder / "clip.gif", save_all=True, append_images=[wall, friends])
    return folder


@pytest.fixture
def run(weights, pictures, tmp_path, monkeypatch):
    """Runs a workflow with other values; gives what each node gave, by its title."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def go(name, values, models=weights):
        session = Session(
            device=torch.device("cpu"),
            model_folders=(models,),
            input_dir=pictures,
            output_dir=tmp_path / "output",
        )
        runner = Runner([*NODES, *CORE_NODES], session)
        graph = read_workflow(WORKFLOWS / f"{name}.json", runner.specs)
        for path, value in values.items():
            override(graph, runner.specs, f"{path}={value}")
        results = runner.run(graph).results
        return {
            graph.nodes[key].title: [values[0] for values in result.outputs]
            for key, result in results.items()
        }

    return go


def check_only_faces_changed(given, frames):
    """All pixels are numbers; those outside the mask are the frames' own, bit for bit."""
    picture, changed = given["Paste Faces"]
    assert picture.shape == frames.shape
    assert picture.isfinite().all()
    outside = changed == 0
    assert 0.3 < outside.float().mean() < 1
    assert torch.equal(picture[outside], frames[outside])
    inside = changed > 0.9
    assert (picture[inside] - frames[inside]).abs().mean() > 0.02


def test_ghost_on_a_picture(run):
    given = run("ghost_image", GHOST)
    crops = given["Swap Face"][0]
    assert crops.image.shape == (6, 3, 256, 256)
    check_only_faces_changed(given, given["Target"][0])


def test_ghost_on_frames_whose_faces_come_and_go(run):
    given = run("ghost_frames", GHOST | {"Frame 2.image": "wall.png"})
    frames = given["Frames"][0]
    assert len(frames) == 2
    crops = given["Swap Face"][0]
    assert set(crops.faces.frame.tolist()) == {0}
    assert sorted(crops.faces.track.tolist()) == list(range(len(crops)))
    check_only_faces_changed(given, frames)
    assert torch.equal(given["Paste Faces"][0][1], frames[1])


def test_faceshifter_with_hear(run):
    given = run("faceshifter", IRSE50)
    swapped, rebuilt, mask = given["Heuristic Error"]
    (refined,) = given["Refine Face (HEAR)"]
    for crops in (swapped, rebuilt, refined):
        assert crops.image.shape == (6, 3, 256, 256)
        assert crops.image.isfinite().all()
    assert not torch.equal(swapped.image, rebuilt.image)
    assert mask.shape == (6, 256, 256)
    check_only_faces_changed(given, given["Target"][0])


def test_fsgan_with_built_in_parts(run):
    given = run("fsgan_image", {})
    (crops,) = given["Inpaint Face"]
    assert crops.image.shape == (6, 3, 256, 256)
    check_only_faces_changed(given, given["Target"][0])


def test_fsgan_from_clip_to_clip(run):
    given = run("fsgan_clip", {"Frame 2.image": "wall.png"})
    views, picture = given["Appearance Map"]
    assert len(views) == 1  # both frames of the source clip show the same
    assert picture.shape[-1] == 3
    assert len(given["View Interpolation"][0]) == 1
    check_only_faces_changed(given, given["Target clip"][0])
    assert torch.equal(given["Paste Faces"][0][1], given["Target clip"][0][1])


def test_rafswap_with_its_mask(run):
    given = run("rafswap", RAFSWAP)
    crops, features = given["Swap Face"]
    assert crops.image.shape == (6, 3, STYLED, STYLED)
    assert len(features) == 6
    masked, mask = given["Predict Face Mask (FMP)"]
    assert mask.shape == (6, STYLED, STYLED)
    assert torch.equal(masked.image, crops.image)
    check_only_faces_changed(given, given["Target"][0])


def test_mfim_where_the_old_face_was_or_the_new_one_is(run):
    given = run("mfim", MFIM)
    crops, features = given["Swap Face"]
    assert crops.image.shape == (6, 3, STYLED, STYLED)
    assert crops.image.isfinite().all()
    assert len(features) == 0
    # Either face: where the old one was found, and where the new one is.
    old, new = (given[title][1] for title in ("Not the old face", "Nor the new one"))
    assert (new <= old).all()
    torch.testing.assert_close(given["InvertMask"][0], 1 - new)
    check_only_faces_changed(given, given["Target"][0])


def test_mfims_codes_are_mixed(run):
    given = run("mfim_id_mixing", MIXING | {"Local source.image": "target.png"})
    crops, _, grid = given["Mix Identity Codes (MFIM)"]
    assert crops.image.shape == (6, 3, STYLED, STYLED)
    assert grid.shape == (1, 512, 512, 3)
    # Its last cell is the first face, mixed.
    shown = F.interpolate(crops.image[:1], (256, 256), mode="bilinear")
    torch.testing.assert_close(grid[:, 256:, 256:].movedim(3, 1), shown)
    alone = run("mfim_id_mixing", MIXING | {"Local source.image": "global.png"})
    assert not torch.equal(alone["Mix Identity Codes (MFIM)"][0].image, crops.image)


@pytest.mark.parametrize(
    ("name", "values"), [("rafswap", RAFSWAP), ("mfim", MFIM), ("mfim_id_mixing", MIXING)]
)
def test_as_many_frames_come_out_as_went_in(run, name, values):
    given = run(name, values | {"Target.image": "clip.gif"})
    frames, (picture, changed) = given["Target"][0], given["Paste Faces"]
    assert len(frames) == 3
    assert set(given["Target crops"][0].faces.frame.tolist()) == {0, 2}
    assert picture.shape == frames.shape
    assert torch.equal(picture[changed == 0], frames[changed == 0])
    assert changed[1].max() == 0
    assert changed[0].max() > 0


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("ghost_image", GHOST),
        ("ghost_frames", GHOST),
        ("faceshifter", IRSE50),
        ("fsgan_image", {}),
        ("rafswap", RAFSWAP),
        ("mfim", MFIM),
        ("mfim_id_mixing", MIXING),
    ],
)
def test_no_face_at_all_gives_the_picture_back(run, name, values):
    walls = {"Target.image": "wall.png"}
    if name == "ghost_frames":
        walls = {"Frame 1.image": "wall.png", "Frame 2.image": "wall.png"}
    picture, changed = run(name, values | walls)["Paste Faces"]
    assert len(picture) == len(walls)
    assert picture.std((1, 2)).max() < 1e-6
    assert changed.max() == 0


def test_weights_that_are_missing_are_named_with_their_folder(run, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(WorkflowError) as caught:
        run("ghost_image", GHOST, models=tmp_path / "empty")
    text = str(caught.value)
    assert "G_unet_2blocks.pth" in text or "backbone.pth" in text
    assert str(tmp_path / "empty") in text


def test_one_familys_weights_in_anothers_loader(run):
    wrong = {"FaceLoomLoadSwapGenerator.model": "HEAR_latest.pth"}
    with pytest.raises(WorkflowError, match="hear, a refiner, where a swapper is wanted"):
        run("ghost_image", GHOST | wrong)
