from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import ClassVar

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from faceloom.faces import Crops
from faceloom.host.memory import Hosted
from faceloom.models.realign import realign
from faceloom.models.restoring import SEAM
from faceloom.nodes import RestoreFace

from .conftest import align


class FakeRestorer:
    """Answers with a function of what it is shown; remembers what that was."""

    name: ClassVar[str] = "fake restorer"
    role: ClassVar[str] = "restorer"
    licence: ClassVar[str] = "MIT"

    def __init__(self, size, templates, function):
        self.network, self.size, self.templates = nn.Identity(), size, templates
        self.function, self.seen, self.fidelities = function, [], []

    def restore(self, images, fidelity, batch_statistics=False):
        self.seen.append(images)
        self.fidelities.append(fidelity)
        self.by_batch = batch_statistics
        return self.function(images)


def inverse(images):
    return 1 - images


def repeat(images, times):
    return images.repeat_interleave(times, 2).repeat_interleave(times, 3)


def hosted(size=64, templates=("ffhq_512",), function=inverse):
    return Hosted(FakeRestorer(size, templates, function))


def restore(
    crops, restorer=None, strength=1.0, fidelity=0.5, size=0, batch_statistics=False, **models
):
    (result,) = RestoreFace.execute(
        crops, strength, fidelity, batch_statistics, size, restorer, **models
    ).args
    return result


