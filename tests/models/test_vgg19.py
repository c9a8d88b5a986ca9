from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from faceloom import models
from faceloom.models.vgg19.adapter import VGG19
from faceloom.models.vgg19.network import TAPS, VGG19Network

PUBLISHED = (64, 64, 128, 128, *[256] * 4, *[512] * 8)
WIDTHS = (4, 5, 6, 7, 8, 9, 4, 5, 6, 7, 8, 9, 4, 5, 6, 7)
CLASSIFIER = (7 * 4, 6, 5, 3)


def build(classifier=()):
    torch.manual_seed(0)
    return VGG19Network(WIDTHS, classifier)


def loss_of(vgg, x, y):
    """As the adapter's docstring has it."""
    maps = zip(vgg.weights, vgg.features(x), vgg.features(y.detach()), strict=True)
    return sum(weight * (a - b).abs().mean() for weight, a, b in maps)


@pytest.fixture(scope="module")
def state():
    return build(CLASSIFIER).state_dict()


@pytest.fixture(scope="module")
def vgg(state):
    return models.load(state, "perceptual net")


@pytest.fixture(scope="module")
def published(fill):
    """The published network with drawn weights, and those."""
    with torch.device("meta"):
        like = VGG19Network(PUBLISHED).state_dict()
    like = {key: torch.empty_like(value, device="cpu") for key, value in like.items()}
    weights = fill.state_dict_for(like)
    return models.load(weights), weights


# ---- network ----


@pytest.mark.parametrize(
    ("inputs", "classes", "parameters"),
    # systems.md, section 1b; torchvision's; and what the code of FSGAN builds, for 256 px
    [(25088, 9131, 176_990_955), (25088, 1000, 143_678_248), (32768, 9131, 208_448_235)],
)
def test_published_networks_have_the_published_counts(inputs, classes, parameters):
    with torch.device("meta"):
        network = VGG19Network(PUBLISHED, (inputs, 4096, 4096, classes))
    assert sum(weight.numel() for weight in network.parameters()) == parameters
    assert len(network.state_dict()) == 16 * 7 + 6


def test_keys_and_shapes_are_torchvisions():
    vgg19_bn = pytest.importorskip("torchvision.models").vgg19_bn
    with torch.device("meta"):
        theirs = vgg19_bn(init_weights=False).state_dict()
        ours = VGG19Network(PUBLISHED, (25088, 4096, 4096, 1000)).state_dict()
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in theirs.items()}


