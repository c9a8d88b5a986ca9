from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from faceloom.faces import Crops, Faces
from faceloom.faces.convert import faces_from_boxes
from faceloom.models.fsgan_blending.adapter import FSGANBlending
from faceloom.models.fsgan_inpainting.adapter import FSGANInpainting
from faceloom.models.fsgan_reenactment.adapter import FSGANReenactment
from faceloom.ops.filters import soft_erosion
from faceloom.ops.heatmaps import blurred_points, disc_power8, patch_gaussian

SIZE = 32


class Recorder(nn.Module):
    """Keeps what it is shown, and answers with the first `outputs` channels of the whole size."""

    def __init__(self, outputs=3):
        super().__init__()
        self.outputs = outputs

    def forward(self, *pyramid):
        self.pyramid = pyramid
        return pyramid[0][:, : self.outputs].clone()


def crops_of(image):
    count, size = len(image), image.shape[-1]
    faces = Faces.empty((size, size), count)
    if count:
        box = torch.tensor([[8.0, 8, 24, 24]]).repeat(count, 1)
        faces = faces_from_boxes(box, torch.ones(count), torch.arange(count), (size, size), count)
    return Crops(image, torch.eye(2, 3).repeat(count, 1, 1), faces, "square_box")


@pytest.fixture
def source():
    return crops_of(torch.rand(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0)))


@pytest.fixture
def landmarks():
    return torch.rand(2, 98, 2, generator=torch.Generator().manual_seed(1)) * SIZE


