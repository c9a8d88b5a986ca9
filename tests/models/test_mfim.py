from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from faceloom import models
from faceloom.models.mfim.adapter import MFIM
from faceloom.models.mfim.network import MFIMNetwork, noise_inputs
from faceloom.models.mfim.options import RECORDED, MFIMOptions
from faceloom.models.mixing import boundary_table, parse_table
from faceloom.models.roles import Portraits
from faceloom.models.style_codes import StyleCodes, mix
from faceloom.models.stylegan2.network import StyleGAN2Network

WIDTHS = (8, 8, 8, 7, 6)
SMALL = MFIMOptions(encoder_size=64, map_sites=(4, 8, 16, 32), code_width=9, code_latents=(5, 8))


def build(options=SMALL, widths=WIDTHS):
    torch.manual_seed(0)
    decoder = StyleGAN2Network(2 << len(widths), widths, style=10, mapping=2)
    for conv in (decoder.conv1, *decoder.convs):
        torch.nn.init.uniform_(conv.noise.weight, 0.5, 1)
    network = MFIMNetwork(decoder, options, 8, (16, 20, 24, 32)).eval().requires_grad_(False)
    network.latent_avg.normal_()
    return network


def train(network):
    """Stands for training: a face now has codes and maps of its own."""
    for code in network.encoder.codes:
        torch.nn.init.normal_(code.modulation.weight, std=0.3)
    for both in network.encoder.maps.values():
        for to_map in both:
            torch.nn.init.normal_(to_map[2].weight, std=0.1)
    return network


@pytest.fixture(scope="module")
def model():
    return MFIM(train(build()))


@pytest.fixture(scope="module")
def faces():
    generator = torch.Generator().manual_seed(1)
    return [Portraits(torch.rand(2, 3, 64, 64, generator=generator)) for _ in range(4)]