def test_taps_are_torchvisions_layers(published):
    vgg, weights = published
    vgg19_bn = pytest.importorskip("torchvision.models").vgg19_bn
    with torch.device("meta"):
        theirs = vgg19_bn(init_weights=False).features
    theirs = theirs.to_empty(device="cpu").eval()
    theirs.load_state_dict({key.removeprefix("features."): v for key, v in weights.items()})
    seen = []
    for number in TAPS:
        theirs[number].register_forward_hook(lambda _, __, output: seen.append(output.clone()))
    images = torch.rand(2, 3, 40, 33, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        theirs(images)
    kinds = [type(theirs[number]).__name__ for number in TAPS]
    assert kinds == ["ReLU", "MaxPool2d", "ReLU", "Conv2d", "ReLU"]
    found = vgg.features(images)
    assert [x.shape[1:] for x in found] == [
        (64, 40, 33), (64, 20, 16), (128, 20, 16), (256, 10, 8), (512, 5, 4)
    ]  # fmt: skip
    for ours, wanted in zip(found, seen, strict=True):
        torch.testing.assert_close(ours, wanted)


def test_the_loss_agrees_with_fsgans(published, fill):
    # YuvalNirkin/fsgan, fsgan/criterions/vgg_loss.py, with `torch.load` giving the drawn weights:
    #   x, y = (fill.input_for(f"vgg19.{k}", (2, 3, 40, 32)) for k in "xy")
    #   loss = VGGLoss("").eval()(x.requires_grad_(), y); loss.backward()
    #   loss, x.grad.abs().sum(), x.grad[0, :, 5, 7]
    #   [m.abs().mean() for m in criterion.vgg(x)]
    vgg, _ = published
    x, y = (fill.input_for(f"vgg19.{name}", (2, 3, 40, 32)) for name in "xy")
    means = torch.stack([maps.abs().mean() for maps in vgg.features(x)])
    wanted = torch.tensor([0.2248022, 0.4231126, 0.1461685, 0.1643979, 0.1039342])
    torch.testing.assert_close(means, wanted)
    loss = loss_of(vgg, x.requires_grad_(), y)
    loss.backward()
    torch.testing.assert_close(loss.item(), 0.0432308, rtol=1e-4, atol=0)
    torch.testing.assert_close(x.grad.abs().sum().item(), 0.0709850, rtol=1e-3, atol=0)
    pixel = torch.tensor([8.5158135e-06, -2.0970216e-05, 4.5389925e-07])
    torch.testing.assert_close(x.grad[0, :, 5, 7], pixel, atol=1e-8, rtol=1e-3)


# ---- loading ----


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("side", [1, 2])
def test_the_classifier_is_checked_and_dropped(tmp_path, suffix, side):
    # safetensors sorts keys, so that layer 10 comes before layer 3
    state = build((7 * side**2, 6, 5, 3)).state_dict()
    path = tmp_path / f"vggface2_vgg19_256_1_2_id{suffix}"
    if suffix == ".pth":
        torch.save({"state_dict": state, "arch": "vgg.vgg19()", "epoch": 3}, path)
    else:
        save_file(state, path)
    model = models.load(path, "perceptual net")
    assert isinstance(model, VGG19)
    kept = {key: value for key, value in state.items() if key.startswith("features.")}
    torch.testing.assert_close(dict(model.network.state_dict()), kept)


def test_old_files_without_counters_load(state):
    old = {key: value for key, value in state.items() if not key.endswith("tracked")}
    assert models.load(old).name == "vgg19"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classifier.3.bias": None}, r"missing: classifier\.3\.bias"),
        ({"features.41.weight": None}, r"missing: features\.41\.weight"),
        ({"classifier.6.scale": torch.ones(1)}, r"unexpected: classifier\.6\.scale"),
        ({"classifier.3.weight": torch.ones(5, 7)}, r"classifier\.3\.weight is \[5, 7\], wanted"),
    ],
)
def test_other_weights_of_its_kind_are_named(state, change, message):
    changed = {key: value for key, value in {**state, **change}.items() if value is not None}
    with pytest.raises(models.CheckpointError, match=message):
        models.load(changed)


def test_networks_of_other_depth_or_without_normalisation_are_not_it(state):
    vgg16 = {k: v for k, v in state.items() if not k.startswith(("features.49.", "features.50."))}
    plain = {k: v for k, v in state.items() if "running" not in k}
    headless = {k: v for k, v in state.items() if k != "classifier.6.weight"}
    for foreign in (vgg16, plain, headless, {**state, "aux.weight": torch.ones(1)}):
        with pytest.raises(models.CheckpointError, match="no known architecture"):
            models.load(foreign)


def test_another_loader_says_what_it_is_for(state):
    with pytest.raises(
        models.CheckpointError, match=r"a perceptual net, .*it only serves training"
    ):
        models.load(state, "encoder")


# ---- features ----


def test_gradients_reach_the_pictures_only(vgg):
    x, y = torch.rand(2, 2, 3, 24, 16, generator=torch.Generator().manual_seed(0))
    x, y = x.requires_grad_(), y.requires_grad_()
    loss_of(vgg, x, y).backward()
    assert x.grad.flatten(1).abs().amax(1).min() > 0
    assert y.grad is None
    assert all(weight.grad is None for weight in vgg.network.parameters())


@pytest.mark.parametrize("count", [0, 1, 3])
def test_any_number_of_pictures(vgg, count):
    found = vgg.features(torch.rand(count, 3, 17, 8))
    assert [x.shape for x in found] == [
        (count, 4, 17, 8), (count, 5, 8, 4), (count, 7, 8, 4), (count, 4, 4, 2), (count, 6, 2, 1)
    ]  # fmt: skip


@pytest.mark.parametrize("shape", [(3, 16, 16), (1, 4, 16, 16), (1, 3, 7, 16)])
def test_what_is_no_batch_of_pictures_is_refused(vgg, shape):
    with pytest.raises(ValueError, match=r"VGG-19 wants images \[N, 3, H, W\] of 8 px"):
        vgg.features(torch.rand(shape))