@pytest.fixture
def smooth(crops):
    """The same crops of other pictures, so smooth that resampling takes nothing away."""
    noise = torch.rand(4, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    picture = F.interpolate(noise, (64, 64), mode="bicubic", align_corners=True).clamp(0, 1)
    return replace(crops, image=picture)


@pytest.fixture
def upscaler():
    """spandrel's own descriptor of a small upscaler: x2, the nearest pixel."""
    from spandrel import ModelLoader
    from spandrel.architectures.Compact import Compact

    network = Compact(num_feat=4, num_conv=1, upscale=2)
    for weight in network.parameters():
        nn.init.zeros_(weight)  # what is left is the shortcut, which repeats pixels
    return ModelLoader().load_from_state_dict(network.state_dict()).eval()


def test_own_alignment_and_size_is_not_resampled(crops):
    restorer = hosted()
    result = restore(crops, restorer)
    assert torch.equal(restorer.use().seen[0], crops.image)
    assert torch.equal(result.image, 1 - crops.image)
    assert torch.equal(result.matrix, crops.matrix)


def test_any_alignment_that_it_knows_counts_as_its_own(crops):
    restorer = hosted(templates=("arcface_112_v1", "ffhq_512"))
    assert torch.equal(restore(crops, restorer).image, 1 - crops.image)
    restorer = hosted(templates=(), size=0)
    assert torch.equal(restore(crops, restorer).image, 1 - crops.image)


@pytest.mark.parametrize("templates", [("ffhq_512",), ("arcface_112_v1",), ("styleganex_384",)])
@pytest.mark.parametrize("times", [1, 2])
def test_nothing_moves(smooth, templates, times):
    """A restorer that changes nothing gives the crop back, also at a multiple of its size."""
    restorer = hosted(size=96, templates=templates, function=lambda images: repeat(images, times))
    result = restore(smooth, restorer)
    moved = (smooth.image.roll(1, dims=3) - smooth.image).abs().mean()
    assert (result.image - smooth.image).abs().mean() < 0.1 * moved


def test_the_face_is_cut_anew_for_other_alignments(crops):
    restorer = hosted(size=48, templates=("arcface_112_v1",))
    result = restore(crops, restorer)
    wanted, _ = realign(crops, "arcface_112_v1", 48)
    torch.testing.assert_close(restorer.use().seen[0], wanted)
    middle = (slice(None), slice(None), slice(28, 40), slice(28, 40))
    assert (result.image + crops.image - 1)[middle].abs().mean() < 0.05
    # The tight square of ArcFace does not reach the corners of FFHQ's.
    assert torch.equal(result.image[..., :5, :5], crops.image[..., :5, :5])


def test_the_seam_is_soft(crops):
    """White where it restored, on black crops, is the share itself; the twin goes by distances."""
    black = replace(crops, image=torch.zeros_like(crops.image))
    side = 48
    restorer = hosted(size=side, templates=("arcface_112_v1",), function=torch.ones_like)
    share = restore(black, restorer).image[:, 0]
    _, matrix = realign(black, "arcface_112_v1", side)
    for row in range(len(crops)):
        for x, y in ((32, 32), (5, 60), *((x, 30) for x in range(4, 60, 3))):
            point = matrix[row] @ torch.tensor([x + 0.5, y + 0.5, 1.0])
            depth = float(torch.cat([point, side - point]).min())
            ramp = min(max((depth + 0.5) / (SEAM * side), 0.0), 1.0)
            assert share[row, y, x] == pytest.approx(ramp * ramp * (3 - 2 * ramp), abs=0.25)
    assert (share[:, 32, 32] == 1).all()
    assert (share[:, :4, :4] == 0).all()
    assert ((share > 0.02) & (share < 0.98)).any(2).any(1).all()


@pytest.mark.parametrize("templates", [("ffhq_512",), ("arcface_112_v1",)])
def test_no_strength_and_no_mask_leave_the_crops_alone(crops, templates):
    restorer = hosted(templates=templates)
    assert torch.equal(restore(crops, restorer, strength=0.0).image, crops.image)
    nowhere = torch.zeros(1, 64, 64)
    assert torch.equal(restore(crops, restorer, mask=nowhere).image, crops.image)


def test_strength_blends(crops):
    result = restore(crops, hosted(), strength=0.25)
    wanted = 0.75 * crops.image + 0.25 * (1 - crops.image)
    torch.testing.assert_close(result.image, wanted)


def test_mask_says_where_and_the_crops_own_one_stays(crops):
    carried = torch.zeros(4, 1, 64, 64)
    carried[..., 20:40] = 1
    half = torch.zeros(4, 64, 64)
    half[..., 32:] = 1
    result = restore(replace(crops, mask=carried), hosted(), mask=half)
    assert torch.equal(result.mask, carried)
    assert torch.equal(result.image[..., :32], crops.image[..., :32])
    assert torch.equal(result.image[..., 32:], 1 - crops.image[..., 32:])


def test_masks_must_fit(crops):
    with pytest.raises(ValueError, match=r"Restore Face: mask holds 3 masks for 4 crops"):
        restore(crops, hosted(), mask=torch.ones(3, 64, 64))


def test_size_keeps_the_restorers_detail(crops, image, faces):
    noise = torch.rand(4, 3, 128, 128)
    carried = torch.rand(4, 1, 64, 64)
    masked = replace(crops, mask=carried)
    result = restore(masked, hosted(size=128, function=lambda images: noise), size=128)
    assert torch.equal(result.image, noise)
    # What Align Faces gives for that size, so that the two can be blended.
    larger = align(image, faces, size=128)
    torch.testing.assert_close(result.matrix, larger.matrix)
    assert result.mask.shape == (4, 1, 128, 128)
    torch.testing.assert_close(F.avg_pool2d(result.mask, 2), carried, atol=0.4, rtol=0)


def test_size_shows_what_the_crops_showed(crops, image, faces):
    larger = align(image, faces, size=128)
    result = restore(larger, hosted(size=48, function=lambda images: images), strength=0.0, size=64)
    assert (result.image - crops.image).abs().mean() < 0.01
    torch.testing.assert_close(result.matrix, crops.matrix)


def test_fidelity_and_statistics_are_passed_on(crops):
    restorer = hosted()
    restore(crops, restorer, fidelity=0.9)
    assert restorer.use().fidelities == [0.9]
    assert restorer.use().by_batch is False
    restore(crops, restorer, batch_statistics=True)
    assert restorer.use().by_batch is True


def test_many_crops_go_in_pieces(crops):
    restorer, many = hosted(), Crops.cat([crops.as_frames()[[0, 1, 2] * 4]])
    result = restore(many, restorer)
    assert torch.equal(result.image, 1 - many.image)
    assert max(len(images) for images in restorer.use().seen) < 12


def test_no_crops(no_crops, upscaler):
    for templates in (("ffhq_512",), ("arcface_112_v1",)):
        result = restore(no_crops, hosted(templates=templates), mask=torch.ones(2, 8, 8))
        assert result.image.shape == (0, 3, 64, 64)
        assert restore(no_crops, hosted(templates=templates), size=128).size == 128
    assert len(restore(no_crops, upscale_model=upscaler)) == 0


def test_one_network_is_wanted(crops, upscaler):
    with pytest.raises(ValueError, match=r"^Restore Face: nothing .* Load Face Restorer"):
        restore(crops)
    with pytest.raises(ValueError, match=r"^Restore Face: two networks"):
        restore(crops, hosted(), upscale_model=upscaler)


def test_upscale_models_see_the_crop_itself(smooth, upscaler):
    result = restore(smooth, upscale_model=upscaler, size=128)
    torch.testing.assert_close(result.image, repeat(smooth.image, 2))
    result = restore(smooth, upscale_model=upscaler)
    torch.testing.assert_close(result.image, smooth.image, atol=0.02, rtol=0)
    assert restore(smooth, upscale_model=upscaler, size=96).size == 96


def test_upscale_models_that_want_other_sizes(crops):
    """spandrel pads and cuts off again what a network cannot do with."""
    from spandrel import ImageModelDescriptor, SizeRequirements

    sides = []

    class Network(nn.Conv2d):
        def forward(self, image):
            sides.append(image.shape[2:])
            return 1 - image

    network = Network(3, 3, 1)
    descriptor = ImageModelDescriptor(
        network,
        network.state_dict(),
        architecture=SimpleNamespace(id="wide"),
        purpose="SR",
        tags=[],
        supports_half=False,
        supports_bfloat16=False,
        scale=1,
        input_channels=3,
        output_channels=3,
        size_requirements=SizeRequirements(multiple_of=48),
    )
    result = restore(crops, upscale_model=descriptor)
    assert set(sides) == {(96, 96)}
    torch.testing.assert_close(result.image, 1 - crops.image)


def test_a_face_restorer_among_upscale_models_sees_the_aligned_face(smooth):
    from spandrel.architectures.GFPGAN import GFPGANArch

    seen = []

    class Network(nn.Identity):
        def forward(self, image, **options):
            seen.append((image, options))
            return (-image,)

    class Descriptor:
        model, architecture = Network(), GFPGANArch()
        scale, input_channels, output_channels = 1, 3, 3

        def to(self, device):
            return self

        def __call__(self, image):
            raise AssertionError("spandrel's own call has the wrong range")

    result = restore(smooth[:1], upscale_model=Descriptor(), fidelity=0.3)
    ((image, options),) = seen
    assert image.shape == (1, 3, 512, 512)
    assert image.min() < -0.2
    assert options["weight"] == 0.3
    torch.testing.assert_close(result.image, 1 - smooth.image[:1], atol=0.02, rtol=0)


def test_what_is_no_upscale_model_for_rgb_is_refused(crops, upscaler):
    with pytest.raises(ValueError, match=r"^Restore Face: upscale_model is a Conv2d"):
        restore(crops, upscale_model=nn.Conv2d(3, 3, 1))
    upscaler.input_channels = upscaler.output_channels = 1
    with pytest.raises(ValueError, match=r"1 colour channels into 1, where RGB"):
        restore(crops, upscale_model=upscaler)
