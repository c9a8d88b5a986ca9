from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from faceloom import models
from faceloom.models.fsgan.network import Enhancer, MultiScaleResUNet, ResUNet, halved
from faceloom.ops.heatmaps import disc_power8, patch_gaussian

ONE, TWO = {"out_conv": 3}, {"out_conv1": 3, "out_conv2": 3}
ROLES = {4: "inpainter", 7: "blender", 71: "reenactor", 101: "reenactor"}


def network(inputs, flats, heads, first, width):
    """The whole network as FSGAN's constructors size it: `flats` from the enhancer downwards."""
    base = ResUNet(inputs, (2 * width, 4 * width, 8 * width), flats[1:], heads)
    return MultiScaleResUNet(base, Enhancer(inputs, width, 2 * width, flats[0], heads, first))


# Channels, residual blocks, heads, and whether it is of the first generation; systems.md, 1b.
PUBLISHED = {
    "Gr v2": ((101, (2, 2, 2, 2), ONE, False), 76_003_840, 152),
    "Gc v2": ((4, (2, 2, 2, 2), ONE, False), 74_178_688, 152),
    "Gb v2": ((7, (2, 2, 2, 2), ONE, False), 74_235_136, 152),
    "Gr v1": ((71, (2, 0, 2, 3), TWO, True), 94_669_184, 154),
    "Gc v1": ((4, (2, 0, 2, 3), ONE, True), 93_352_064, 152),
    "Gb v1": ((7, (1, 0, 1, 1), ONE, True), 49_750_272, 104),
}
# Outputs of FSGAN's own classes with ngf=4, from fill.py's weights, at pixel (30, 20):
#     from fsgan.models import res_unet, res_unet_split  # of branch v1, or of master
#     sizes = dict(in_nc=71, out_nc=(3, 3), flat_layers=(2, 0, 2, 3), ngf=4)  # of Gr v1
#     net = res_unet_split.MultiScaleResUNet(**sizes)
#     net.load_state_dict(fill.state_dict_for(net.state_dict())); net.eval()
#     x = fill.input_for("fsgan Gr", (1, 71, 64, 64))  # or Gc, Gb
#     y = net([x, F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)])
#     torch.cat(y, 1)[0, :, 20, 30]
GOLDEN = {
    "Gr v1": [0.0909, 0.0307, 0.1615, -0.0265, -0.0333, -0.3268],
    "Gc v1": [-0.1257, -0.3293, -0.0032],
    "Gb v1": [0.161, -0.2955, -0.0824],
    "Gb v2": [-0.5614, -0.9313, -0.9661],
}
# The same from the base alone: `net.load_state_dict(base); net([x])`.
GOLDEN_BASE = {
    "Gr v1": [-0.8781, 0.8807, 0.8784, 0.8443, 0.571, 0.5771],
    "Gb v2": [-0.8508, -0.9326, 0.9371],
}


@pytest.fixture(scope="module")
def weights(fill):
    """Small weights of each published network, drawn by fill.py."""

    def draw(name):
        return fill.state_dict_for(network(*PUBLISHED[name][0], width=4).state_dict())

    return draw


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_networks_have_the_published_counts(name):
    sizes, parameters, entries = PUBLISHED[name]
    with torch.device("meta"):
        built = network(*sizes, width=128)
    assert sum(weight.numel() for weight in built.parameters()) == parameters
    assert len(built.state_dict()) == entries


@pytest.mark.parametrize("part", ["reenactment", "inpainting", "blending"])
def test_published_networks_agree_with_the_reference(part, reference):
    fsgan = reference(f"fsgan_{part}_v2")
    model = models.load({"state_dict": fsgan.weights(), "arch": "res_unet.MultiScaleResUNet()"})
    assert model.name == f"fsgan_{part}"
    with torch.no_grad():
        fsgan.check(image=model.network(fsgan.input("x")))


@pytest.mark.parametrize("name", GOLDEN)
def test_either_generation_agrees_with_its_branch(name, weights, fill):
    state = weights(name)
    inputs = PUBLISHED[name][0][0]
    model = models.load(state, ROLES[inputs])
    x = fill.input_for(f"fsgan {name[:2]}", (1, inputs, 64, 64))
    assert model.network(x)[0, :, 20, 30].tolist() == pytest.approx(GOLDEN[name], abs=1e-4)
    assert torch.equal(model.network(x), model.network(x, halved(x)))
    assert model.size == 256


