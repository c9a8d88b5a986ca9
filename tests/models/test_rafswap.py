from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from faceloom import models
from faceloom.models import Portraits
from faceloom.models.rafswap.adapter import RAFSwap
from faceloom.models.rafswap.encoder import EncoderSizes
from faceloom.models.rafswap.mask import FaceMaskPredictor
from faceloom.models.rafswap.network import RAFSwapNetwork
from faceloom.models.rafswap.regions import Projector, Tokenizer
from faceloom.models.rafswap.transformer import TransformerBlock
from faceloom.models.style_codes import StyleCodes
from faceloom.ops.parsing import region_mask, reorder

PUBLISHED = (512, 512, 512, 512, 512, 256, 128, 64, 32)
SIZES = EncoderSizes(8, (16, 32, 48, 64), layers=10, hidden=24, style=9)
WIDTHS = (6, 5, 4, 3, 2)  # of a generator of 64 px, whose masks have 16 px


def small(**sizes):
    torch.manual_seed(0)
    network = RAFSwapNetwork(replace(SIZES, **sizes), 64, WIDTHS, mapping=2, mask=(3, 7))
    for name, weight in [*network.named_parameters(), ("latent_avg", network.latent_avg)]:
        if weight.ndim == 1 or name == "latent_avg":
            nn.init.normal_(weight, 0.5 if name.endswith("weight") else 0, 0.2)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    return network.state_dict()


@pytest.fixture(scope="module")
def state():
    return small()


@pytest.fixture(scope="module")
def rafswap(state):
    return models.load(state, "swapper")


def region_masks(count, side=64, seed=0):
    """Disjoint masks of four regions and of what is in none of them, in squares of an eighth."""
    generator = torch.Generator().manual_seed(seed)
    label = torch.randint(0, 5, (count, 8, 8), generator=generator)
    label = F.interpolate(label[:, None].float(), side).long()[:, 0]
    return F.one_hot(label, 5).permute(0, 3, 1, 2)[:, 1:].float()


def portraits(count, seed=0, side=256):
    generator = torch.Generator().manual_seed(seed)
    image = torch.rand(count, 3, side, side, generator=generator)
    return Portraits(image, region_masks(count, seed=seed))


def rows(portraits, *rows):
    return Portraits(*(each[list(rows)] for each in portraits))


def test_published_network_agrees_with_the_reference(reference):
    # The reference gives the codes before the mean face is added, so here it is zero.
    golden = reference("rafswap_depth1")
    mean = torch.zeros(18, 512)
    model = models.load({"state_dict": golden.weights(), "opts": {}, "latent_avg": mean}, "swapper")
    network, keys = model.network, golden.facts["state_dict"].keys()
    assert network.state_dict().keys() == {*keys, "latent_avg"}
    assert sum(each.numel() for each in network.parameters()) == golden.facts["parameters"]
    target, source = (
        Portraits((golden.input(who) + 1) / 2, golden.input(f"{who}_regions"))
        for who in ("target", "source")
    )
    (codes,) = model.encode(target, source)
    picture, features = model.generate(codes, features=True)
    latent = torch.stack(codes.codes, 1)
    decoder = network.decoder
    image, _ = decoder.synthesize(decoder.modulate(latent), decoder.noise_maps())
    golden.check(codes=latent, image=image, soft_mask=model.predict_mask(features))
    torch.testing.assert_close(picture, ((image + 1) / 2).clamp(0, 1))


def test_published_network_has_the_published_counts():
    # shared/specs/systems.md, section 4b.
    with torch.device("meta"):
        network = RAFSwapNetwork(EncoderSizes(), 1024, PUBLISHED)
    parts = (network.encoder, network.decoder, network.mask)
    assert [len(part.state_dict()) for part in parts] == [651, 171, 28]
    counts = [sum(each.numel() for each in part.parameters()) for part in parts]
    assert counts == [273_110_208, 30_370_060, 1_844_865]
    assert sum(counts) == 305_325_133
    assert list(network.mask_maps) == list(range(18))[2:-4]


