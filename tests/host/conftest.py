"""A running ComfyUI with this pack, and the headless runner on the same files."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from faceloom.headless.core_nodes import CORE_NODES
from faceloom.headless.execute import Runner
from faceloom.host.session import Session
from faceloom.nodes import NODES
from faceloom.tests.host.comfyui import Host, checkout
from faceloom.tests.host.pictures import save_pictures
from faceloom.tests.workflows.random_networks import save_networks


@pytest.fixture(scope="package")
def comfyui(tmp_path_factory) -> Iterator[Host]:
    """A running ComfyUI, in a folder as people have them, with pictures and small networks."""
    checkout()
    base = tmp_path_factory.mktemp("host") / "Zoë's Comfy UI 얼굴"
    save_pictures(base / "input")
    (base / "models/faceloom").mkdir(parents=True)
    save_networks(base / "models/faceloom")
    with Host(base) as host:
        yield host


@pytest.fixture
def session(comfyui, tmp_path, monkeypatch) -> Session:
    """Where the headless runner finds the same files."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("FACELOOM_MODELS", raising=False)
    return Session(
        device=torch.device("cpu"),
        model_folders=(comfyui.base / "models/faceloom",),
        input_dir=comfyui.base / "input",
        output_dir=tmp_path / "headless",
    )


@pytest.fixture
def runner(session) -> Runner:
    """The headless runner."""
    return Runner([*NODES, *CORE_NODES], session)