def second(network, sizes=(SIZE, SIZE // 2)):
    return FSGANReenactment(network, 98, sizes, 1.2, disc_power8)


def first(network):
    return FSGANReenactment(network, 68, (SIZE, SIZE // 2), 2.0, patch_gaussian)


def test_reenactor_sees_the_picture_and_the_landmarks_at_two_sizes(source, landmarks):
    cv2 = pytest.importorskip("cv2")
    network = Recorder()
    image, mask = second(network).reenact(source, landmarks, SIZE)
    whole, half = network.pyramid
    torch.testing.assert_close(whole[:, :3], 2 * source.image - 1)
    assert torch.equal(whole[:, 3:], disc_power8(landmarks, SIZE))
    assert torch.equal(half[:, 3:], disc_power8(landmarks / 2, SIZE // 2))
    # FSGAN's data side: fsgan/datasets/img_lms_pose_transforms.py, Pyramids.
    for ours, picture in zip(half[:, :3], source.image, strict=True):
        wanted = cv2.pyrDown((2 * picture - 1).permute(1, 2, 0).numpy())
        torch.testing.assert_close(ours.permute(1, 2, 0), torch.from_numpy(wanted))
    torch.testing.assert_close(image, source.image)
    assert mask.shape == (2, 1, SIZE, SIZE)
    assert (mask == 1).all()


def test_landmarks_of_larger_target_crops_are_scaled_and_depth_is_not_read(source, landmarks):
    seen, deep = Recorder(), torch.cat([3 * landmarks, torch.full((2, 98, 1), 5.0)], 2)
    second(seen).reenact(source, deep, 3 * SIZE)
    wanted = disc_power8(landmarks, SIZE)
    torch.testing.assert_close(seen.pyramid[0][:, 3:], wanted, atol=1e-4, rtol=1e-4)


def test_first_generation_says_where_the_face_is(source, landmarks):
    network = Recorder(outputs=6)
    model = first(network)
    image, mask = model.reenact(source, landmarks[:, :68], SIZE)
    assert torch.equal(network.pyramid[0][:, 3:], patch_gaussian(landmarks[:, :68], SIZE))
    # Its first three maps of landmarks stand in for background, face and hair here.
    maps = network.pyramid[0][:, 3:6]
    wanted = (maps[:, 1:2] > maps[:, :1]) & (maps[:, 1:2] >= maps[:, 2:])
    assert wanted.any()
    assert not wanted.all()
    assert torch.equal(mask, wanted.float())
    torch.testing.assert_close(image, source.image)


def test_stepwise_reenactor_is_the_first_one_with_other_maps_and_margin(source, landmarks):
    network = Recorder(outputs=6)
    model = replace(first(network), margin=1.2, draw=blurred_points)
    model.reenact(source, landmarks[:, :68], SIZE)
    assert model.margin == 1.2
    for level, size in zip(network.pyramid, (SIZE, SIZE // 2), strict=True):
        wanted = blurred_points(landmarks[:, :68] * (size / SIZE), size)
        assert torch.equal(level[:, 3:], wanted)


def test_a_base_alone_sees_one_size(source, landmarks):
    network = Recorder()
    model = second(network, sizes=(SIZE,))
    model.reenact(source, landmarks, SIZE)
    assert len(network.pyramid) == 1
    assert model.size == SIZE


def test_other_landmarks_are_refused(source, landmarks):
    message = r"wants landmarks \[2, 68, 2 or 3\], got \[2, 98, 2\]; connect a landmarker of 68"
    with pytest.raises(ValueError, match=message):
        first(Recorder(6)).reenact(source, landmarks, SIZE)


def test_inpainter_sees_black_where_nothing_is_known(source):
    network, images = Recorder(), source.image
    known, face = torch.zeros(2, 2, 1, SIZE, SIZE)
    known[..., 8:20, :], known[..., 20:22, :], face[..., 4:24, :] = 1, 0.4, 0.7
    filled = FSGANInpainting(network, SIZE).inpaint(images, known, face)
    (seen,) = network.pyramid
    torch.testing.assert_close(seen[:, :3, 8:20], 2 * images[:, :, 8:20] - 1)
    assert (seen[:, :3, :8] == -1).all()
    assert (seen[:, :3, 20:] == -1).all()
    assert torch.equal(seen[:, 3:], (face > 0).float())
    torch.testing.assert_close(filled[:, :, 8:20], images[:, :, 8:20])


def test_blender_sees_the_pasted_picture_the_target_and_the_mask(source):
    network, images, target = Recorder(), source.image, source.image.flip(0)
    mask = torch.zeros(2, 1, SIZE, SIZE)
    mask[..., 8:24, 8:24] = 1
    blended = FSGANBlending(network, SIZE).blend(images, target, mask)
    (seen,) = network.pyramid
    pasted = torch.where(mask > 0, images, target)
    torch.testing.assert_close(seen[:, :3], 2 * pasted - 1)
    torch.testing.assert_close(seen[:, 3:6], 2 * target - 1)
    assert torch.equal(seen[:, 6:], mask)
    torch.testing.assert_close(blended, pasted)


def test_blender_sees_a_soft_mask_as_the_hard_one_inside(source):
    images, target = source.image, source.image.flip(0)
    whole = torch.zeros(2, 1, SIZE, SIZE)
    whole[..., 4:28, 4:28] = 1
    soft, hard = soft_erosion(whole, 9)
    faint = torch.stack([soft[0] * 0.5, soft[1] * 0])
    for mask, wanted in ((soft, hard), (faint, torch.stack([hard[0], hard[1] * 0]))):
        network = Recorder()
        FSGANBlending(network, SIZE).blend(images, target, mask)
        seen = network.pyramid[0]
        # The brightest of the fade is 1, too: along a straight edge, the pixels next to it.
        wider = torch.nn.functional.max_pool2d(wanted, 3, 1, 1)
        assert (wanted <= seen[:, 6:]).all()
        assert (seen[:, 6:] <= wider).all()
        pasted = torch.where(seen[:, 6:] > 0, images, target)
        torch.testing.assert_close(seen[:, :3], 2 * pasted - 1)


def test_bright_pictures_are_limited(source, landmarks):
    network, mask = Recorder(), torch.ones(2, 1, SIZE, SIZE)
    bright = replace(source, image=source.image * 9 - 4)
    for run in (
        lambda: second(network).reenact(bright, landmarks, SIZE),
        lambda: FSGANInpainting(network, SIZE).inpaint(bright.image, mask, mask),
        lambda: FSGANBlending(network, SIZE).blend(bright.image, bright.image, mask),
    ):
        run()
        pictures = network.pyramid[0][:, :3]
        assert (pictures.amin(), pictures.amax()) == (-1, 1)


def test_no_crops_run_no_network():
    none = torch.zeros(0, 3, SIZE, SIZE)
    image, mask = second(None).reenact(crops_of(none), torch.zeros(0, 98, 2), SIZE)
    assert image.shape == (0, 3, SIZE, SIZE)
    assert mask.shape == (0, 1, SIZE, SIZE)
    assert FSGANInpainting(None, SIZE).inpaint(none, mask, mask).shape == none.shape
    assert FSGANBlending(None, SIZE).blend(none, none, mask).shape == none.shape
