import json

import numpy as np
import pytest
import torch
from PIL import Image

from faceloom.headless import composite
from faceloom.headless.editor import from_editor
from faceloom.headless.graph import WorkflowError
from faceloom.headless.workflow import from_api, to_api


@pytest.fixture
def picture(tmp_path):
    folder = tmp_path / "input"
    folder.mkdir()
    data = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(data).save(folder / "a.png")
    return data


def test_a_picture_passes_through_unchanged_with_its_workflow(runner, editor, tmp_path, picture):
    data = editor(
        (1, "LoadImage", {}, ["a.png", "image"], {}),
        (2, "SaveImage", {"images": (1, 0)}, ["sub/x"], {}),
    )
    graph = from_editor(data, runner.specs)
    (entry,) = runner.run(graph).images
    path = tmp_path / "output" / "sub" / "x_00001_.png"
    assert entry == {
        "filename": "x_00001_.png",
        "subfolder": "sub",
        "type": "output",
        "path": str(path),
    }
    assert np.array_equal(np.asarray(Image.open(path)), picture)
    texts = {key: json.loads(text) for key, text in Image.open(path).text.items()}
    assert texts == {"prompt": to_api(graph), "workflow": data}


def test_the_api_form_embeds_no_workflow(runner, tmp_path, picture):
    data = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "a.png"}},
        "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
    }
    (entry,) = runner.run(from_api(data, runner.specs)).images
    assert entry["type"] == "temp"
    path = tmp_path / "output" / "preview" / entry["filename"]
    assert entry["path"] == str(path)
    assert set(Image.open(path).text) == {"prompt"}


def load(runner, name):
    data = {
        "1": {"class_type": "LoadImage", "inputs": {"image": name}},
        "2": {"class_type": "Show", "inputs": {"value": ["1", 0]}},
    }
    return runner.run(from_api(data, runner.specs)).results["2"].ui["values"][0]


