"""Networks that the host moves."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import nn

from faceloom.host.memory import Hosted
from faceloom.host.session import Session, using


@dataclass
class Detector:
    name: str = "net"
    role: str = "detector"
    network: nn.Module = field(default_factory=lambda: nn.Conv2d(3, 4, 1))


def test_a_network_moves_when_it_is_used_and_not_before():
    detector = Detector()
    hosted = Hosted(detector)
    # "meta" is a device that every machine has.
    with using(Session(device=torch.device("meta"))):
        assert detector.network.weight.device.type == "cpu"
        assert hosted.use() is detector
    assert detector.network.weight.device.type == "meta"


def test_it_says_what_it_holds():
    hosted = Hosted(Detector())
    assert (hosted.role, hosted.name) == ("detector", "net")
    assert repr(hosted) == "Hosted(detector: net)"