@pytest.mark.parametrize("options", [{}, {"sfa_mlp": True}, {"depth": 2}])
def test_sizes_and_options_are_read_from_shapes(options, tmp_path):
    state = small(**options)
    mean = state.pop("latent_avg")
    file = {"state_dict": state, "opts": {"output_size": 64, "device": "cuda"}}
    torch.save({**file, "latent_avg": mean}, tmp_path / "iteration_200.pt")
    model = models.load(tmp_path / "iteration_200.pt", "swapper")
    assert isinstance(model, RAFSwap)
    assert isinstance(model, models.StyleSwapper)
    assert isinstance(model, models.MaskPredictor)
    loaded = model.network.state_dict()
    torch.testing.assert_close(dict(loaded), {**state, "latent_avg": mean})
    assert (model.size, model.identity) == (64, range(10))
    torch.testing.assert_close(torch.cat(model.mean), mean)


def test_weights_without_the_mean_face_are_refused(state):
    bare = {key: value for key, value in state.items() if key != "latent_avg"}
    with pytest.raises(models.CheckpointError, match="without 'latent_avg', the mean face"):
        models.load(bare)


def test_tensors_that_lack_or_differ_are_named(state):
    broken = {key: value for key, value in state.items() if "proj.1.linear2" not in key}
    broken["encoder.token.0.fc.0.bias"] = torch.zeros(3)
    with pytest.raises(models.CheckpointError, match=r"proj\.1\.linear2.*token\.0\.fc\.0\.bias"):
        models.load(broken)


def test_generators_of_other_sizes_than_the_encoder_are_refused(state):
    largest = ("decoder.convs.6.", "decoder.convs.7.", "decoder.to_rgbs.3.")
    smaller = {key: value for key, value in state.items() if not key.startswith(largest)}
    with pytest.raises(models.CheckpointError, match=r"unexpected: .*encoder\.styles\.8"):
        models.load(smaller)
    least = {key: value for key, value in state.items() if ".to_rgbs." not in key}
    with pytest.raises(models.CheckpointError, match="pictures of 32 px or more, this one is of 4"):
        models.load(least)


def test_tokens_are_a_loop_s_region_means():
    torch.manual_seed(0)
    tokenizer, features = Tokenizer(5, 7), torch.randn(2, 5, 16, 16)
    regions = region_masks(2)
    regions[1, 2] = 0
    tokens = tokenizer(features, regions)
    for row in range(2):
        for region in range(4):
            mask = regions[row, region, ::4, ::4]  # nearest
            inside = [features[row, :, y, x] for y, x in mask.nonzero().tolist()]
            mean = torch.stack(inside).mean(0) if inside else torch.zeros(5)
            torch.testing.assert_close(tokens[row, region], tokenizer.fc(mean))
    torch.testing.assert_close(tokens[1, 2], tokenizer.fc[0].bias)


def test_projector_is_a_loop_over_pixels():
    torch.manual_seed(0)
    projector, features = Projector(6), torch.randn(2, 6, 8, 8)
    nn.init.normal_(projector.linear3.bias)
    tokens, regions = 3 * torch.randn(2, 4, 6), region_masks(2, side=32)
    found = projector(features, tokens, regions)
    weights = [getattr(projector, f"linear{each}").weight for each in (1, 2, 3)]
    for row in range(2):
        keys = [weights[1] @ token for token in tokens[row]]
        values = [weights[2] @ token + projector.linear3.bias for token in tokens[row]]
        for y in range(8):
            for x in range(8):
                wanted = features[row, :, y, x]
                if regions[row, :, 4 * y, 4 * x].any():
                    query = weights[0] @ (wanted / 4)  # the mean of its four masked copies
                    shares = torch.stack([query @ key / 6**0.5 for key in keys]).softmax(0)
                    wanted = wanted + sum(a * b for a, b in zip(shares, values, strict=True))
                torch.testing.assert_close(found[row, :, y, x], wanted)


