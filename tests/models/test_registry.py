from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from faceloom import models
from faceloom.models import registry
from faceloom.models.adaptive_wing.network import AdaptiveWingNetwork
from faceloom.models.aei import AEISizes
from faceloom.models.arcface.network import IResNetNetwork
from faceloom.models.attribute_encoder import UNetSizes
from faceloom.models.bisenet.network import BiSeNetNetwork
from faceloom.models.blazeface.network import BlazeFaceNetwork, Last, chain
from faceloom.models.facemesh.network import FaceMeshNetwork
from faceloom.models.faceshifter.network import FaceShifterNetwork
from faceloom.models.faceshifter_maum.network import OPTIONS, MaumFaceShifterNetwork
from faceloom.models.fsanet.network import FSANetNetwork
from faceloom.models.fsgan.network import ResUNet
from faceloom.models.fsgan_segmentation.network import UNet
from faceloom.models.ghost.network import GHOSTNetwork
from faceloom.models.graph import Graph
from faceloom.models.hear.network import HEARNetwork
from faceloom.models.hopenet.network import HopenetNetwork
from faceloom.models.hrnet.network import HRNetNetwork
from faceloom.models.ir_se50.network import IRSE50Network
from faceloom.models.lip_spade.network import LIPSPADENetwork
from faceloom.models.loom_detector.network import LoomDetectorNetwork
from faceloom.models.loom_encoder.network import LoomEncoderNetwork
from faceloom.models.loom_landmarker.network import LoomLandmarkerNetwork
from faceloom.models.loom_parser.network import LoomParserNetwork
from faceloom.models.mfim.network import MFIMNetwork
from faceloom.models.mfim.options import MFIMOptions
from faceloom.models.mobilefacenet.network import MobileFaceNetNetwork
from faceloom.models.patch_discriminator.network import PatchDiscriminatorNetwork
from faceloom.models.pfld.network import PFLDNetwork
from faceloom.models.rafswap.encoder import EncoderSizes
from faceloom.models.rafswap.network import RAFSwapNetwork
from faceloom.models.registry import ARCHITECTURES, find_architecture
from faceloom.models.retinaface.network import MobileNet, RetinaFaceNetwork
from faceloom.models.slim68.network import SlimNetwork
from faceloom.models.stylegan2.adapter import StyleGAN2
from faceloom.models.stylegan2.network import StyleGAN2Network
from faceloom.models.stylegan2_discriminator.network import StyleGAN2DiscriminatorNetwork
from faceloom.models.vgg19.network import VGG19Network
from faceloom.models.yunet.network import YuNetNetwork


def back_camera(widths):
    strides = ((1,) * 7 + (2,)) * 3 + (1,) * 7
    body = torch.nn.Sequential(*chain(widths, strides, 3))
    return BlazeFaceNetwork({"backbone": body, "final": Last(widths[-1])}, {8: 16, 16: 16})


def aei_sizes(bias=False, **others):
    return AEISizes(UNetSizes((4, 5, 6), (5, 3), bias=bias), (9, 8, 8, 7), identity=9, **others)


def restoreformer():
    from spandrel.architectures.RestoreFormer import RestoreFormer

    sizes = {"n_embed": 16, "embed_dim": 8, "ch": 32, "z_channels": 8}
    return RestoreFormer(**sizes, ch_mult=(1,) * 6, num_res_blocks=1)


def mfim():
    decoder = StyleGAN2Network(32, (6, 5, 4, 3), style=9, mapping=2)
    options = MFIMOptions(encoder_size=32, map_sites=(4, 32), code_width=5)
    return MFIMNetwork(decoder, options, 8, (16, 18, 20, 24))


def rafswap():
    sizes = EncoderSizes(8, (16, 32, 48, 64), layers=8, hidden=24, style=9)
    return RAFSwapNetwork(sizes, 32, (6, 5, 4, 3), mapping=2, mask=(3, 7))


