from __future__ import annotations

import inspect
import sys
from types import SimpleNamespace

import pytest
import torch

from faceloom import models
from faceloom.models import spandrel_restorer
from faceloom.models.spandrel_restorer.adapter import SpandrelRestorer

SMALL = {"n_embed": 16, "embed_dim": 8, "ch": 32, "ch_mult": (1,) * 6, "z_channels": 8}


def small_restoreformer():
    """RestoreFormer of the least width that its 32 groups allow, one block a level."""
    from spandrel.architectures.RestoreFormer import RestoreFormer

    torch.manual_seed(0)
    return RestoreFormer(**SMALL, num_res_blocks=1)


def small_gfpgan():
    """GFPGAN of 64 px, a sixteenth of the width."""
    from spandrel.architectures.GFPGAN import GFPGAN

    torch.manual_seed(0)
    network = GFPGAN(out_size=64, num_style_feat=16, narrow=1 / 16).eval()
    for weight in network.parameters():
        if weight.numel() == 1:
            torch.nn.init.constant_(weight, 0.1)  # how much noise a layer gets; untrained, none
    return network


def codeformer():
    pytest.importorskip("spandrel_extra_arches", reason="the package is an extra")
    return pytest.importorskip("spandrel_extra_arches.architectures.CodeFormer").CodeFormer


def hollow(build):
    """Weights of all keys and shapes, each one number that is stored once: small as a file."""
    with torch.device("meta"):
        shapes = {key: tensor.shape for key, tensor in build().state_dict().items()}
    return {key: torch.full((1,), 0.01).expand(shape) for key, shape in shapes.items()}


@pytest.fixture(scope="module")
def restoreformer():
    return small_restoreformer().state_dict()


@pytest.fixture(scope="module")
def gfpgan():
    """Full-size weights: spandrel builds no other size."""
    from spandrel.architectures.GFPGAN import GFPGAN

    return hollow(GFPGAN)


def test_sizes_are_read_from_shapes(restoreformer, tmp_path):
    torch.save({"params": restoreformer}, tmp_path / "x.pth")
    model = models.load(tmp_path / "x.pth", "restorer")
    assert isinstance(model, SpandrelRestorer)
    assert (model.kind, model.size, model.templates) == ("RestoreFormer", 512, ("ffhq_512",))
    torch.testing.assert_close(dict(model.network.state_dict()), dict(restoreformer))
    assert not model.network.training
    assert not any(weight.requires_grad for weight in model.network.parameters())


def test_it_gives_what_spandrels_own_descriptor_gives(restoreformer):
    """spandrel normalises for RestoreFormer, and so is an independent witness there."""
    from spandrel import ModelLoader

    picture = torch.rand(1, 3, 64, 64)
    wanted = ModelLoader().load_from_state_dict(dict(restoreformer)).eval()(picture)
    assert wanted.std() > 0.001
    torch.testing.assert_close(models.load(restoreformer).restore(picture, 0.5), wanted)


def test_gfpgan_is_recognised_and_loads(gfpgan, tmp_path):
    torch.save({"params_ema": gfpgan}, tmp_path / "x.pth")
    assert (tmp_path / "x.pth").stat().st_size < 1_000_000
    model = models.load(tmp_path / "x.pth", "restorer")
    assert model.kind == "GFPGAN"
    # GFPGANv1.4.pth is 348,632,874 bytes, names and all, of float32.
    total = sum(tensor.numel() for tensor in model.network.state_dict().values())
    assert 0.999 < 4 * total / 348_632_874 < 1
    assert "Apache" in model.licence


def test_loading_leaves_the_seeds_alone(restoreformer):
    before = torch.get_rng_state()
    models.load(restoreformer)
    assert torch.equal(torch.get_rng_state(), before)


def test_gfpgan_sees_its_own_range_and_its_stored_noise():
    network = small_gfpgan()
    model, pictures = SpandrelRestorer(network, "GFPGAN"), torch.rand(3, 3, 64, 64)
    restored = model.restore(pictures, 0.5)
    with torch.no_grad():
        direct = network(2 * pictures - 1, randomize_noise=False)[0]
        noisy = network(2 * pictures - 1)[0]
    torch.testing.assert_close(restored, (direct / 2 + 0.5).clamp(0, 1))
    assert (noisy - direct).abs().max() > 1e-3  # what a fresh draw would do
    assert torch.equal(model.restore(pictures, 0.5), restored)
    torch.testing.assert_close(model.restore(pictures[1:2], 0.5), restored[1:2])