def test_outside_the_mask_the_projector_changes_nothing():
    # shared/specs/systems.md, section 8, oracle 11.
    torch.manual_seed(0)
    projector, features = Projector(6), torch.randn(1, 6, 16, 16)
    regions = torch.zeros(1, 4, 64, 64)
    regions[:, 1, 8:40, 12:30] = 1
    found = projector(features, torch.randn(1, 4, 6), regions)
    inside = regions[0, 1, ::4, ::4].bool()
    assert torch.equal(found[..., ~inside], features[..., ~inside])
    assert (found[..., inside] != features[..., inside]).all()


def test_transformer_block_is_torch_s_own():
    torch.manual_seed(0)
    block, tokens = TransformerBlock(16, 24).eval(), torch.randn(2, 12, 16)
    own = nn.TransformerEncoderLayer(
        16, 8, 24, 0, partial(F.gelu, approximate="tanh"), batch_first=True, norm_first=True
    ).eval()
    names = {"attn.qkv.": "self_attn.in_proj_", "attn.proj.": "self_attn.out_proj."}
    names |= {"mlp.fc1.": "linear1.", "mlp.fc2.": "linear2."}
    state = block.state_dict()
    for name, theirs in names.items():
        state = {key.replace(name, theirs): value for key, value in state.items()}
    own.load_state_dict(state)
    torch.testing.assert_close(block(tokens), own(tokens))


def test_mask_predictor_is_a_chain_of_equalized_convolutions():
    torch.manual_seed(0)
    fmp = FaceMaskPredictor([5, 5, 4, 4], 3, 7).requires_grad_(False)
    for bias in (each for each in fmp.parameters() if each.ndim == 1):
        nn.init.normal_(bias)
    features = [torch.randn(2, *shape) for shape in [(5, 8, 8)] * 2 + [(4, 16, 16)] * 2]
    mask, state = fmp(features), fmp.state_dict()

    def layer(x, name):
        weight = state[f"{name}.0.weight"]
        y = F.conv2d(x, weight / weight[0].numel() ** 0.5, padding=1)
        y = y + state[f"{name}.1.bias"][:, None, None]
        return torch.where(y < 0, 0.2 * y, y) * 2**0.5

    reduced = [layer(x, f"convs.{2 * place}") for place, x in enumerate(features)]
    joined = torch.cat([F.interpolate(x, (16, 16)) for x in reduced], 1)
    weight = state["to_mask.1.0.weight"]
    last = F.conv2d(layer(joined, "to_mask.0"), weight / weight[0].numel() ** 0.5, padding=1)
    torch.testing.assert_close(mask, (last + state["to_mask.1.0.bias"]).sigmoid())


def test_two_faces_are_two_runs_of_one(rafswap):
    target, source = portraits(2, seed=1), portraits(2, seed=2)
    (codes,) = rafswap.encode(target, source)
    picture, features = rafswap.generate(codes, features=True)
    mask = rafswap.predict_mask(features)
    assert (picture.shape, mask.shape) == ((2, 3, 64, 64), (2, 1, 16, 16))
    for row in range(2):
        (one,) = rafswap.encode(rows(target, row), rows(source, row))
        for alone, code in zip(one.codes, codes.codes, strict=True):
            torch.testing.assert_close(alone, code[row : row + 1], rtol=1e-4, atol=1e-5)
        alone, maps = rafswap.generate(one, features=True)
        torch.testing.assert_close(alone, picture[row : row + 1], rtol=1e-4, atol=1e-5)
        alone = rafswap.predict_mask(maps)
        torch.testing.assert_close(alone, mask[row : row + 1], rtol=1e-4, atol=1e-5)


def test_a_batch_does_not_mix_its_pictures(rafswap):
    target, source = portraits(2, seed=1), portraits(2, seed=2)
    (codes,) = rafswap.encode(target, source)
    (other,) = rafswap.encode(target, Portraits(*(each.flip(0) for each in source)))
    (self_swap,) = rafswap.encode(target, target)
    for swapped in (other, self_swap):
        assert all((a != b).any() for a, b in zip(codes.codes, swapped.codes, strict=True))


