from __future__ import annotations

import cv2
import pytest
import torch

from faceloom.ops.filters import gaussian_blur
from faceloom.ops.sharpness import sharpness


@pytest.fixture
def noise():
    return torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def test_it_is_opencv_s_variance_of_the_laplacian(noise):
    found = sharpness(noise)
    for picture, value in zip(noise, found.tolist(), strict=True):
        # A ring more, which the filter then lacks neighbours for.
        middle = picture[:, 16:-16, 16:-16].permute(1, 2, 0).numpy()
        grey = cv2.cvtColor(middle, cv2.COLOR_RGB2GRAY)
        assert value == pytest.approx(cv2.Laplacian(grey, cv2.CV_32F)[1:-1, 1:-1].var(), rel=1e-4)


def test_blur_lowers_it_and_what_is_flat_has_none(noise):
    values = [sharpness(gaussian_blur(noise, sigma)) for sigma in (0.0, 0.7, 2.0)]
    assert (values[0] > values[1]).all()
    assert (values[1] > values[2]).all()
    torch.testing.assert_close(sharpness(torch.full((2, 3, 16, 16), 0.4)), torch.zeros(2))


def test_what_surrounds_the_face_does_not_count(noise):
    around = noise.clone()
    around[..., :8], around[..., :8, :] = 0, 1
    assert torch.equal(sharpness(around), sharpness(noise))


def test_none_and_what_is_no_crop():
    assert sharpness(torch.zeros(0, 3, 32, 32)).shape == (0,)
    for shape in ((3, 32, 32), (1, 1, 32, 32), (1, 3, 32, 4)):
        with pytest.raises(ValueError, match=r"sharpness wants crops \[N, 3, S, S\] of 8 px"):
            sharpness(torch.zeros(shape))
