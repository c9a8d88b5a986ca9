"""Progress and interruption, stand-alone."""

from __future__ import annotations

import pytest

from faceloom.host.progress import Interrupted, aside, steps
from faceloom.host.session import Session, using


@pytest.mark.parametrize(("items", "total"), [("abc", None), (iter("abc"), None), (iter("abc"), 3)])
def test_every_item_is_yielded_then_reported(items, total):
    events = []
    with using(Session(report=lambda done, all_: events.append((done, all_)))):
        for item in steps(items, total):
            events.append(item)
    assert events == ["a", (1, 3), "b", (2, 3), "c", (3, 3)]


def test_nothing_to_do_reports_nothing():
    with using(Session(report=lambda *_: pytest.fail("reported"))):
        assert list(steps([])) == []


def test_an_interrupt_stops_before_the_next_item():
    with using(Session()) as session:
        work = steps("abc")
        assert [next(work), next(work)] == ["a", "b"]
        session.interrupt.set()
        with pytest.raises(Interrupted):
            next(work)


def test_work_aside_reports_elsewhere_and_is_not_stopped():
    seen = []
    with using(Session(report=lambda *_: pytest.fail("reported"))) as session:
        session.interrupt.set()
        with aside(lambda done, total: seen.append((done, total))):
            assert list(steps("ab")) == ["a", "b"]
        assert seen == [(1, 2), (2, 2)]
        with pytest.raises(Interrupted):
            list(steps("ab"))
