import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from faceloom.headless.images import next_number, read_image, read_mask, save_frames, write_png


def pixels(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_every_level_survives_writing_and_reading(tmp_path):
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    rgb = np.stack([levels, levels.T, levels[::-1]], -1)
    Image.fromarray(rgb).save(tmp_path / "a.png")
    image, mask = read_image(tmp_path / "a.png")
    assert image.shape == (1, 16, 16, 3)
    assert image.dtype == torch.float32
    assert mask.shape == (1, 64, 64)
    assert not mask.any()
    write_png(tmp_path / "b.png", image[0], {})
    assert np.array_equal(np.asarray(Image.open(tmp_path / "b.png")), rgb)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_becomes_the_mask_upside_down(tmp_path, mode):
    Image.fromarray(pixels(5, 7, 4)).convert(mode).save(tmp_path / "a.png")
    alpha = np.asarray(Image.open(tmp_path / "a.png").getchannel("A"))
    _, mask = read_image(tmp_path / "a.png")
    np.testing.assert_allclose(mask[0], 1 - alpha / 255, atol=1e-6)
    np.testing.assert_allclose(read_mask(tmp_path / "a.png", "alpha")[0], mask[0])


def test_a_transparent_palette_colour_is_masked(tmp_path):
    picture = Image.new("P", (2, 2))
    picture.putpalette([255, 0, 0, 0, 255, 0])
    picture.putdata([0, 1, 1, 1])
    picture.save(tmp_path / "a.png", transparency=1)
    image, mask = read_image(tmp_path / "a.png")
    assert image[0, 0, 0].tolist() == [1, 0, 0]
    assert mask[0].tolist() == [[0, 1], [1, 1]]


def test_sixteen_bit_grey_keeps_its_range(tmp_path):
    levels = np.array([[0, 257, 32896, 65535]], np.uint16)
    Image.fromarray(levels).save(tmp_path / "a.png")
    image, _ = read_image(tmp_path / "a.png")
    np.testing.assert_allclose(image[0, 0, :, 0] * 255, [0, 1, 128, 255], atol=1e-4)
    np.testing.assert_allclose(read_mask(tmp_path / "a.png", "red")[0], image[0, ..., 0])


def test_the_cameras_orientation_is_applied(tmp_path):
    data = pixels(4, 6, 3)
    exif = Image.Exif()
    exif[0x0112] = 6  # The top of the scene is at the right: turn by 90 degrees clockwise.
    Image.fromarray(data).save(tmp_path / "a.png", exif=exif)
    image, _ = read_image(tmp_path / "a.png")
    np.testing.assert_allclose(image[0] * 255, np.rot90(data, -1), atol=1e-4)


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_animations_become_a_batch(tmp_path, suffix):
    frames = [Image.fromarray(np.full((8, 9, 3), level, np.uint8)) for level in (0, 120, 255)]
    more = {"lossless": True} if suffix == "webp" else {}
    path = tmp_path / f"a.{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100, **more)
    image, mask = read_image(path)
    assert image.shape == (3, 8, 9, 3)
    assert len(mask) == 3
    np.testing.assert_allclose(image[:, 4, 4, 0] * 255, [0, 120, 255], atol=1)


def test_frames_of_another_size_are_skipped(tmp_path):
    sizes = [(8, 6), (5, 5), (8, 6)]
    frames = [Image.new("RGB", size, (10 * at, 0, 0)) for at, size in enumerate(sizes)]
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:])
    image, _ = read_image(tmp_path / "a.tif")
    np.testing.assert_allclose(image[:, 0, 0, 0] * 255, [0, 20], atol=1e-4)


def test_alpha_on_some_frames_only_gives_masks_of_one_size(tmp_path):
    frames = [Image.new("RGB", (8, 6)), Image.new("RGBA", (8, 6), (0, 0, 0, 0))]
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:])
    _, mask = read_image(tmp_path / "a.tif")
    assert mask.shape == (2, 6, 8)
    assert mask.mean((1, 2)).tolist() == [0, 1]


