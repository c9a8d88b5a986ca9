from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from faceloom import models
from faceloom.models.patch_discriminator.adapter import PatchDiscriminator
from faceloom.models.patch_discriminator.network import PatchDiscriminatorNetwork

GHOST = (64, 128, 256, 512, 512, 512)
FACESHIFTER = (*GHOST, 512)
FSGAN = (64, 128, 256, 512)
# Scales, widths, batch normalisation, and whether there is a sigmoid.
SMALL = {
    "ghost": (3, (4, 5, 6, 7, 8, 9), False),
    "faceshifter": (3, (4, 5, 6, 7, 8, 9, 4), False),
    "maum": (3, (4, 5, 6, 7), True),
    "fsgan": (2, (4, 5, 6, 7), True, True),
}


def build(name):
    torch.manual_seed(0)
    return PatchDiscriminatorNetwork(*SMALL[name])


@pytest.fixture(scope="module")
def state():
    return build("ghost").state_dict()


@pytest.mark.parametrize(
    ("scales", "widths", "batch_norm", "parameters", "entries"),
    [
        (3, GHOST, False, 33_463_107, 42),
        (3, FACESHIFTER, False, 46_047_555, 48),
        (2, FSGAN, True, 5_533_058, 50),
    ],
)
def test_published_networks_have_the_published_counts(
    scales, widths, batch_norm, parameters, entries
):
    with torch.device("meta"):
        network = PatchDiscriminatorNetwork(scales, widths, batch_norm)
    assert sum(weight.numel() for weight in network.parameters()) == parameters
    assert len(network.state_dict()) == entries


@pytest.mark.parametrize(
    ("name", "picture"),
    [("ghost_multiscale_discriminator", "image"), ("fsgan_discriminator", "x")],
)
def test_published_network_agrees_with_the_reference(name, picture, reference):
    published = reference(name)
    model = models.load(published.weights(), "discriminator")
    maps = model.judge(published.input(picture))
    published.check(**{f"scale{scale}": scores for scale, scores in enumerate(maps)})


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("name", SMALL)
def test_scales_depth_widths_and_normalisation_are_read_from_keys(name, suffix, tmp_path):
    wanted, path = build(name).eval(), tmp_path / f"any name{suffix}"
    state = wanted.state_dict()
    (save_file if suffix == ".safetensors" else torch.save)(state, path)
    model = models.load(path, "discriminator")
    assert isinstance(model, PatchDiscriminator)
    loaded = model.network.state_dict()
    torch.testing.assert_close(dict(loaded), dict(state))
    images = torch.rand(2, 3, 64, 48) * 2 - 1
    for ours, theirs in zip(model.judge(images), wanted(images), strict=True):
        assert torch.equal(ours, theirs)


# systems.md, section 8, oracle 2; FSGAN's from its parity file. A picture alone, and none.
@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize(
    ("name", "sides"), [("ghost", [11, 7, 5]), ("faceshifter", [7, 5, 4]), ("fsgan", [35, 19])]
)
def test_maps_have_the_published_sizes(name, sides, count):
    maps = models.load(build(name).state_dict()).judge(torch.rand(count, 3, 256, 256))
    assert [scores.shape for scores in maps] == [(count, 1, side, side) for side in sides]


def test_the_highest_number_judges_the_full_size(state):
    model = models.load(state)
    for scale in range(3):
        last = model.network.get_submodule(f"layer{scale}.17")
        torch.nn.init.zeros_(last.weight)
        torch.nn.init.constant_(last.bias, scale)
    maps = model.judge(torch.rand(1, 3, 64, 64))
    assert [scores.unique().item() for scores in maps] == [2, 1, 0]


def test_smaller_scales_average_what_is_inside_the_picture():
    model = models.load(build("fsgan").state_dict())
    images = torch.rand(1, 3, 8, 6)
    halved = torch.zeros(1, 3, 4, 3)
    for y in range(4):
        for x in range(3):
            rows, columns = slice(max(0, 2 * y - 1), 2 * y + 2), slice(max(0, 2 * x - 1), 2 * x + 2)
            halved[:, :, y, x] = images[:, :, rows, columns].mean((2, 3))
    wanted = model.network.get_submodule("layer0")(halved)
    torch.testing.assert_close(model.judge(images)[1], wanted)


def test_a_pyramid_of_pictures_feeds_the_scales():
    # FSGAN's discriminators_pix2pix.py: image i of L goes to layer L - 1 - i.
    network = models.load(build("fsgan").state_dict()).network
    whole, half = torch.rand(1, 3, 64, 64), torch.rand(1, 3, 32, 32)
    fine, coarse = network([whole, half])
    assert torch.equal(fine, network.get_submodule("layer1")(whole))
    assert torch.equal(coarse, network.get_submodule("layer0")(half))
    (alone,) = network([half])
    assert torch.equal(alone, coarse)


def test_gradients_flow_to_the_pictures_only(state):
    model, images = models.load(state), torch.rand(2, 3, 64, 64, requires_grad=True)
    sum(scores.mean() for scores in model.judge(images)).backward()
    assert (images.grad.abs().amax((1, 2, 3)) > 0).all()
    assert all(weight.grad is None for weight in model.network.parameters())


@pytest.mark.parametrize("name", SMALL)
def test_training_goes_on_as_the_docstring_says(name):
    model = models.load(build(name).state_dict())
    before = {key: value.clone() for key, value in model.network.state_dict().items()}
    model.network.train().requires_grad_(True)
    optimiser = torch.optim.SGD(model.network.parameters(), lr=0.1)
    sum(scores.square().mean() for scores in model.judge(torch.rand(2, 3, 64, 64))).backward()
    optimiser.step()
    after = model.network.state_dict()
    moved = {key for key, value in after.items() if not torch.equal(value, before[key])}
    assert {key for key in after if key.endswith("0.weight")} <= moved
    assert {key for key in after if "running" in key} <= moved


def test_missing_weights_are_named(state):
    lacking = {key: value for key, value in state.items() if key != "layer1.8.bias"}
    with pytest.raises(models.CheckpointError, match=r"missing: layer1\.8\.bias"):
        models.load(lacking)


def test_foreign_layouts_are_refused(state):
    # maum-ai's checkpoint holds the discriminator beside the generator, which it is loaded for;
    # pix2pixHD names it by layers where it compares features; the third judges six channels.
    lightning = {"G.convt.weight": torch.ones(1), **{f"D.{k}": v for k, v in state.items()}}
    features = {f"scale0_layer{n}.0.weight": torch.ones(4, 3, 4, 4) for n in range(5)}
    pairs = {**state, "layer0.0.weight": torch.ones(4, 6, 4, 4)}
    for foreign in (lightning, features, pairs):
        with pytest.raises(models.CheckpointError, match="no known architecture"):
            models.load(foreign)


def test_another_loader_says_what_it_is_for(state):
    message = "a discriminator, where a swapper is wanted; it only serves training"
    with pytest.raises(models.CheckpointError, match=message):
        models.load(state, "swapper")
