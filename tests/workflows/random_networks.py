"""Small networks of random weights for the workflows whose weights nobody may ship."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file

from faceloom.models.aei import AEISizes
from faceloom.models.arcface.network import IResNetNetwork
from faceloom.models.attribute_encoder import UNetSizes
from faceloom.models.faceshifter.network import FaceShifterNetwork
from faceloom.models.ghost.network import GHOSTNetwork
from faceloom.models.hear.network import HEARNetwork
from faceloom.models.ir_se50.network import IRSE50Network
from faceloom.models.mfim.network import MFIMNetwork
from faceloom.models.mfim.options import MFIMOptions
from faceloom.models.rafswap.encoder import EncoderSizes
from faceloom.models.rafswap.network import RAFSwapNetwork
from faceloom.models.stylegan2.network import StyleGAN2Network

LENGTH = 16
SIZES = AEISizes(UNetSizes((4,) * 7, (4,) * 6), (8,) * 8, identity=LENGTH)
# Values that let the workflows take them.
GHOST = {
    "FaceLoomLoadSwapGenerator.model": "G_unet_2blocks.pth",
    "FaceLoomLoadFaceEncoder.model": "backbone.pth",
    "FaceLoomSwapFace.trust_encoder": "true",
}
IRSE50 = {"FaceLoomLoadFaceEncoder.model": "model_ir_se50.pth"}
TRUNK = (8, (16, 20, 24, 32))
WIDTHS = (8, 8, 8, 7, 6)
STYLED = 64  # pixels that a generator of these widths makes
# Random masks are grey: twice as strong they replace the face. The source stays as it is.
RAFSWAP = {"Target crops.size": STYLED, "FaceLoomPredictFaceMask.strength": 2.0}
MFIM = {"Target crops.size": STYLED}
# A generator of 64 px has fewer codes than one of 1024.
MIXING = MFIM | {"FaceLoomMixIdentityCodes.boundary": 11}


def small_rafswap() -> RAFSwapNetwork:
    """RAFSwap of 64 px."""
    network = RAFSwapNetwork(EncoderSizes(*TRUNK, 10, 24, style=16), STYLED, WIDTHS, 2, (3, 7))
    network.latent_avg.normal_()
    return network


def small_mfim() -> MFIMNetwork:
    """MFIM of 64 px, away from the mean face that an untrained one gives."""
    options = MFIMOptions(encoder_size=64, map_sites=(8, 16), code_width=9, code_latents=(5, 8))
    network = MFIMNetwork(StyleGAN2Network(STYLED, WIDTHS, 16, 2), options, *TRUNK)
    for code in network.encoder.codes:
        torch.nn.init.normal_(code.modulation.weight, std=0.3)
    return network


def save_networks(folder: Path) -> Path:
    """Save a small random network under each name."""
    torch.manual_seed(0)
    networks = {
        "G_unet_2blocks.pth": GHOSTNetwork(SIZES),
        "G_latest.pth": FaceShifterNetwork(SIZES),
        "HEAR_latest.pth": HEARNetwork((4,) * 5, (4,) * 4),
        "backbone.pth": IResNetNetwork(3, (4, 5, 6, 7), (1, 1, 1, 1), LENGTH),
        "model_ir_se50.pth": IRSE50Network(16, [16, 16, 32, 32, 48, 64], LENGTH),
        "iteration_200.pt": small_rafswap(),
        "mfim.safetensors": small_mfim(),
    }
    for name, network in networks.items():
        save = save_file if name.endswith(".safetensors") else torch.save
        save(network.state_dict(), folder / name)
    return folder
