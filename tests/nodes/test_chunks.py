from __future__ import annotations

import pytest
import torch

from faceloom.nodes import FaceMask, InpaintFace, MatchColour, chunks
from faceloom.nodes.chunks import chunk_size, in_chunks
from faceloom.ops.face_regions import PARTS

HOLE = torch.zeros(1, 64, 64)
HOLE[:, 26:34, 18:28] = 1
KEEP = {f"keep_{part}": part == "eyes" for part in PARTS}
WORK = {
    "colour": lambda crops: MatchColour.execute(
        crops, crops[range(len(crops))[::-1]].as_frames(), "linear (MKL)", 1.0, 1.0
    ),
    "inpaint": lambda crops: InpaintFace.execute(crops, "mirror", HOLE),
    "mask": lambda crops: FaceMask.execute(crops, shape="face", skin_only=True, **KEEP),
}


@pytest.mark.parametrize("work", WORK)
def test_pieces_make_no_difference(crops, work, monkeypatch: pytest.MonkeyPatch):
    many = crops.as_frames()[[0, 1, 2, 3, 2]]
    monkeypatch.setattr(chunks, "chunk_size", lambda: 5)
    whole, *_ = WORK[work](many).args
    monkeypatch.setattr(chunks, "chunk_size", lambda: 2)
    pieces, *_ = WORK[work](many).args
    torch.testing.assert_close(pieces.image, whole.image, atol=1e-5, rtol=0)
    if whole.mask is not None:
        torch.testing.assert_close(pieces.mask, whole.mask, atol=1e-5, rtol=0)


def test_a_cpu_takes_one_at_a_time_so_that_a_run_stops_soon(monkeypatch):
    assert chunk_size() == 1
    monkeypatch.setattr(chunks, "compute_device", lambda: torch.device("meta"))
    assert chunk_size() == 8


@pytest.mark.parametrize(("size", "pieces"), [({}, [8, 8, 1]), ({"size": 5}, [5, 5, 5, 2])])
def test_pieces_are_of_a_size_and_come_back_in_order(size, pieces):
    assert sum(pieces) == 17
    seen = []

    def halve(a, b):
        seen.append(len(a))
        return a / 2, b

    numbers = torch.arange(17.0)
    halved, same = in_chunks(halve, numbers, -numbers, **size)
    assert seen == pieces
    assert torch.equal(halved, numbers / 2)
    assert torch.equal(same, -numbers)


def test_nothing_is_one_empty_piece():
    (halved,) = in_chunks(lambda a: (a / 2,), torch.zeros(0, 3))
    assert halved.shape == (0, 3)
