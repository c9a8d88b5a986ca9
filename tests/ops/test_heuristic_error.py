from __future__ import annotations

import pytest
import torch

from faceloom.ops.heuristic_error import rebuilt_mask


def test_even_differences_fade_from_once_to_twice_the_threshold():
    target = torch.zeros(1, 3, 32, 32)
    for difference, wanted in ((0.05, 1.0), (0.1, 1.0), (0.15, 0.5), (0.2, 0.0), (0.9, 0.0)):
        mask = rebuilt_mask(target, target + difference, 0.1)
        torch.testing.assert_close(mask, torch.full((1, 1, 32, 32), wanted), atol=1e-5, rtol=0)


def test_the_channels_count_by_their_mean():
    target = torch.zeros(1, 3, 8, 8)
    red = torch.tensor([0.45, 0, 0]).reshape(1, 3, 1, 1).expand_as(target)
    torch.testing.assert_close(rebuilt_mask(target, red, 0.1), torch.full((1, 1, 8, 8), 0.5))


def test_no_pictures_give_no_masks_and_bad_input_is_named():
    assert rebuilt_mask(torch.zeros(0, 3, 8, 8), torch.zeros(0, 3, 8, 8), 0.1).shape == (0, 1, 8, 8)
    with pytest.raises(ValueError, match="must have the same shape"):
        rebuilt_mask(torch.zeros(1, 3, 8, 8), torch.zeros(2, 3, 8, 8), 0.1)
    with pytest.raises(ValueError, match="above 0"):
        rebuilt_mask(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8), 0.0)
