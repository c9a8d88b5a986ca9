from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from faceloom import models
from faceloom.models.loading import canonical
from faceloom.models.stylegan2.adapter import StyleGAN2
from faceloom.models.stylegan2.network import StyleGAN2Network

from .test_stylegan2_layers import grouped, styled, upfirdn

FFHQ = (512, 512, 512, 512, 512, 256, 128, 64, 32)
WIDTHS = (9, 8, 7, 6)


def build(widths=WIDTHS, style=10, mapping=2, seed=0):
    torch.manual_seed(seed)
    network = StyleGAN2Network(4 << len(widths) - 1, widths, style, mapping)
    for key, weight in network.named_parameters():
        if key.endswith(("bias", "noise.weight")):
            torch.nn.init.normal_(weight)
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def network():
    return build()


@pytest.fixture(scope="module")
def latent():
    return torch.randn(2, 8, 10, generator=torch.Generator().manual_seed(1))


def literal(network, latent, maps):
    """Picture and features from W+ codes, layer by layer, as rosinality's `Generator` runs."""
    x = network.input.input.repeat(len(latent), 1, 1, 1)
    features, convs = [x], [network.conv1, *network.convs]
    x = styled(network.conv1, x, network.conv1.conv.modulation(latent[:, 0]), maps[0])
    features.append(x)
    rgb = network.to_rgb1
    picture = grouped(rgb.conv, x, rgb.conv.modulation(latent[:, 1]), False) + rgb.bias
    place = 1
    for first, second, rgb in zip(convs[1::2], convs[2::2], network.to_rgbs, strict=True):
        for offset, conv in enumerate((first, second)):
            code = conv.conv.modulation(latent[:, place + offset])
            x = styled(conv, x, code, maps[place + offset])
            features.append(x)
        picture = upfirdn(picture, rgb.upsample.kernel, up=2, pad=(2, 1))
        code = rgb.conv.modulation(latent[:, place + 2])
        picture = picture + grouped(rgb.conv, x, code, False) + rgb.bias
        place += 2
    return picture, features


def close(found, wanted, tolerance=1e-5):
    return (found - wanted).norm() <= tolerance * wanted.norm()


@pytest.mark.parametrize(
    ("levels", "parameters", "entries", "codes", "channels"),
    # systems.md 5b, 6.4 and 8.9; the parity file of 256 px.
    [(9, 30_370_060, 171, 26, 9088), (7, 30_034_338, 135, 20, 8704)],
)
def test_published_networks_have_the_published_counts(levels, parameters, entries, codes, channels):
    with torch.device("meta"):
        network = StyleGAN2Network(4 << levels - 1, FFHQ[:levels])
        found = network.modulate(torch.zeros(1, 2 * levels, 512))
    assert sum(weight.numel() for weight in network.parameters()) == parameters
    assert len(network.state_dict()) == entries
    assert len(found) == codes
    assert sum(code.shape[1] for code in found) == channels


def test_s_codes_of_1024_px_have_the_published_widths():
    with torch.device("meta"):
        codes = StyleGAN2Network(1024, FFHQ).modulate(torch.zeros(1, 18, 512))
    wanted = [512] * 15 + [256, 256, 256, 128, 128, 128, 64, 64, 64, 32, 32]
    assert [code.shape[1] for code in codes] == wanted


@pytest.mark.parametrize("name", ["stylegan2_generator_256", "stylegan2_mapping"])
def test_published_network_agrees_with_the_reference(name, reference):
    published = reference(name)
    network = models.load(published.weights(), "generator").network
    if name == "stylegan2_mapping":
        published.check(w=network.map(published.input("z")))
    else:
        codes = network.modulate(published.input("latent"))
        image, kept = network.synthesize(codes, network.noise_maps())
        published.check(image=image)
        assert kept == ()


def test_w_codes_s_codes_and_the_layers_one_by_one_make_the_same_picture(network, latent):
    maps = network.noise_maps()
    wanted, features = literal(network, latent, maps)
    image, kept = network.synthesize(network.modulate(latent), maps, keep=range(8))
    assert image.shape == (2, 3, 32, 32)
    assert close(image, wanted)
    assert len(kept) == len(features) == 8
    assert all(close(ours, theirs) for ours, theirs in zip(kept, features, strict=True))


def test_only_the_asked_features_are_kept_in_their_order(network, latent):
    codes = network.modulate(latent)
    image, every = network.synthesize(codes, keep=range(8))
    again, some = network.synthesize(codes, keep={5, 2})
    assert torch.equal(image, again)
    assert len(some) == 2
    assert all(torch.equal(some[at], every[number]) for at, number in enumerate((2, 5)))
    assert [each.shape[1:] for each in every] == [
        (9, 4, 4), (9, 4, 4), (8, 8, 8), (8, 8, 8), (7, 16, 16), (7, 16, 16), (6, 32, 32),
        (6, 32, 32),
    ]  # fmt: skip
    constant = network.input.input
    assert torch.equal(every[0], constant.expand(2, -1, -1, -1))