def test_the_target_is_read_once_for_all_sources(rafswap, monkeypatch):
    target, first, second = portraits(1, 1), portraits(1, 2), portraits(1, 3)
    encoder, seen = rafswap.network.encoder, []
    taps = encoder.taps
    monkeypatch.setattr(encoder, "taps", lambda images: seen.append(images) or taps(images))
    several = rafswap.encode(target, first, target, second)
    assert len(seen) == 3
    monkeypatch.undo()
    for codes, source in zip(several, (first, target, second), strict=True):
        (alone,) = rafswap.encode(target, Portraits(source.image.clone(), source.regions))
        torch.testing.assert_close(alone.codes, codes.codes)
    assert rafswap.encode(target) == ()


def test_the_mean_face_is_added_to_the_codes(rafswap):
    target, source = portraits(1, 1), portraits(1, 2)
    (codes,) = rafswap.encode(target, source)
    encoder = rafswap.network.encoder
    read = encoder.read_source(encoder.taps(2 * source.image - 1), source.regions)
    bare = encoder.codes(encoder(2 * target.image - 1), target.regions, read)
    torch.testing.assert_close(torch.stack(codes.codes, 1), bare + torch.cat(rafswap.mean))


def test_the_global_feature_goes_through_two_layers_where_the_weights_have_them(state):
    plain, mlp = models.load(state), models.load({**small(sfa_mlp=True), **state})
    target, source = portraits(1, 1), portraits(1, 2)
    glb = mlp.network.encoder.glb
    nn.init.eye_(glb[0].weight).mul_(8)  # the square root of the width, which both layers undo
    nn.init.eye_(glb[1].weight).mul_(8)
    nn.init.zeros_(glb[0].bias)
    nn.init.zeros_(glb[1].bias)
    (without,), (through,) = (model.encode(target, source) for model in (plain, mlp))
    torch.testing.assert_close(through.codes, without.codes)
    glb[1].bias += 1
    (moved,) = mlp.encode(target, source)
    assert all((a != b).any() for a, b in zip(moved.codes, without.codes, strict=True))


def test_pictures_and_masks_of_other_sizes_are_brought_to_the_encoder_s(rafswap):
    target, source = portraits(1, 1), portraits(1, 2)
    (wanted,) = rafswap.encode(target, source)
    large = Portraits(
        source.image.repeat_interleave(4, 2).repeat_interleave(4, 3),
        F.interpolate(source.regions, (320, 320), mode="nearest"),
    )
    (found,) = rafswap.encode(target, large)
    torch.testing.assert_close(found.codes, wanted.codes, rtol=1e-3, atol=1e-4)
    tiny = Portraits(torch.rand(1, 3, 70, 70), region_masks(1, 40))
    assert len(rafswap.encode(target, tiny)[0].codes) == 10


def test_an_empty_region_gives_the_bias_as_its_token(rafswap):
    encoder, source = rafswap.network.encoder, portraits(1, 2)
    regions = source.regions.clone()
    regions[:, 3] = 0
    taps = encoder.taps(source.image)
    for tokenizer, features in zip(encoder.token, taps, strict=True):
        tokens = tokenizer(features, regions)
        torch.testing.assert_close(tokens[0, 3], tokenizer.fc[0].bias)
        torch.testing.assert_close(tokens[0, :3], tokenizer(features, source.regions)[0, :3])
    nothing = Portraits(source.image, torch.zeros_like(regions))
    (codes,) = rafswap.encode(nothing, source)
    assert all(code.isfinite().all() for code in codes.codes)


