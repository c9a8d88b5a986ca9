from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from faceloom import models
from faceloom.models.lip_spade.adapter import LIPSPADE
from faceloom.models.lip_spade.network import (
    SPADE,
    ImportancePool,
    LIPSPADENetwork,
    SpectralConv2d,
)
from faceloom.ops.templates import BEST_POSE, TEMPLATES

SMALL = ((4, 6, 8, 8), (6, 4), 5)


def build():
    torch.manual_seed(0)
    return LIPSPADENetwork(*SMALL)


@pytest.fixture(scope="module")
def state():
    return build().state_dict()


def test_published_network_has_the_published_counts():
    with torch.device("meta"):
        network = LIPSPADENetwork((48, 96, 192, 384, 768, 768), (384, 192, 96, 48), 128)
    assert sum(weight.numel() for weight in network.parameters()) == 72_223_660
    assert len(network.state_dict()) == 230


def test_published_network_agrees_with_the_reference(reference):
    lip_spade = reference("ghost_super_resolution")
    model = models.load(lip_spade.weights(), "restorer")
    with torch.no_grad():
        lip_spade.check(image=model.network(lip_spade.input("image")))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_stages_and_widths_are_read_from_shapes(suffix, state, tmp_path):
    path = tmp_path / f"any name{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(state, path)
    model = models.load(path, "restorer")
    assert isinstance(model, LIPSPADE)
    torch.testing.assert_close(dict(model.network.state_dict()), dict(state))
    wanted = build().eval()
    images = torch.rand(2, 3, 32, 48)
    torch.testing.assert_close(model.network(images), wanted(images))
    # The first one is what other crops are cut anew for, the second what GHOST cuts.
    assert model.size == 256
    assert model.templates[0] in TEMPLATES
    assert model.templates[1] == BEST_POSE


def test_kernels_are_divided_by_their_largest_singular_value():
    torch.manual_seed(0)
    convolution, x = SpectralConv2d(3, 5, 3), torch.rand(2, 3, 6, 7)
    left, values, right = torch.linalg.svd(convolution.weight_orig.detach().flatten(1))
    convolution.weight_u, convolution.weight_v = left[:, 0].clone(), right[0].clone()
    wanted = F.conv2d(x, convolution.weight_orig / values[0], padding=1)
    # In training, too, the vectors stay.
    for _ in range(2):
        torch.testing.assert_close(convolution.train()(x), wanted)
    assert torch.equal(convolution.weight_u, left[:, 0])


def test_pooling_weighs_each_pixel_of_a_window():
    """GHOST's `lip2d`: avg_pool2d(x * w, 3, 2, 1) / avg_pool2d(w, 3, 2, 1), w = exp(12 sigmoid)."""
    torch.manual_seed(0)
    pool, x = ImportancePool(2), torch.rand(1, 2, 6, 8)
    weight = (12 * pool.logit(x).sigmoid()).exp()
    wanted = torch.zeros(1, 2, 3, 4)
    for row in range(3):
        for column in range(4):
            window = (
                slice(None),
                slice(None),
                slice(max(0, 2 * row - 1), 2 * row + 2),
                slice(max(0, 2 * column - 1), 2 * column + 2),
            )
            total = (x[window] * weight[window]).sum((2, 3))
            wanted[:, :, row, column] = total / weight[window].sum((2, 3))
    torch.testing.assert_close(pool(x), wanted)


def test_pooling_does_not_overflow_half_precision():
    pool, x = ImportancePool(2), torch.rand(1, 2, 6, 8)
    torch.nn.init.constant_(pool.logit[1].bias, 20.0)  # e^12 is more than half precision holds
    pooled = pool.half()(x.half())
    torch.testing.assert_close(
        pooled.float(), F.avg_pool2d(x, 3, 2, 1, False, False), atol=1e-2, rtol=0
    )


@pytest.mark.parametrize("batch_statistics", [False, True])
def test_features_are_normalised_scaled_and_shifted(batch_statistics):
    torch.manual_seed(0)
    spade, x, guide = SPADE(4, 3), torch.rand(2, 4, 5, 6), torch.rand(2, 3, 5, 6)
    norm = spade.param_free_norm
    norm.running_mean.uniform_(), norm.running_var.uniform_(1, 2)
    mean, variance = norm.running_mean.clone(), norm.running_var.clone()
    kept = torch.stack((mean, variance))
    if batch_statistics:
        mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
    normal = (x - mean[:, None, None]) / (variance[:, None, None] + 1e-5).sqrt()
    seen = F.relu(spade.mlp_shared[0](guide))
    wanted = normal * spade.mlp_gamma(seen) + spade.mlp_beta(seen)
    torch.testing.assert_close(spade(x, guide, batch_statistics), wanted)
    assert torch.equal(torch.stack((norm.running_mean, norm.running_var)), kept)


def test_only_batch_statistics_let_pictures_influence_each_other(state):
    model, images = models.load(state), torch.rand(3, 3, 32, 32)
    images[1:] /= 5
    alone, together = model.restore(images[:1], 0.5), model.restore(images, 0.5)
    torch.testing.assert_close(together[:1], alone)
    alone, together = (model.restore(each, 0.5, True) for each in (images[:1], images))
    assert (together[:1] - alone).abs().max() > 1e-3
    # Nothing is learned on the way.
    torch.testing.assert_close(dict(model.network.state_dict()), dict(state), atol=0, rtol=0)
    torch.testing.assert_close(model.restore(images, 0.5, True), together, atol=0, rtol=0)
    assert not model.network.training


def test_restored_pictures_are_in_range(state):
    model, images = models.load(state), torch.rand(2, 3, 32, 32)
    restored = model.restore(images, 0.0)
    assert not restored.requires_grad
    # GHOST: torch.clamp(generated * 255, 0, 255).
    raw = model.network(images)
    assert raw.min() < 0
    torch.testing.assert_close(255 * restored, (255 * raw).clamp(0, 255))
    assert torch.equal(restored, model.restore(images, 1.0))


def test_no_crops_run_no_network():
    assert LIPSPADE(None).restore(torch.zeros(0, 3, 256, 256), 0.5).shape == (0, 3, 256, 256)


@pytest.mark.parametrize("key", ["ups.1.norm_s.mlp_beta.weight", "fc.bias", "to_rgbs.0.bias"])
def test_missing_weights_are_named(key, state):
    lacking = {name: value for name, value in state.items() if name != key}
    with pytest.raises(models.CheckpointError, match=f"missing: {key}"):
        models.load(lacking)


def test_foreign_layouts_are_refused(state):
    # HiFaceGAN feeds the decoder features of its `encoder`; SPADE alone has none.
    other = {key.replace("lip_encoder.model", "encoder.head"): v for key, v in state.items()}
    plain = {key: value for key, value in state.items() if "lip_encoder" not in key}
    for foreign in (other, plain):
        with pytest.raises(models.CheckpointError, match="no known architecture"):
            models.load(foreign)


def test_another_loader_says_where_it_belongs(state):
    with pytest.raises(models.CheckpointError, match=r"a restorer, .* use Load Face Restorer for"):
        models.load(state, "swapper")