def test_pictures_are_found_by_name_and_by_path(runner, tmp_path, picture, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    (tmp_path / "input" / "a.png").rename(here / "b.png")
    for name in (str(here / "b.png"), "../here/b.png"):
        assert load(runner, name).shape == (1, 6, 8, 3)
    monkeypatch.chdir(here)
    assert load(runner, "b.png").shape == (1, 6, 8, 3)
    (tmp_path / "input" / "sub").mkdir()
    (here / "b.png").rename(tmp_path / "input" / "sub" / "c.png")
    for name in ("sub/c.png", "sub/c.png [input]", "sub\\c.png"):
        assert load(runner, name).shape == (1, 6, 8, 3)
    with pytest.raises(WorkflowError, match=r"Load Image \(#1\): there is no picture 'b.png'"):
        load(runner, "b.png")


def test_a_changed_picture_is_read_again(runner, tmp_path, picture):
    assert load(runner, "a.png").shape == (1, 6, 8, 3)
    Image.new("RGB", (3, 2)).save(tmp_path / "input" / "a.png")
    assert load(runner, "a.png").shape == (1, 2, 3, 3)


def test_the_combo_lists_the_input_folder(runner, tmp_path, picture):
    (tmp_path / "input" / "note.txt").touch()
    assert runner.specs["LoadImage"].find_input("image").choices == ["a.png"]


def run_node(runner, kind, **inputs):
    node_class = next(c for c in runner._classes if c.GET_SCHEMA().node_id == kind)
    return node_class.execute(**inputs).args[0]


@pytest.mark.parametrize(
    ("width", "height", "shape"),
    [(0, 0, (6, 8)), (4, 0, (3, 4)), (0, 12, (12, 16)), (5, 7, (7, 5)), (0, 1, (1, 1))],
)
@pytest.mark.parametrize("method", ["nearest-exact", "bilinear", "area", "bicubic", "lanczos"])
def test_scale_sizes(runner, width, height, shape, method):
    image = torch.rand(2, 6, 8, 3, generator=torch.Generator().manual_seed(0))
    scale = {"image": image, "upscale_method": method, "width": width, "height": height}
    assert run_node(runner, "ImageScale", **scale, crop="disabled").shape == (2, *shape, 3)
    assert run_node(runner, "ImageScale", **scale, crop="center").shape == (2, *shape, 3)


def test_centre_crop_cuts_both_sides_alike():
    columns = torch.arange(8.0).expand(1, 1, 4, 8)
    assert composite.crop_to_aspect(columns, 10, 10)[0, 0, 0].tolist() == [2, 3, 4, 5]
    assert composite.crop_to_aspect(columns.mT, 10, 10)[0, 0, :, 0].tolist() == [2, 3, 4, 5]
    assert composite.crop_to_aspect(columns, 2, 1).shape == columns.shape


def test_lanczos_equals_pillow():
    data = np.random.default_rng(0).integers(0, 256, (16, 12, 3), dtype=np.uint8)
    frames = torch.from_numpy(data / np.float32(255)).movedim(-1, 0)[None]
    expected = Image.fromarray(data).resize((7, 9), Image.Resampling.LANCZOS)
    got = composite.resize(frames, 7, 9, "lanczos")[0].movedim(0, -1) * 255
    np.testing.assert_allclose(got, np.asarray(expected), atol=1e-3)
    assert composite.resize(frames[:, :1], 7, 9, "lanczos").shape == (1, 1, 9, 7)


def test_batch_fits_the_second_to_the_first(runner):
    first, second = torch.zeros(1, 6, 8, 3), torch.full((2, 5, 5, 4), 0.5)
    joined = run_node(runner, "ImageBatch", image1=first, image2=second)
    assert joined.shape == (3, 6, 8, 4)
    assert joined[0, ..., 3].unique().tolist() == [1]
    assert joined[1:].unique().tolist() == [0.5]


def lay_over_slowly(destination, source, x, y, mask):
    """The same, pixel by pixel, for a mask of the source's size."""
    result = destination.clone()
    for frame in range(len(result)):
        for row in range(source.shape[1]):
            for column in range(source.shape[2]):
                at = (frame, y + row, x + column)
                if at[1] < result.shape[1] and at[2] < result.shape[2]:
                    weight = mask[frame % len(mask), row, column]
                    new = source[frame % len(source), row, column]
                    result[at] = weight * new + (1 - weight) * result[at]
    return result


@pytest.mark.parametrize(("x", "y"), [(0, 0), (3, 2), (6, 1), (30, 30)])
def test_composite_equals_its_slow_twin(runner, x, y):
    random = torch.Generator().manual_seed(0)
    destination = torch.rand(3, 6, 8, 3, generator=random)
    source, mask = torch.rand(2, 4, 5, 3, generator=random), torch.rand(2, 4, 5, generator=random)
    kept = destination.clone()
    got = run_node(
        runner,
        "ImageCompositeMasked",
        destination=destination,
        source=source,
        x=x,
        y=y,
        resize_source=False,
        mask=mask,
    )
    torch.testing.assert_close(got, lay_over_slowly(destination, source, x, y, mask))
    assert torch.equal(destination, kept)


def test_composite_without_a_mask_and_stretched():
    destination, source = torch.zeros(1, 6, 8, 4), torch.full((1, 2, 2, 3), 0.5)
    got = composite.lay_over(destination, source, 0, 0, True, None)
    assert got[..., :3].unique().tolist() == [0.5]
    assert got[..., 3].unique().tolist() == [1]


def test_mask_becomes_a_grey_picture(runner):
    mask = torch.rand(2, 4, 5)
    picture = run_node(runner, "MaskToImage", mask=mask)
    assert picture.shape == (2, 4, 5, 3)
    assert all(torch.equal(picture[..., channel], mask) for channel in range(3))
    assert run_node(runner, "MaskToImage", mask=mask[0]).shape == (1, 4, 5, 3)


def test_invert_mask(runner):
    assert run_node(runner, "InvertMask", mask=torch.tensor([0.0, 0.25, 1.0])).tolist() == [
        1,
        0.75,
        0,
    ]