def test_published_sizes_give_the_codes_and_counts_of_a_1024_px_decoder():
    with torch.device("meta"):
        widths = (512, 512, 512, 512, 512, 256, 128, 64, 32)
        network = MFIMNetwork(StyleGAN2Network(1024, widths))
    mean = [code.shape[1] for code in network.mean()]
    rgb = (1, 4, 7, 10, 13, 16, 19, 22, 25)
    assert (len(mean), sum(mean)) == (26, 9088)
    assert [mean[place] for place in rgb] == [512, 512, 512, 512, 512, 256, 128, 64, 32]
    assert network.identity == range(8, 26)

    def count(module):
        return sum(weight.numel() for weight in module.parameters())

    encoder = network.encoder
    assert count(network.decoder) == 30_370_060
    assert count(encoder.input_layer) + count(encoder.body) == 30_950_080
    # 8, 6 and 12 pSp blocks of 4, 5 and 6 convolutions, and a linear layer to each S code.
    blocks = 8 * 9_701_888 + 6 * 12_061_696 + 12 * 14_421_504
    assert count(encoder.codes) == blocks + 513 * 9088
    assert count(encoder.maps) == 6 * 2 * (512 * 512 * 9 + 512)
    assert count(encoder.latlayer1) + count(encoder.latlayer2) == 197_632
    assert count(network) == 417_540_940
    spatial = [len(code.convs) // 2 for code in encoder.codes]
    assert spatial == [4] * 8 + [5] * 6 + [6] * 12


def test_an_untrained_network_gives_exactly_the_mean_face(faces):
    model = MFIM(build())
    (codes,) = model.encode(faces[0], faces[1])
    picture, _ = model.generate(codes)
    mean, _ = model.generate(StyleCodes(tuple(code.expand(2, -1) for code in model.mean)))
    assert torch.equal(picture, mean)
    decoder = model.network.decoder
    latent = model.network.latent_avg.repeat(2, decoder.layers, 1)
    plain, _ = decoder.synthesize(decoder.modulate(latent))
    torch.testing.assert_close(picture, (plain / 2 + 0.5).clamp(0, 1), atol=1e-5, rtol=0)


def test_style_maps_of_zero_reproduce_the_plain_generator(model, faces):
    (codes,) = model.encode(faces[0], faces[1])
    zeros = tuple(None if each is None else torch.zeros_like(each) for each in codes.maps)
    without, _ = model.generate(StyleCodes(codes.codes))
    assert torch.equal(model.generate(StyleCodes(codes.codes, zeros))[0], without)
    assert not torch.allclose(model.generate(codes)[0], without)


def test_target_gives_coarse_codes_and_maps_and_source_the_others(model, faces):
    target, source = faces[:2]
    (swapped,) = model.encode(target, source)
    (own,), (other,) = model.encode(target, target), model.encode(source, source)
    for place, code in enumerate(swapped.codes):
        giver, another = (own, other) if place < 8 else (other, own)
        assert torch.equal(code, giver.codes[place])
        assert not torch.allclose(code, another.codes[place])
    assert [each is None for each in swapped.maps] == [False] * 7 + [True] * 2
    for found, wanted, foreign in zip(swapped.maps[:7], own.maps, other.maps, strict=False):
        assert torch.equal(found, wanted)
        assert not torch.allclose(found, foreign)


def test_a_target_as_its_own_source_is_its_plain_reconstruction(model, faces):
    network, target = model.network, faces[0]
    latents = network.encoder.latents(2 * target.image - 1)
    codes = network.codes(latents, range(len(model.mean)))
    picture, _ = network.decoder.synthesize(codes, network.maps(latents))
    for source in (target, Portraits(target.image.clone())):
        found, _ = model.generate(*model.encode(target, source))
        torch.testing.assert_close(found, (picture / 2 + 0.5).clamp(0, 1), atol=1e-5, rtol=0)


def test_network_swaps_as_the_adapter_does(model, faces):
    target, source = (2 * face.image - 1 for face in faces[:2])
    found, _ = model.generate(*model.encode(*faces[:2]))
    picture = model.network(target, source)
    torch.testing.assert_close((picture / 2 + 0.5).clamp(0, 1), found, atol=1e-5, rtol=0)


def test_codes_are_the_mean_faces_and_a_difference(model, faces):
    encoder = model.network.encoder
    fine, middle, coarse = encoder(2 * faces[0].image - 1)
    assert [latent.shape[-1] for latent in (coarse, middle, fine)] == [4, 8, 16]
    (codes,) = model.encode(faces[0], faces[0])
    for place, (code, mean) in enumerate(zip(codes.codes, model.mean, strict=True)):
        x = coarse if place < 5 else middle if place < 8 else fine
        block = encoder.codes[place]
        for conv in block.convs[::2]:
            x = F.conv2d(x, conv.weight, conv.bias, stride=2, padding=1)
            x = torch.where(x < 0, 0.01 * x, x)
        w = x.flatten(1) @ block.linear.weight.T / 3 + block.linear.bias
        delta = w @ block.modulation.weight.T + block.modulation.bias
        torch.testing.assert_close(code, mean + delta)


def test_each_picture_is_seen_once_and_no_code_computed_in_vain(model, faces):
    seen, computed = [], []
    hooks = [model.network.encoder.input_layer.register_forward_hook(lambda *_: seen.append(1))]
    for place, block in enumerate(model.network.encoder.codes):
        note = block.register_forward_hook(lambda *_, place=place: computed.append(place))
        hooks.append(note)
    model.encode(faces[0], faces[1], faces[2], faces[0])
    for hook in hooks:
        hook.remove()
    assert len(seen) == 3
    assert sorted(computed) == sorted([*range(8), *3 * list(range(8, 14))])


def test_mixing_any_number_of_sources_equals_choosing_code_by_code(model, faces):
    target, *sources = faces
    table = parse_table("8: 3; 9-10: 1; 11-13: 2", 14, model.identity, 3)
    parts = model.encode(target, *sources)
    found, _ = model.generate(mix(parts, table))
    network, chosen = model.network, []
    for place in range(14):
        giver = target if place < 8 else sources[{8: 2, 9: 0, 10: 0}.get(place, 1)]
        latents = network.encoder.latents(2 * giver.image - 1)
        chosen += network.codes(latents, [place])
    maps = network.maps(network.encoder.latents(2 * target.image - 1))
    wanted, _ = model.generate(StyleCodes(tuple(chosen), maps))
    torch.testing.assert_close(found, wanted)
    assert not torch.allclose(found, model.generate(parts[0])[0])


def test_local_codes_begin_at_128_px_where_there_are_some(model):
    assert model.local == 14
    assert boundary_table(14, model.identity, model.local) == (0,) * 14
    options = replace(SMALL, local=11)
    assert MFIM(build(options)).local == 11
    assert MFIM(build(replace(SMALL, local=3))).local == 8


def test_a_batch_gives_what_single_faces_give(model, faces):
    target, source = faces[:2]
    both, _ = model.generate(*model.encode(target, source))
    for row in range(2):
        pair = (Portraits(face.image[row : row + 1]) for face in (target, source))
        single, _ = model.generate(*model.encode(*pair))
        torch.testing.assert_close(both[row : row + 1], single, atol=1e-5, rtol=0)


def test_no_faces_stay_none(model):
    none = Portraits(torch.rand(0, 3, 64, 64))
    (codes,) = model.encode(none, none)
    picture, maps = model.generate(codes, features=True)
    assert picture.shape == (0, 3, 64, 64)
    assert all(len(each) == 0 for each in maps)
    assert model.encode(none) == ()


def test_large_pictures_are_seen_by_area_and_small_ones_enlarged(model):
    torch.manual_seed(2)
    encoder, large = model.network.encoder, torch.rand(1, 3, 128, 128)
    for found, wanted in zip(
        encoder.latents(large), encoder.latents(F.avg_pool2d(large, 2)), strict=True
    ):
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)
    assert [each.shape[-1] for each in encoder.latents(large[..., :40, :40])] == [4, 8, 16]


