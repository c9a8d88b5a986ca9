"""Small networks of random weights for the workflows whose weights nobody may ship."""

from __future__ import annotations

from pathlib import Path

import torch

from faceloom.models.aei import AEISizes
from faceloom.models.arcface.network import IResNetNetwork
from faceloom.models.attribute_encoder import UNetSizes
from faceloom.models.faceshifter.network import FaceShifterNetwork
from faceloom.models.ghost.network import GHOSTNetwork
from faceloom.models.hear.network import HEARNetwork
from faceloom.models.ir_se50.network import IRSE50Network

LENGTH = 16
SIZES = AEISizes(UNetSizes((4,) * 7, (4,) * 6), (8,) * 8, identity=LENGTH)
# Values that let the workflows take them.
GHOST = {
    "FaceLoomLoadSwapGenerator.model": "G_unet_2blocks.pth",
    "FaceLoomLoadFaceEncoder.model": "backbone.pth",
    "FaceLoomSwapFace.trust_encoder": "true",
}
IRSE50 = {"FaceLoomLoadFaceEncoder.model": "model_ir_se50.pth"}


def save_networks(folder: Path) -> Path:
    """Save a small random network under each name."""
    torch.manual_seed(0)
    networks = {
        "G_unet_2blocks.pth": GHOSTNetwork(SIZES),
        "G_latest.pth": FaceShifterNetwork(SIZES),
        "HEAR_latest.pth": HEARNetwork((4,) * 5, (4,) * 4),
        "backbone.pth": IResNetNetwork(3, (4, 5, 6, 7), (1, 1, 1, 1), LENGTH),
        "model_ir_se50.pth": IRSE50Network(16, [16, 16, 32, 32, 48, 64], LENGTH),
    }
    for name, network in networks.items():
        torch.save(network.state_dict(), folder / name)
    return folder