def test_a_batch_equals_single_faces(network, latent):
    maps = tuple(torch.randn(2, 1, *each.shape[2:]) for each in network.noise_maps())
    image, kept = network.synthesize(network.modulate(latent), maps, keep={4})
    for face in range(2):
        one = slice(face, face + 1)
        single, feature = network.synthesize(
            network.modulate(latent[one]), [each[one] for each in maps], keep={4}
        )
        assert close(image[one], single)
        assert close(kept[0][one], feature[0])


def test_pictures_made_at_once_equal_those_made_in_turn(network, latent):
    # At once they share one pass everywhere but on a CPU.
    codes, maps = network.modulate(latent), network.noise_maps()
    wanted, features = literal(network, latent, maps)
    found, kept = network._at_once(codes, maps, range(8))
    assert close(found, wanted)
    assert all(close(ours, theirs) for ours, theirs in zip(kept, features, strict=True))


def test_no_faces_are_a_case(network):
    image, kept = network.synthesize(network.modulate(torch.zeros(0, 8, 10)), (), keep={3})
    assert image.shape == (0, 3, 32, 32)
    assert kept[0].shape == (0, 8, 8, 8)
    assert network.map(torch.zeros(0, 10)).shape == (0, 10)


def test_maps_take_the_place_of_noise(network, latent):
    codes = network.modulate(latent)
    plain, _ = network.synthesize(codes)
    zeros = [torch.zeros_like(each) for each in network.noise_maps()]
    for nothing in (zeros, [None] * 7):
        assert torch.equal(network.synthesize(codes, nothing)[0], plain)
    # One of full width for each face, one of a channel for all of them.
    full, thin = torch.randn(2, 8, 8, 8), torch.randn(1, 1, 32, 32)
    maps = [None, None, full, None, None, None, thin]
    wanted, _ = literal(network, latent, [0 if each is None else each for each in maps])
    assert close(network.synthesize(codes, maps)[0], wanted)
    assert not close(wanted, plain, 1e-2)


def test_noise_is_scaled_by_its_strength(network):
    maps = network.noise_maps()
    sides = [4, 8, 8, 16, 16, 32, 32]
    assert [tuple(each.shape) for each in maps] == [(1, 1, side, side) for side in sides]
    stored = network.state_dict()
    torch.testing.assert_close(maps[3], stored["noises.noise_3"] * stored["convs.2.noise.weight"])


def test_what_is_given_stays_as_it_is(network, latent):
    codes, maps = network.modulate(latent), network.noise_maps()
    before = [each.clone() for each in (*codes, *maps, *network.state_dict().values())]
    network.synthesize(codes, maps, keep=range(8))
    network.synthesize([code[:1] for code in codes], maps, keep=range(8))
    after = (*codes, *maps, *network.state_dict().values())
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_gradients_reach_codes_maps_and_weights(latent):
    network = build().requires_grad_(True)
    maps = [each.detach().clone().requires_grad_() for each in network.noise_maps()]
    given = latent.clone().requires_grad_()
    found = []
    for wanted in (False, True):
        codes = network.modulate(given)
        image = literal(network, given, maps)[0] if wanted else network.synthesize(codes, maps)[0]
        inputs = (given, *maps, network.convs[2].conv.weight, network.input.input)
        found.append(torch.autograd.grad(image.square().mean(), inputs))
    assert all(close(a, b, 1e-4) for a, b in zip(*found, strict=True))


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_stays_close(network, latent, dtype, count):
    codes, maps = network.modulate(latent[:count]), network.noise_maps()
    wanted, _ = network.synthesize(codes, maps)
    with torch.autocast("cpu", dtype):
        found, kept = network.synthesize(network.modulate(latent[:count]), maps, keep={7})
    assert kept[0].dtype == dtype
    assert found.dtype == torch.float32
    assert close(found, wanted, 0.02 if dtype == torch.bfloat16 else 0.003)


def test_random_numbers_become_w_codes(network):
    z = torch.randn(3, 10) * 4
    w = z / z.square().mean(1, keepdim=True).sqrt()
    state = network.state_dict()
    for layer in ("style.1", "style.2"):
        weight, bias = (state[f"{layer}.{kind}"] * 0.01 for kind in ("weight", "bias"))
        w = torch.nn.functional.leaky_relu(w @ weight.T / 10**0.5 + bias, 0.2) * 2**0.5
    torch.testing.assert_close(network.map(z), w)


@pytest.mark.parametrize("shape", [(2, 10), (2, 18, 10), (2, 8, 512)])
def test_w_codes_of_another_network_are_refused(network, shape):
    with pytest.raises(ValueError, match=r"of 32 px takes W\+ codes \[N, 8, 10\], got"):
        network.modulate(torch.zeros(shape))