def test_pictures_are_the_decoder_s_with_the_stored_noise(rafswap):
    torch.manual_seed(1)
    codes = StyleCodes(torch.randn(2, 10, 9).unbind(1))
    decoder = rafswap.network.decoder
    picture, features = rafswap.generate(codes)
    s_codes = decoder.modulate(torch.stack(codes.codes, 1))
    wanted, _ = decoder.synthesize(s_codes, decoder.noise_maps())
    torch.testing.assert_close(picture, (wanted / 2 + 0.5).clamp(0, 1))
    assert features == ()
    assert (wanted.abs() > 1).any()
    silent = StyleCodes(codes.codes, (None,) * 9)
    plain, _ = decoder.synthesize(s_codes)
    torch.testing.assert_close(rafswap.generate(silent)[0], (plain / 2 + 0.5).clamp(0, 1))


def test_features_are_the_decoder_s_two_a_resolution(rafswap):
    codes = StyleCodes(rafswap.mean)
    _, features = rafswap.generate(codes, features=True)
    wanted = [(1, 5, 8, 8), (1, 5, 8, 8), (1, 4, 16, 16), (1, 4, 16, 16)]
    assert [tuple(each.shape) for each in features] == wanted


def test_regions_are_celebamask_s_classes_in_the_release_s_order(rafswap):
    # shared/specs/systems.md, section 8, oracle 12; the two lists of numbers are section 6.3's.
    celebamask_of = [0, 1, 6, 7, 4, 5, 3, 8, 9, 15, 2, 10, 11, 12, 17, 16, 18, 13, 14]
    bisenet = torch.arange(19).repeat(2, 19).reshape(1, 19, 38)
    parsing = reorder(F.one_hot(bisenet, 19).permute(0, 3, 1, 2).float(), "bisenet")
    found = torch.cat([region_mask(parsing, [region]) for region in rafswap.regions], 1)
    celebamask = torch.tensor(celebamask_of)[bisenet]
    for row, group in enumerate([(11, 12), (2,), (6, 7), (4, 5)]):
        wanted = torch.isin(celebamask, torch.tensor(group)).float()
        assert torch.equal(found[:, row], wanted)
        assert wanted.any()


def test_no_faces_have_no_codes_and_no_pictures(rafswap):
    none = portraits(0)
    (codes,) = rafswap.encode(none, none)
    assert [tuple(code.shape) for code in codes.codes] == [(0, 9)] * 10
    picture, features = rafswap.generate(codes, features=True)
    assert picture.shape == (0, 3, 64, 64)
    assert rafswap.predict_mask(features).shape == (0, 1, 16, 16)


def test_pictures_without_masks_or_with_others_are_refused(rafswap):
    one, two = portraits(1), portraits(2)
    with pytest.raises(ValueError, match="target's lips, nose, brows and eyes, got none"):
        rafswap.encode(Portraits(one.image), one)
    with pytest.raises(ValueError, match="source's lips, nose, brows and eyes, got none"):
        rafswap.encode(one, Portraits(one.image))
    with pytest.raises(ValueError, match=r"masks \[1, 4, h, w\] of the source.*\[1, 3, 64, 64\]"):
        rafswap.encode(one, Portraits(one.image, one.regions[:, :3]))
    with pytest.raises(ValueError, match="a source picture for each of 2 targets, got 1"):
        rafswap.encode(two, one)


def test_codes_and_features_of_others_are_refused(rafswap):
    mean = rafswap.mean
    with pytest.raises(ValueError, match="wants 10 codes of 9 numbers, got 9 of 9"):
        rafswap.generate(StyleCodes(mean[1:]))
    with pytest.raises(ValueError, match="wants 10 codes of 9 numbers, got 10 of 9/8"):
        rafswap.generate(StyleCodes((mean[0][:, 1:], *mean[1:])))
    _, features = rafswap.generate(StyleCodes(mean), features=True)
    with pytest.raises(ValueError, match="wants 4 maps of 5/4 channels, got 0 of no"):
        rafswap.predict_mask(())
    with pytest.raises(ValueError, match=r"wants 4 maps of 5/4 channels, got 4 of 4\."):
        rafswap.predict_mask(features[2:] * 2)