def test_features_are_two_a_resolution_from_8_to_256_px(model, faces):
    (codes,) = model.encode(faces[0], faces[1])
    _, maps = model.generate(codes, features=True)
    assert [(each.shape[1], each.shape[2]) for each in maps] == [
        (width, side) for width, side in zip(WIDTHS[1:], (8, 16, 32, 64), strict=True) for _ in "ab"
    ]
    assert model.generate(codes)[1] == ()
    large = MFIM(build(replace(SMALL, map_sites=()), (4,) * 8))
    mean = StyleCodes(large.mean)
    _, maps = large.generate(mean, features=True)
    assert [each.shape[-1] for each in maps] == [8, 8, 16, 16, 32, 32, 64, 64, 128, 128, 256, 256]


@pytest.mark.parametrize("channels", ["full", 1])
@pytest.mark.parametrize("gain", ["noise", "one"])
def test_style_maps_go_to_both_noise_inputs_of_their_size(channels, gain, faces):
    options = replace(SMALL, map_sites=(8, 16), map_channels=channels, map_gain=gain)
    network = train(build(options))
    latents = network.encoder.latents(2 * faces[0].image - 1)
    maps = network.maps(latents)
    assert [place for place, each in enumerate(maps) if each is not None] == [1, 2, 3, 4]
    convolutions = [network.decoder.conv1, *network.decoder.convs]
    for place, latent in ((1, latents[1]), (2, latents[1]), (3, latents[2]), (4, latents[2])):
        first, _, last = network.encoder.maps[str(latent.shape[-1])][1 - place % 2]
        hidden = F.leaky_relu(F.conv2d(latent, first.weight, first.bias, padding=1), 0.2)
        wanted = F.conv2d(hidden, last.weight, last.bias, padding=1)
        wanted = wanted * convolutions[place].noise.weight if gain == "noise" else wanted
        assert wanted.shape[1] == (8 if channels == "full" else 1)
        torch.testing.assert_close(maps[place], wanted)


def test_sites_without_a_latent_map_of_their_size_take_the_nearest_resized(faces):
    network = train(build(replace(SMALL, encoder_size=128, map_sites=(4, 16, 64))))
    latents = network.encoder.latents(2 * faces[0].image - 1)
    assert [latent.shape[-1] for latent in latents] == [8, 16, 32]
    assert network.encoder.resized.keys() == {"4", "64"}
    maps = network.maps(latents)
    for site, place, resized in (
        (4, 0, F.avg_pool2d(latents[0], 2)),
        (64, 7, F.interpolate(latents[2], scale_factor=2, mode="bilinear")),
    ):
        seen = network.encoder.resized[str(site)](resized)
        wanted = network.encoder.maps[str(site)][0](seen)
        gain = [network.decoder.conv1, *network.decoder.convs][place].noise.weight
        torch.testing.assert_close(maps[place], wanted * gain, atol=1e-5, rtol=1e-5)


def test_noise_inputs_are_counted_as_stylegan2_does():
    found = [noise_inputs(4 << level) for level in range(9)]
    assert found == [(0,), *((2 * level - 1, 2 * level) for level in range(1, 9))]


CHOICES = [
    SMALL,
    MFIMOptions(code_width=9),
    replace(SMALL, boundary=5, local=11, residual=False),
    replace(SMALL, map_sites=(4, 64), map_channels=1, map_gain="one", train_generator=True),
    replace(SMALL, map_sites=(), code_latents=(0, 14), encoder_size=32),
]


