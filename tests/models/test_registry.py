from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from faceloom import models
from faceloom.models import registry
from faceloom.models.graph import Graph
from faceloom.models.registry import ARCHITECTURES, find_architecture


@pytest.fixture
def states(yunet_state, facemesh_state):
    return {"yunet": yunet_state, "facemesh": facemesh_state}


def test_each_architecture_knows_its_own_weights_only(states):
    # So the order of the list has no meaning.
    assert sorted(states) == sorted(entry.name for entry in ARCHITECTURES)
    for name, state in states.items():
        assert [entry.name for entry in ARCHITECTURES if entry.detect(state)] == [name]


def test_no_architecture_claims_foreign_content():
    foreign = {"backbone.0.weight": torch.ones(4, 3, 3, 3), "conv1.weight": torch.ones(1)}
    graph = Graph({"input": (1, 3, None, None)}, {"cls_8": (1, None, 1)}, None)
    for entry in ARCHITECTURES:
        assert not entry.detect({})
        assert not entry.detect(foreign)
        assert not entry.detect_graph(graph)
    with pytest.raises(models.CheckpointError, match="the graph goes from input to cls_8"):
        find_architecture(graph)


def test_models_say_what_the_registry_says(states):
    for entry in ARCHITECTURES:
        model = entry.load(states[entry.name])
        assert (model.name, model.role) == (entry.name, entry.role)
        assert model.licence
        protocol = {"detector": models.Detector, "landmarker": models.Landmarker}[entry.role]
        assert isinstance(model, protocol)


def test_random_weights_come_back_unchanged(states):
    for entry in ARCHITECTURES:
        state = entry.load(states[entry.name]).network.state_dict()
        torch.testing.assert_close(state, states[entry.name])


def test_built_in_weights_are_named_or_the_lack_of_them(monkeypatch, tmp_path):
    shipped = replace(ARCHITECTURES[0], role="parser", built_in=tmp_path / "weights.safetensors")
    monkeypatch.setattr(registry, "ARCHITECTURES", (*ARCHITECTURES, shipped))
    assert models.built_in("parser") == tmp_path / "weights.safetensors"
    with pytest.raises(models.CheckpointError, match="no built-in head pose; choose a file"):
        models.built_in("head pose")
