from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from faceloom.training.pictures import load_pictures


@pytest.fixture
def folder(tmp_path):
    """Ten pictures of one grey each, 8x8, with masks of two classes."""
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
    for number in range(10):
        grey = np.full((8, 8, 3), 20 * number, np.uint8)
        Image.fromarray(grey).save(tmp_path / "images" / f"{number}.png")
        mask = Image.fromarray(np.repeat([[3, 14]], 8, 0).repeat(4, 1).astype(np.uint8), "L")
        mask = mask.convert("P")
        mask.putdata(np.repeat([[3, 14]], 8, 0).repeat(4, 1).ravel().tolist())
        mask.putpalette([value for value in range(256) for _ in range(3)])
        mask.save(tmp_path / "masks" / f"{number}.png")
    return tmp_path


def test_every_fifth_picture_is_held_out(folder):
    held, kept = (load_pictures(folder, held_out=part, size=8) for part in (True, False))
    assert held.names == ("0", "5")
    assert kept.names == ("1", "2", "3", "4", "6", "7", "8", "9")
    assert held.image[1].unique().tolist() == [100]


def test_masks_keep_their_palette_indices_when_resized(folder):
    label = load_pictures(folder, held_out=False, size=4).label
    assert label.dtype == torch.uint8
    assert label[0, 0].tolist() == [[3, 3, 14, 14]] * 4


def test_a_plain_folder_has_no_masks(folder):
    pictures = load_pictures(folder / "images", held_out=False, size=8, most=3)
    assert len(pictures) == 3
    assert pictures.label is None


def test_a_missing_mask_and_an_empty_folder_are_named(folder, tmp_path):
    (folder / "masks" / "4.png").unlink()
    with pytest.raises(ValueError, match=r"4\.png has no mask"):
        load_pictures(folder, held_out=False)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no pictures"):
        load_pictures(tmp_path / "empty", held_out=False)
