from __future__ import annotations

from pathlib import Path

import pytest
import torch

from faceloom.models.facemesh.network import FaceMeshNetwork
from faceloom.models.yunet.network import YuNetNetwork


@pytest.fixture(scope="session")
def shared_weights():
    """The public weights next to the checkout, which the project itself does not ship."""
    folder = Path(__file__).resolve().parents[3] / "shared" / "weights"
    if not folder.is_dir():
        pytest.skip("the public weights are not in ../shared/weights")
    return folder


def _random_state(network):
    generator = torch.Generator().manual_seed(7)
    return {
        key: torch.rand(value.shape, generator=generator) / 10 + 0.1
        if value.is_floating_point()
        else value
        for key, value in network.state_dict().items()
    }


@pytest.fixture(scope="session")
def yunet_state():
    return _random_state(YuNetNetwork([4, 6, 8, 8, 8, 8], shared=2))


@pytest.fixture(scope="session")
def facemesh_state():
    return _random_state(FaceMeshNetwork([4, 6, 8, 8, 8], hidden=5))