def test_mask_channels(tmp_path):
    data = pixels(5, 7, 3)
    Image.fromarray(data).save(tmp_path / "a.png")
    for index, channel in enumerate(("red", "green", "blue")):
        np.testing.assert_allclose(
            read_mask(tmp_path / "a.png", channel)[0], data[..., index] / 255, atol=1e-6
        )
    alpha = read_mask(tmp_path / "a.png", "alpha")
    assert alpha.shape == (1, 5, 7)
    assert not alpha.any()


def test_what_is_no_picture_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no picture .*none\.png"):
        read_image(tmp_path / "none.png")
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(ValueError, match=r"text\.png cannot be read as a picture"):
        read_image(tmp_path / "text.png")
    Image.fromarray(pixels(64, 64, 3)).save(tmp_path / "whole.png")
    data = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "half.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match=r"half\.png cannot be read as a picture"):
        read_image(tmp_path / "half.png")


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_channels_choose_the_mode(tmp_path, channels, mode):
    write_png(tmp_path / "a.png", torch.full((3, 4, channels), 0.5), {})
    picture = Image.open(tmp_path / "a.png")
    assert picture.mode == mode
    assert np.all(np.asarray(picture) == 127)  # As ComfyUI: the fraction is cut off.


def test_values_out_of_range_are_clipped_and_nan_is_black(tmp_path):
    row = torch.tensor([[-1.0, 2.0, float("nan"), float("inf")]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_png(tmp_path / "a.png", row[..., None], {})
    assert np.asarray(Image.open(tmp_path / "a.png")).tolist() == [[0, 255, 0, 255]]


@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 2), (1, 3, 4, 3)])
def test_other_shapes_are_errors(tmp_path, shape):
    with pytest.raises(ValueError, match=r"\[H,W,C\] with 1, 3 or 4 channels, got \["):
        write_png(tmp_path / "a.png", torch.zeros(shape), {})


def test_texts_round_trip(tmp_path):
    texts = {"prompt": '{"1": "ä 漢字"}', "workflow": "{}"}
    write_png(tmp_path / "a.png", torch.zeros(2, 2, 3), texts)
    assert Image.open(tmp_path / "a.png").text == texts


def test_numbers_go_on_behind_the_highest(tmp_path):
    frames = torch.zeros(2, 3, 4, 3)
    for expected in (["a_00001_.png", "a_00002_.png"], ["a_00003_.png", "a_00004_.png"]):
        saved = save_frames(frames, tmp_path, "a", {})
        assert [entry["filename"] for entry in saved] == expected
    for name in ("A_00009_.png", "ab_00050_.png", "a_x.png", "ab.png"):
        (tmp_path / name).touch()
    assert next_number(tmp_path, "a") == 10
    assert next_number(tmp_path, "other") == 1


def test_prefixes_may_hold_folders_and_the_size(tmp_path):
    saved = save_frames(torch.zeros(2, 3, 4, 3), tmp_path, "x/%width%x%height%_%batch_num%_%a%", {})
    assert [entry["filename"] for entry in saved] == [
        "4x3_0_%a%_00001_.png",
        "4x3_1_%a%_00002_.png",
    ]
    assert {entry["subfolder"] for entry in saved} == {"x"}
    (hidden,) = save_frames(torch.zeros(1, 3, 4, 3), tmp_path, ".x/y/a", {})
    assert hidden["subfolder"] == ".x/y"
    assert (tmp_path / "x" / "4x3_1_%a%_00002_.png").is_file()
    assert next_number(tmp_path / "x", "4x3_%batch_num%_%a%") == 3


@pytest.mark.parametrize("prefix", ["../a", "x/../../a", "/elsewhere/a", "..", "", "link/a"])
def test_prefixes_may_not_leave_the_folder(tmp_path, prefix):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    with pytest.raises(ValueError, match="leads out of the output folder"):
        save_frames(torch.zeros(1, 3, 4, 3), folder, prefix, {})
    assert list(tmp_path.iterdir()) == [folder]


def test_no_frames_save_nothing(tmp_path):
    assert save_frames(torch.zeros(0, 3, 4, 3), tmp_path, "a", {}) == []
