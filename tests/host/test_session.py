"""The stand-alone surroundings, and the device they choose."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from faceloom.host import session
from faceloom.host.device import compute_device, intermediate_device, to_intermediate
from faceloom.host.session import Session, best_device, using


def test_sessions_nest_and_end_also_after_an_error():
    outer, inner = Session(input_dir=Path("outer")), Session(input_dir=Path("inner"))

    def fail_inside():
        with using(inner):
            assert session.current() is inner
            raise RuntimeError("stop")

    with using(outer):
        with pytest.raises(RuntimeError, match="stop"):
            fail_inside()
        assert session.current() is outer
    assert session.current().input_dir == Path("input")


def test_a_session_belongs_to_its_thread():
    with using(Session(input_dir=Path("here"))), ThreadPoolExecutor(1) as pool:
        assert pool.submit(session.current).result().input_dir == Path("input")


def test_plain_values_are_taken():
    plain = Session(device="meta", model_folders=["a", "b"])
    assert plain.device == torch.device("meta")
    assert plain.model_folders == (Path("a"), Path("b"))


@pytest.mark.parametrize(
    ("cuda", "mps", "best"),
    [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_the_fastest_device_is_the_default(monkeypatch, cuda, mps, best):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert best_device() == torch.device(best)
    assert compute_device() == torch.device(best)


def test_work_goes_to_the_session_and_results_to_the_cpu():
    with using(Session(device=torch.device("meta"))):
        assert compute_device() == torch.device("meta")
        assert intermediate_device() == torch.device("cpu")
        assert to_intermediate(torch.ones(2, dtype=torch.float64)).dtype == torch.float32
