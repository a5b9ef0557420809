"""Projections that go through a long log together read and decode each event once for all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import pytest
from lab import Lab
from spending import Hosts, charged, record

from flowledger.engine.domain.event import Event
from flowledger.engine.events import StepCompleted, StepEnqueued, StepStarted
from flowledger.engine.ports import Recorded
from flowledger.projections import Cursor, Projection, on_batch

EVENTS = 300
SIZES = {"batch_size": 5, "kept_events": 10}
APART = 12
"""Steps after which the second begins: further behind than what is kept of the log."""


class Walk(Projection):
    """It keeps the events that it was given since it began anew, and stops at one of them."""

    name, version = "walk", 1
    tables = "create table {schema}.nothing (n int)"
    seen: ClassVar[dict[int, Event]]
    ends_at: ClassVar[int]

    @on_batch(StepEnqueued, StepStarted, StepCompleted)
    def happened(self, events: Sequence[Recorded], cursor: Cursor) -> None:
        for position, _, event in events:
            if position == self.ends_at:
                raise ValueError("no further")
            self.seen[position] = event


def walk(name: str) -> type[Walk]:
    return type("Walk", (Walk,), {"name": name, "version": 1, "seen": {}, "ends_at": 0})


@pytest.fixture
def last(lab: Lab) -> int:
    """The last position of a long log."""
    return record(lab, [charged("ann") for _ in range(EVENTS)])


@pytest.mark.parametrize("connections", [1, 2])
def test_who_is_ahead_waits_until_both_read_the_same(
    last: int, hosts: Hosts, connections: int
) -> None:
    one, two = walk("one"), walk("two")
    host = hosts.host(one, two, connections=connections, **SIZES)
    host.settle()
    one.seen.clear()
    two.seen.clear()

    hosts.projections.rebuild("one")
    for _ in range(APART):
        host.step()
    ahead = max(one.seen)
    hosts.projections.rebuild("two")
    host.settle()

    assert len(one.seen) == len(two.seen) == EVENTS
    assert ahead > 4 * SIZES["kept_events"]
    apart = [position for position in one.seen if one.seen[position] is not two.seen[position]]
    assert max(apart) <= ahead + 4 * SIZES["batch_size"]  # what was read ahead is read again


def test_nobody_waits_for_who_does_not_come(last: int, hosts: Hosts) -> None:
    one, two = walk("one"), walk("two")
    host = hosts.host(one, two, **SIZES)
    host.settle()
    one.seen.clear()
    two.seen.clear()
    two.ends_at = last - EVENTS // 2

    for name in ("one", "two"):
        hosts.projections.rebuild(name)
    for _ in range(EVENTS):
        host.step()

    assert max(two.seen) < two.ends_at
    assert len(one.seen) == EVENTS