def test_results_stay_in_range():
    network = small_gfpgan()
    network.stylegan_decoder.to_rgb1.bias.data += 5
    restored = SpandrelRestorer(network, "GFPGAN").restore(torch.rand(1, 3, 64, 64), 0.5)
    assert restored.max() == 1


def test_fidelity_is_codeformers_weight(monkeypatch):
    """CodeFormer has one size only, and 512 px take half a minute: its forward is a stand-in."""
    network_class, weights = codeformer(), []
    signature = inspect.signature(network_class.forward)

    def forward(*args, **kwargs):
        call = signature.bind(*args, **kwargs).arguments
        weights.append(call["weight"])
        return call["x"] * call["weight"], None

    with torch.device("meta"):
        network = network_class(dim_embd=16, n_layers=1, codebook_size=8)
    monkeypatch.setattr(network_class, "forward", forward)
    model, pictures = SpandrelRestorer(network, "CodeFormer"), torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(model.restore(pictures, 1.0), pictures)
    torch.testing.assert_close(model.restore(pictures, 0.0), torch.full_like(pictures, 0.5))
    assert weights == [1.0, 0.0]
    assert "non-commercial" in model.licence


def test_codeformer_loads_where_its_package_is():
    network_class = codeformer()
    state = hollow(lambda: network_class(dim_embd=16, n_layers=2, codebook_size=8))
    from spandrel import MAIN_REGISTRY

    before = len(MAIN_REGISTRY)
    model = models.load(state, "restorer")
    assert model.kind == "CodeFormer"
    assert model.network.idx_pred_layer[1].weight.shape == (8, 16)
    assert len(model.network.ft_layers) == 2
    assert len(MAIN_REGISTRY) == before


CODEFORMER = {
    "position_emb": torch.ones(4, 8),
    "idx_pred_layer.1.weight": torch.ones(2, 8),
    "quantize.embedding.weight": torch.ones(2, 8),
    "ft_layers.0.self_attn.in_proj_weight": torch.ones(24, 8),
    "encoder.blocks.0.weight": torch.ones(4, 3, 3, 3),
}


def test_codeformer_without_its_package_says_what_to_install(monkeypatch):
    monkeypatch.setattr("spandrel.MAIN_REGISTRY", {})
    monkeypatch.setitem(sys.modules, "spandrel_extra_arches", None)
    with pytest.raises(models.CheckpointError, match="pip install spandrel_extra_arches"):
        models.load(CODEFORMER, "restorer")


def test_a_registry_that_was_extended_is_used(monkeypatch):
    """As ComfyUI's upscaler nodes and `spandrel_extra_arches.install` leave it."""
    network = torch.nn.Linear(1, 1)
    support = SimpleNamespace(
        architecture=SimpleNamespace(load=lambda state: SimpleNamespace(model=network))
    )
    monkeypatch.setattr("spandrel.MAIN_REGISTRY", {"CodeFormer": support})
    monkeypatch.setitem(sys.modules, "spandrel_extra_arches", None)
    monkeypatch.setattr(spandrel_restorer, "fill", lambda build, state: build())
    assert models.load(CODEFORMER, "restorer").network is network


def test_what_spandrel_cannot_build_is_told(gfpgan, restoreformer):
    # GFPGAN 1.0: the same names, but convolutions with their own upsampling.
    first = {key.replace("conv_body_first", "conv_body_first.0"): gfpgan[key] for key in gfpgan}
    with pytest.raises(models.CheckpointError, match=r"no GFPGAN(.|\n)*conv_body_first\.0\.weight"):
        models.load(first)
    # RestoreFormer++: one more scale of attention.
    second = restoreformer | {"decoder.up.4.attn.0.q.bias": torch.ones(32)}
    with pytest.raises(models.CheckpointError, match=r"decoder\.up\.4\.attn"):
        models.load(second)
    lacking = {k: v for k, v in restoreformer.items() if k != "encoder.down.2.block.0.conv2.weight"}
    with pytest.raises(models.CheckpointError, match=r"no RestoreFormer"):
        models.load(lacking)


def test_other_networks_of_spandrel_are_left_alone(restoreformer):
    from spandrel.architectures.ESRGAN import ESRGAN

    with torch.device("meta"):
        upscaler = ESRGAN(num_filters=8, num_blocks=1)
    assert not spandrel_restorer.detect(upscaler.state_dict())
    # A VQGAN that draws: the same autoencoder without the attention from decoder to encoder.
    plain = {k: v for k, v in restoreformer.items() if ".norm2." not in k or "attn" not in k}
    assert not spandrel_restorer.detect(plain)


def test_no_faces(restoreformer):
    assert models.load(restoreformer).restore(torch.zeros(0, 3, 512, 512), 1.0).shape[0] == 0