@pytest.mark.parametrize("name", GOLDEN_BASE)
def test_a_base_alone_works_at_half_the_size(name, weights, fill):
    base = {
        key.removeprefix("base."): value
        for key, value in weights(name).items()
        if key.startswith("base.")
    }
    inputs = PUBLISHED[name][0][0]
    model = models.load(base, ROLES[inputs])
    x = fill.input_for(f"fsgan {name[:2]}", (1, inputs, 64, 64))
    assert model.network(x)[0, :, 20, 30].tolist() == pytest.approx(GOLDEN_BASE[name], abs=1e-4)
    assert model.size == 128
    torch.testing.assert_close(dict(model.network.state_dict()), base)


def test_half_size_averages_what_is_inside_the_picture():
    x, wanted = torch.rand(1, 2, 8, 6), torch.zeros(1, 2, 4, 3)
    for row in range(4):
        for column in range(3):
            inside = x[:, :, max(0, 2 * row - 1) : 2 * row + 2, max(0, 2 * column - 1) :]
            wanted[:, :, row, column] = inside[..., : 3 if column else 2].mean((2, 3))
    torch.testing.assert_close(halved(x), wanted)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("heads", [ONE, TWO], ids=["one head", "two heads"])
@pytest.mark.parametrize("first", [False, True], ids=["second", "first"])
@pytest.mark.parametrize("inputs", ROLES)
def test_role_generation_and_sizes_are_read_from_the_weights(
    inputs, first, heads, suffix, tmp_path
):
    torch.manual_seed(0)
    # Widths that do not double, as where FSGAN limits them, and levels without residual blocks.
    base = ResUNet(inputs, (5, 6, 7, 7), (0, 1, 2, 0), heads)
    wanted = MultiScaleResUNet(base, Enhancer(inputs, 3, 5, 0, heads, first)).eval()
    path = tmp_path / f"any name{suffix}"
    if suffix == ".safetensors":
        save_file(wanted.state_dict(), path)
    else:
        torch.save({"state_dict": wanted.state_dict(), "epoch": 3, "resolution": 256}, path)
    model = models.load(path, ROLES[inputs])
    assert model.network.state_dict().keys() == wanted.state_dict().keys()
    x = torch.rand(2, inputs, 32, 48)
    torch.testing.assert_close(model.network(x), wanted(x))
    if ROLES[inputs] == "reenactor":
        facts = (model.points, model.margin, model.draw)
        assert facts == {71: (68, 2, patch_gaussian), 101: (98, 1.2, disc_power8)}[inputs]


def test_architecture_text_never_runs(tmp_path, weights):
    # FSGAN's object factory evaluates it.
    trace = tmp_path / "ran"
    content = {"state_dict": weights("Gb v1"), "arch": f"__import__('os').mkdir({str(trace)!r})"}
    torch.save(content, tmp_path / "a.pth")
    assert models.load(tmp_path / "a.pth").name == "fsgan_blending"
    assert not trace.exists()


def test_missing_and_foreign_weights_are_named(weights):
    state = weights("Gc v2")
    without = {key: value for key, value in state.items() if not key.startswith("enhancer1.in_")}
    with pytest.raises(models.CheckpointError, match=r"missing: enhancer1\.in_conv\.1\.weight"):
        models.load(without)
    with pytest.raises(models.CheckpointError, match=r"unexpected: enhancer2\.in_conv"):
        models.load({**state, "enhancer2.in_conv.1.weight": torch.ones(1)})
    # Neither of the known numbers of landmarks, nor a mask: nobody knows what it would read.
    six = {**state, "base.in_conv.1.weight": torch.ones(8, 6, 7, 7)}
    with pytest.raises(models.CheckpointError, match="no known architecture"):
        models.load(six)


def test_training_can_go_on(weights):
    net = models.load(weights("Gr v1")).network.train().requires_grad_(True)
    net(torch.rand(2, 71, 32, 32)).square().mean().backward()
    idle = {name for name, weight in net.named_parameters() if weight.grad is None}
    # The base shows its own picture in the first phase only.
    assert idle == {"base.out_conv1.1.weight", "base.out_conv2.1.weight"}


def test_a_batch_is_its_pictures_one_by_one_but_for_training():
    torch.manual_seed(0)
    built = network(4, (1, 1, 1, 1), ONE, False, width=8).eval()
    x = torch.randn(3, 4, 64, 64)
    with torch.no_grad():
        whole = built(x)
        torch.testing.assert_close(whole, built._at_once(x, halved(x)), atol=1e-5, rtol=0)
        torch.testing.assert_close(whole[1:2], built(x[1:2]), atol=1e-5, rtol=0)
        built.train()
        assert (built(x)[1:2] - built(x[1:2])).abs().max() > 1e-3
