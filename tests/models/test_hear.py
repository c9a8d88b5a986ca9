from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from faceloom import models
from faceloom.models.hear.adapter import HEAR
from faceloom.models.hear.network import HEARNetwork

SMALL = ([4, 5, 6, 7, 8], [9, 3, 2, 10])


class Recorder(nn.Module):
    """Keeps what it is shown, and answers with the swapped picture's first three channels."""

    def forward(self, pair):
        self.pair = pair
        return pair[:, :3]


@pytest.fixture(scope="module")
def state():
    torch.manual_seed(0)
    return HEARNetwork(*SMALL).state_dict()


def test_published_network_has_the_published_counts():
    with torch.device("meta"):
        network = HEARNetwork([64, 128, 256, 512, 512], [512, 256, 128, 64])
    assert sum(weight.numel() for weight in network.parameters()) == 16_663_043
    assert len(network.state_dict()) == 65


def test_published_network_agrees_with_the_reference(reference):
    hear = reference("faceshifter_hear")
    model = models.load(hear.weights(), "refiner")
    with torch.no_grad():
        hear.check(image=model.network(hear.input("pair")))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_widths_are_read_from_shapes(suffix, state, tmp_path):
    path = tmp_path / f"any name{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(state, path)
    model = models.load(path, "refiner")
    assert isinstance(model, HEAR)
    wanted = HEARNetwork(*SMALL).eval()
    wanted.load_state_dict(state)
    pair = torch.rand(2, 6, 64, 32)
    image = model.network(pair)
    assert image.shape == (2, 3, 64, 32)
    torch.testing.assert_close(image, wanted(pair))


def test_network_sees_bgr_and_the_difference_in_units_of_minus_one_to_one():
    # train_HEAR.py: dYt = Xt - Ytt, then cat((Yst_hat, dYt), dim=1), pictures BGR and -1..1.
    network, generator = Recorder(), torch.Generator().manual_seed(0)
    swapped, target, reconstructed = torch.rand(3, 2, 3, 8, 8, generator=generator)
    refined = HEAR(network).refine(swapped, target, reconstructed)
    for ours, theirs in enumerate((2, 1, 0)):
        x_t, y_tt = (2 * images[:, ours] - 1 for images in (target, reconstructed))
        torch.testing.assert_close(network.pair[:, theirs], 2 * swapped[:, ours] - 1)
        torch.testing.assert_close(network.pair[:, 3 + theirs], x_t - y_tt)
    torch.testing.assert_close(refined, swapped)


def test_refined_pictures_are_in_range(state):
    model = models.load(state)
    refined = model.refine(*torch.rand(3, 2, 3, 64, 64))
    assert refined.shape == (2, 3, 64, 64)
    assert not refined.requires_grad
    assert 0 <= refined.min() < refined.max() <= 1


def test_no_crops_run_no_network():
    none = torch.zeros(0, 3, 256, 256)
    assert HEAR(None).refine(none, none, none).shape == (0, 3, 256, 256)


@pytest.mark.parametrize("key", ["down3.1.weight", "up5.bias"])
def test_missing_weights_are_named(key, state):
    lacking = {name: value for name, value in state.items() if name != key}
    with pytest.raises(models.CheckpointError, match=f"missing: {key}"):
        models.load(lacking)


def test_foreign_layouts_are_refused(state):
    # maum-ai's HEARNet, a stub that nobody trained, and a network of pictures without difference.
    maum = {f"Encoder.layer_{n}.0.weight": torch.ones(4, 4, 4, 4) for n in range(5)}
    plain = {**state, "down1.0.weight": torch.ones(4, 3, 4, 4)}
    for foreign in (maum, plain):
        with pytest.raises(models.CheckpointError, match="no known architecture"):
            models.load(foreign)


def test_another_loader_says_where_it_belongs(state):
    with pytest.raises(models.CheckpointError, match=r"a refiner, .* use Load Face Refiner for it"):
        models.load(state, "swapper")
