from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from faceloom import models
from faceloom.models.stylegan2_discriminator.adapter import StyleGAN2Discriminator
from faceloom.models.stylegan2_discriminator.network import (
    StyleGAN2DiscriminatorNetwork,
    spread_of_groups,
)

from .test_stylegan2_layers import upfirdn

FFHQ = (32, 64, 128, 256, 512, 512, 512, 512, 512)


def build(widths=(4, 5, 6)):
    torch.manual_seed(0)
    network = StyleGAN2DiscriminatorNetwork(widths)
    for key, weight in network.named_parameters():
        if key.endswith("bias"):
            torch.nn.init.normal_(weight)
    return network


@pytest.fixture(scope="module")
def state():
    return build().state_dict()


def literal(state, images):
    """Layer by layer, as rosinality's `Discriminator` runs."""

    def active(x, bias):
        return F.leaky_relu(x + state[bias][:, None, None], 0.2) * 2**0.5

    def conv(x, key, **sizes):
        weight = state[key]
        return F.conv2d(x, weight / math.sqrt(weight[0].numel()), **sizes)

    def linear(x, key, bias):
        return F.linear(x, state[key] / state[key].shape[1] ** 0.5, state[bias])

    x, block = active(conv(images, "convs.0.0.weight"), "convs.0.1.bias"), 1
    while (name := f"convs.{block}.") + "conv1.0.weight" in state:
        y = active(conv(x, f"{name}conv1.0.weight", padding=1), f"{name}conv1.1.bias")
        y = upfirdn(y, state[f"{name}conv2.0.kernel"], pad=(2, 2))
        y = active(conv(y, f"{name}conv2.1.weight", stride=2), f"{name}conv2.2.bias")
        x = upfirdn(x, state[f"{name}skip.0.kernel"], pad=(1, 1))
        x = (y + conv(x, f"{name}skip.1.weight", stride=2)) / 2**0.5
        block += 1
    n, c, h, w = x.shape
    group = min(n, 4)
    spread = (x.view(group, -1, c, h, w).var(0, correction=0) + 1e-8).sqrt().mean((1, 2, 3))
    x = torch.cat((x, spread.repeat(group).view(n, 1, 1, 1).expand(n, 1, h, w)), 1)
    x = active(conv(x, "final_conv.0.weight", padding=1), "final_conv.1.bias").flatten(1)
    x = linear(x, "final_linear.0.weight", "final_linear.0.bias")
    x = F.leaky_relu(x, 0.2) * 2**0.5
    return linear(x, "final_linear.1.weight", "final_linear.1.bias")


def test_published_network_has_the_published_counts():
    with torch.device("meta"):
        network = StyleGAN2DiscriminatorNetwork(FFHQ)
    assert network.size == 1024
    assert sum(weight.numel() for weight in network.parameters()) == 29_012_513
    assert len(network.state_dict()) == 64


def test_published_network_agrees_with_the_reference(reference):
    published = reference("stylegan2_discriminator_256")
    (scores,) = models.load(published.weights(), "discriminator").judge(published.input("x"))
    assert scores.shape == (2, 1, 1, 1)
    published.check(score=scores.flatten(1))


@pytest.mark.parametrize("count", [1, 2, 3, 4, 8])
def test_scores_are_those_of_the_layers_one_by_one(state, count):
    images = torch.rand(count, 3, 16, 16) * 2 - 1
    (scores,) = models.load(state).judge(images)
    torch.testing.assert_close(scores[..., 0, 0], literal(state, images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("count", [0, 5, 6])
def test_any_number_of_pictures_is_judged(state, count):
    images = torch.rand(count, 3, 16, 16) * 2 - 1
    (scores,) = models.load(state).judge(images)
    assert scores.shape == (count, 1, 1, 1)
    assert scores.isfinite().all()


def test_pictures_differ_within_their_group():
    x = torch.randn(6, 3, 4, 4)
    spread = spread_of_groups(x)
    assert spread.shape == (6, 1, 4, 4)
    for members in ([0, 2, 4], [1, 3, 5]):  # two groups, as even as can be
        wanted = (x[members].var(0, correction=0) + 1e-8).sqrt().mean()
        torch.testing.assert_close(spread[members], wanted.expand(3, 1, 4, 4))


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("widths", [(4, 5), (4, 5, 6), (3, 4, 6, 5)])
def test_sizes_are_read_from_shapes(widths, suffix, tmp_path):
    wanted, path = build(widths), tmp_path / f"any name{suffix}"
    state = wanted.state_dict()
    if suffix == ".pt":
        torch.save({"d": state, "d_optim": {"lr": 0.1}}, path)
    else:
        save_file(state, path)
    model = models.load(path, "discriminator")
    assert isinstance(model, StyleGAN2Discriminator)
    assert model.network.size == 4 << len(widths) - 1
    torch.testing.assert_close(dict(model.network.state_dict()), dict(state))


def test_gradients_flow_to_the_pictures_twice(state):
    # R1, the penalty that it is trained with, is a gradient of a gradient's square.
    model, found = models.load(state), []
    images = torch.rand(2, 3, 16, 16, requires_grad=True)
    weight = model.network.get_parameter("convs.1.conv1.0.weight").requires_grad_()
    for judge in (lambda x: model.judge(x)[0], lambda x: literal(model.network.state_dict(), x)):
        (gradient,) = torch.autograd.grad(judge(images).sum(), images, create_graph=True)
        assert (gradient.abs().amax((1, 2, 3)) > 0).all()
        found.append(gradient)
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-6)
    (second,) = torch.autograd.grad(found[0].square().sum(), weight)
    assert second.isfinite().all()
    assert second.abs().max() > 0


def test_half_precision_stays_close(state):
    images = torch.rand(2, 3, 16, 16) * 2 - 1
    (wanted,) = models.load(state).judge(images)
    with torch.autocast("cpu", torch.bfloat16):
        (found,) = models.load(state).judge(images)
    torch.testing.assert_close(found.float(), wanted, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("shape", [(1, 3, 32, 32), (1, 4, 16, 16), (3, 16, 16)])
def test_pictures_of_another_size_are_refused(state, shape):
    with pytest.raises(ValueError, match=r"judges pictures \[N, 3, 16, 16\], got"):
        models.load(state).judge(torch.zeros(shape))


def test_missing_weights_are_named(state):
    lacking = {key: value for key, value in state.items() if key != "convs.1.skip.0.kernel"}
    with pytest.raises(models.CheckpointError, match=r"missing: convs\.1\.skip\.0\.kernel"):
        models.load(lacking)


def test_another_loader_says_what_it_is_for(state):
    message = "a discriminator, where a generator is wanted; it only serves training"
    with pytest.raises(models.CheckpointError, match=message):
        models.load(state, "generator")