def test_s_codes_of_another_network_are_refused(network, latent):
    codes = network.modulate(latent)
    other = build((9, 8, 7))
    wider = (*codes[:3], torch.zeros(2, 11), *codes[4:])
    fewer = (*codes[:3], codes[3][:1], *codes[4:])
    for wrong in (codes[:-1], other.modulate(latent[:, :6]), wider, fewer, ()):
        with pytest.raises(ValueError, match=r"of 32 px takes 11 S codes .* for this resolution"):
            network.synthesize(wrong)


def test_maps_that_do_not_fit_are_refused(network, latent):
    codes = network.modulate(latent)
    with pytest.raises(ValueError, match="a map or None in 7 layers, got 3"):
        network.synthesize(codes, [None] * 3)
    for shape in [(1, 1, 4, 4), (3, 1, 8, 8), (1, 2, 8, 8), (1, 8, 8)]:
        message = r"Map 1 .* must be \[N or 1, 1 or 8, 8, 8\] for 2 faces, got"
        with pytest.raises(ValueError, match=message):
            network.synthesize(codes, [None, torch.zeros(shape), *[None] * 5])


@pytest.mark.parametrize(("size", "widths"), [(4, (4,)), (16, (4, 4)), (24, (4, 4, 4))])
def test_widths_must_make_the_size(size, widths):
    with pytest.raises(ValueError, match=f"do not make pictures of {size} px"):
        StyleGAN2Network(size, widths)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("widths", [(4, 5), (6, 5, 4), WIDTHS])
def test_sizes_are_read_from_shapes(widths, suffix, tmp_path):
    wanted, path = build(widths), tmp_path / f"any name{suffix}"
    state = wanted.state_dict()
    (save_file if suffix == ".safetensors" else torch.save)(state, path)
    model = models.load(path, "generator")
    assert isinstance(model, StyleGAN2)
    assert model.size == 4 << len(widths) - 1
    torch.testing.assert_close(dict(model.network.state_dict()), dict(state))


@pytest.mark.parametrize("shape", [(10,), (1, 10)])
def test_converted_files_load_as_downloaded(shape, tmp_path, network):
    mean, state = torch.randn(shape), network.state_dict()
    other, judge = build(seed=5).state_dict(), {"final_linear.1.weight": torch.ones(1, 4)}
    whole = {"g": other, "g_ema": state, "d": judge, "latent_avg": mean, "opts": {"size": 32}}
    torch.save(whole, tmp_path / "stylegan2-ffhq-config-f.pt")
    model = models.load(tmp_path / "stylegan2-ffhq-config-f.pt")
    torch.testing.assert_close(dict(model.network.state_dict()), dict(state))
    assert torch.equal(model.mean, mean.flatten())


def test_a_mean_code_beside_the_weights_joins_them():
    swapper = {"module.encoder.a": torch.ones(1)}
    content = {"state_dict": swapper, "opts": {"depth": 1}, "latent_avg": torch.ones(18, 512)}
    assert list(canonical(content)) == ["encoder.a", "latent_avg"]
    assert list(canonical({**content, "latent_avg": None})) == ["encoder.a"]


def test_the_mean_code_of_a_file_without_one_is_measured(network):
    state = network.state_dict()
    before = torch.get_rng_state()
    mean = models.load(state).mean
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(models.load(state).mean, mean)
    w = network.map(torch.randn(20_000, 10))
    assert ((mean - w.mean(0)).abs() < 5 * w.std(0) / 4096**0.5).all()


def test_a_mean_code_of_another_length_is_refused(network):
    with pytest.raises(models.CheckpointError, match=r"latent_avg is \[8, 10\], wanted .* \[10\]"):
        models.load({**network.state_dict(), "latent_avg": torch.zeros(8, 10)})


@pytest.mark.parametrize(
    "key", ["convs.1.noise.weight", "noises.noise_2", "convs.2.conv.blur.kernel", "style.2.bias"]
)
def test_missing_weights_are_named(key, network):
    lacking = {name: value for name, value in network.state_dict().items() if name != key}
    with pytest.raises(models.CheckpointError, match=f"missing: {key}"):
        models.load(lacking)


def test_a_file_without_resolutions_is_refused(network):
    lacking = {k: v for k, v in network.state_dict().items() if not k.startswith("to_rgbs.")}
    with pytest.raises(models.CheckpointError, match=r"missing: to_rgbs\.0\.conv\.weight"):
        models.load(lacking)


def test_another_loader_says_what_it_is_for(network):
    message = "a generator, where a swapper is wanted; it only serves training"
    with pytest.raises(models.CheckpointError, match=message):
        models.load(network.state_dict(), "swapper")