NETWORKS = {
    "adaptive_wing": lambda: AdaptiveWingNetwork((4, 8, 12), stacks=2, depth=2, points=98),
    "arcface": lambda: IResNetNetwork(3, (4, 5, 6, 7), (2, 1, 3, 1), 9),
    "bisenet": lambda: BiSeNetNetwork((4, 6, 8, 10), (1, 2, 1, 1), context=4, classes=19),
    "blazeface": lambda: back_camera([8] * 16 + [12] * 8 + [16] * 8),
    "facemesh": lambda: FaceMeshNetwork([4, 6, 8, 8, 8], hidden=5),
    "faceshifter": lambda: FaceShifterNetwork(aei_sizes()),
    "faceshifter_maum": lambda: MaumFaceShifterNetwork(aei_sizes(bias=True, options=OPTIONS)),
    "fsanet": lambda: FSANetNetwork([4, 5, 6, 7], 64, primary=3, rows=2, parts=(2, 2, 4)),
    "fsgan_blending": lambda: ResUNet(7, (4, 6), (0, 1), {"out_conv": 3}),
    "fsgan_inpainting": lambda: ResUNet(4, (4, 6), (0, 1), {"out_conv": 3}),
    "fsgan_reenactment": lambda: ResUNet(71, (4, 6), (0, 1), {"out_conv1": 3, "out_conv2": 3}),
    "fsgan_segmentation": lambda: UNet((4, 5, 6, 7, 8), 3),
    "hopenet": lambda: HopenetNetwork(4, (1, 2, 1, 1)),
    "hrnet": lambda: HRNetNetwork(4, 2, (3, 4, 5, 6), (1, 2, 1), (1, 2, 1), 98),
    "ghost": lambda: GHOSTNetwork(aei_sizes()),
    "hear": lambda: HEARNetwork([4, 5, 6, 7, 8], [9, 3, 2, 10]),
    "ir_se50": lambda: IRSE50Network(16, [16, 16, 32, 32, 48, 64], 9),
    "lip_spade": lambda: LIPSPADENetwork((4, 6, 8, 8), (6, 4), hidden=5),
    "loom_detector": lambda: LoomDetectorNetwork((4, 6), 8),
    "loom_encoder": lambda: LoomEncoderNetwork((4, 6, 8, 10), (1, 0, 2, 1), 5, 12, 9),
    "loom_landmarker": lambda: LoomLandmarkerNetwork((4, 6, 8, 8, 4), (0, 1, 2, 0, 0), hidden=7),
    "loom_parser": lambda: LoomParserNetwork((4, 6, 8, 10, 12), (0, 1, 0, 2, 1), head=5),
    "mfim": mfim,
    "mobilefacenet": lambda: MobileFaceNetNetwork(
        6, [(8, 4)] * 5 + [(8, 6)] * 7 + [(8, 5)] * 3, 7, 9
    ),
    "patch_discriminator": lambda: PatchDiscriminatorNetwork(3, (4, 5, 6, 7), batch_norm=False),
    "pfld": lambda: PFLDNetwork([4, 6, 3, 5, 7], 98),
    "rafswap": rafswap,
    "retinaface": lambda: RetinaFaceNetwork(MobileNet(8), [64, 128, 256], 64),
    "slim68": lambda: SlimNetwork([4] * 13),
    "stylegan2": lambda: StyleGAN2Network(16, (6, 5, 4), style=7, mapping=2),
    "stylegan2_discriminator": lambda: StyleGAN2DiscriminatorNetwork((4, 5, 6)),
    "vgg19": lambda: VGG19Network([4] * 16),
    "spandrel_restorer": restoreformer,
    "yunet": lambda: YuNetNetwork([4, 6, 8, 8, 8, 8], shared=2),
}
"""A small network of every architecture that loads from tensors."""
GRAPHS = {
    "facemesh478", "fairface", "fan2d", "genderage", "insightface_landmarks", "peppa", "scrfd",
    "xseg", "yoloface",
}  # fmt: skip
"""Those that load from ONNX graphs only."""
PROTOCOLS = {
    "detector": models.Detector,
    "landmarker": models.Landmarker,
    "encoder": models.Encoder,
    "parser": models.Parser,
    "occluder": models.Occluder,
    "attributes": models.Attributes,
    "head pose": models.HeadPose,
    "swapper": (models.Swapper, models.StyleSwapper),
    "refiner": models.Refiner,
    "restorer": models.Restorer,
    "reenactor": models.Reenactor,
    "inpainter": models.Inpainter,
    "blender": models.Blender,
    "generator": StyleGAN2,
    "discriminator": models.Discriminator,
    "perceptual net": models.PerceptualNet,
}


@pytest.fixture(scope="module")
def states():
    torch.manual_seed(0)
    return {name: build().state_dict() for name, build in NETWORKS.items()}


def entry_of(name):
    (entry,) = (entry for entry in ARCHITECTURES if entry.name == name)
    return entry


def test_the_lists_here_are_whole():
    assert sorted([*NETWORKS, *GRAPHS]) == sorted(entry.name for entry in ARCHITECTURES)
    assert not any(entry_of(name).load_graph is None for name in GRAPHS)


@pytest.mark.parametrize("name", NETWORKS)
def test_each_architecture_knows_its_own_weights_only(name, states):
    # So the order of the list has no meaning.
    assert [entry.name for entry in ARCHITECTURES if entry.detect(states[name])] == [name]


def test_no_architecture_claims_foreign_content():
    foreign = {"backbone.0.weight": torch.ones(4, 3, 3, 3), "conv1.weight": torch.ones(1)}
    graph = Graph({"input": (1, 3, None, None)}, {"cls_8": (1, None, 1)}, None)
    for entry in ARCHITECTURES:
        assert not entry.detect({})
        assert not entry.detect(foreign)
        assert not entry.detect_graph(graph)
    with pytest.raises(models.CheckpointError, match="the graph goes from input to cls_8"):
        find_architecture(graph)


@pytest.mark.parametrize("name", NETWORKS)
def test_models_say_what_the_registry_says_and_keep_their_weights(name, states):
    entry = entry_of(name)
    model = entry.load(states[name])
    assert (model.name, model.role) == (entry.name, entry.role)
    assert model.licence
    assert isinstance(model, PROTOCOLS[entry.role])
    torch.testing.assert_close(dict(model.network.state_dict()), dict(states[name]))


@pytest.mark.parametrize("role", ["detector", "landmarker", "encoder", "parser"])
def test_the_shipped_weights_load_as_the_only_ones_of_their_role(role):
    assert sum(entry.role == role and entry.built_in is not None for entry in ARCHITECTURES) == 1
    path = models.built_in(role)
    assert path.stat().st_size < 3_000_000
    assert models.load(path, role).role == role


def test_shipped_weights_are_small_together():
    sizes = [entry.built_in.stat().st_size for entry in ARCHITECTURES if entry.built_in]
    assert sum(sizes) <= 8_000_000


def test_built_in_weights_are_named_or_the_lack_of_them(monkeypatch, tmp_path):
    shipped = replace(ARCHITECTURES[0], role="occluder", built_in=tmp_path / "weights.safetensors")
    monkeypatch.setattr(registry, "ARCHITECTURES", (*ARCHITECTURES, shipped))
    assert models.built_in("occluder") == tmp_path / "weights.safetensors"
    with pytest.raises(models.CheckpointError, match="no built-in head pose; choose a file"):
        models.built_in("head pose")