@pytest.mark.parametrize("options", CHOICES)
def test_every_option_comes_back_from_a_file(options, faces, tmp_path):
    network = train(build(options))
    save_file(network.state_dict(), tmp_path / "x.safetensors")
    loaded = models.load(tmp_path / "x.safetensors", "swapper")
    assert isinstance(loaded, MFIM)
    assert isinstance(loaded, models.StyleSwapper)
    assert loaded.network.options == options
    assert (loaded.size, loaded.identity) == (64, range(options.boundary, 14))
    torch.testing.assert_close(dict(loaded.network.state_dict()), dict(network.state_dict()))
    pair = faces[:2]
    found, _ = loaded.generate(*loaded.encode(*pair))
    torch.testing.assert_close(found, MFIM(network).generate(*MFIM(network).encode(*pair))[0])


@pytest.mark.parametrize("options", [SMALL, replace(SMALL, residual=False)])
def test_training_moves_codes_and_maps_from_the_first_step(options, faces):
    network = build(options)
    for weight in network.trained():
        weight.requires_grad_(True)
    target, source = (2 * face.image - 1 for face in faces[:2])
    network(target, source).square().mean().backward()
    for code in network.encoder.codes:
        assert code.modulation.weight.grad.abs().max() > 0
    for both in network.encoder.maps.values():
        assert all(to_map[2].weight.grad.abs().max() > 0 for to_map in both)


def test_training_leaves_the_generator_alone_unless_told_to():
    def names(**others):
        network = build(replace(SMALL, map_sites=(8,), **others))
        trained = {id(weight) for weight in network.trained()}
        every = {name for name, weight in network.named_parameters() if id(weight) in trained}
        return {name for name in every if not name.startswith("encoder.")}, network

    strengths, _ = names()
    assert strengths == {"decoder.convs.0.noise.weight", "decoder.convs.1.noise.weight"}
    assert names(map_gain="one")[0] == set()
    every, network = names(train_generator=True)
    assert every == {f"decoder.{name}" for name, _ in network.decoder.named_parameters()}


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"encoder_size": 48}, "powers of two, from 32 and from 4 on, got 48"),
        ({"encoder_size": 16}, "from 32"),
        ({"map_sites": (2, 4)}, r"from 4 on, got 64 and \(2, 4\)"),
        ({"map_sites": (16, 8)}, "must go up, each named once"),
        ({"map_sites": (8, 8)}, "must go up, each named once"),
        ({"map_channels": 3}, 'map_channels must be "full" or 1'),
        ({"map_gain": "two"}, "map_gain \"noise\" or \"one\", got 'full' and 'two'"),
        ({"code_latents": (9, 8)}, "must not go down"),
        ({"boundary": -1}, "counted from 0"),
    ],
)
def test_choices_that_cannot_be_are_refused(choice, message):
    with pytest.raises(ValueError, match=message):
        replace(SMALL, **choice)


def test_choices_must_fit_the_decoder():
    with pytest.raises(ValueError, match="map_sites names 128 px of a decoder of 64 px"):
        build(replace(SMALL, map_sites=(8, 128)))
    with pytest.raises(ValueError, match="boundary 15 is beyond the 14 codes"):
        build(replace(SMALL, boundary=15))


def test_broken_files_are_told_what_is_wrong(model):
    state = dict(model.network.state_dict())
    for name in RECORDED:
        broken = {key: value for key, value in state.items() if key != f"recorded.{name}"}
        with pytest.raises(models.CheckpointError, match=f"missing or broken: recorded.{name}"):
            models.load(broken)
    with pytest.raises(models.CheckpointError, match=r"broken: recorded\.boundary\."):
        models.load({**state, "recorded.boundary": torch.tensor([8])})
    for name, number, problem in (
        ("encoder_size", 48, "stored options cannot be: .* got 48"),
        ("boundary", 15, "the parts of this MFIM do not fit: boundary 15"),
    ):
        broken = {**state, f"recorded.{name}": torch.tensor(number)}
        with pytest.raises(models.CheckpointError, match=problem):
            models.load(broken)
    broken = {key: value for key, value in state.items() if key != "encoder.codes.3.linear.bias"}
    with pytest.raises(models.CheckpointError, match=r"missing: encoder\.codes\.3\.linear\.bias"):
        models.load(broken)


def test_codes_of_another_decoder_are_refused(model, faces):
    (codes,) = model.encode(faces[0], faces[1])
    with pytest.raises(ValueError, match="14 S codes"):
        model.generate(StyleCodes(codes.codes[:-1], codes.maps))
    with pytest.raises(ValueError, match="14 S codes"):
        model.generate(StyleCodes((*codes.codes[:-1], torch.rand(2, 99)), codes.maps))
