"""Projections that go through a long log together read and decode each event once for all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, ClassVar

import pytest

from flowledger.engine.events import StepCompleted, StepEnqueued, StepStarted
from flowledger.engine.events.base import Event, Recorded
from flowledger.projections import Cursor, Projection, on_batch
from flowledger.projections.host.host import CATCH_UP
from support.engines import EngineHarness
from support.projection_hosts import WORD, ProjectionHosts, Stepped
from support.spend_projection import charged, record

EVENTS = 300
BATCH, KEPT = 5, 10
SIZES = {"batch_size": BATCH, "cached_events": KEPT}


class Walk(Projection):
    """It keeps the events that it was given, and does something before each batch."""

    name, version = "walk", 1
    tables = "create table {schema}.nothing (n int)"
    seen: ClassVar[dict[int, Event]]
    before: ClassVar[Callable[[int], object]]

    @on_batch(StepEnqueued, StepStarted, StepCompleted)
    def happened(self, events: Sequence[Recorded], cursor: Cursor) -> None:
        type(self).before(events[0].position)
        for position, _, event in events:
            self.seen[position] = event


class Narrow(Walk):
    """It does not want all that happens to steps."""

    @on_batch(StepCompleted)
    def happened(self, events: Sequence[Recorded], cursor: Cursor) -> None:
        super().happened(events, cursor)


class Walking:
    """Two of them that are being built, the first of which began earlier."""

    def __init__(
        self, harness: EngineHarness, hosts: ProjectionHosts, connections: int = 1
    ) -> None:
        self.harness = harness
        self.hosts = hosts
        self.connections = connections
        self.last = record(harness, [charged("ann") for _ in range(EVENTS)])
        self.host: Stepped

    def begin(self, ahead: int, kind: type[Walk] = Walk) -> None:
        """The second begins when the first is so many events ahead."""
        self.one, self.two = (
            type(kind.__name__, (kind,), {"name": name, "version": 1, "seen": {}, "before": id})
            for name in ("one", "two")
        )
        self.host = self.hosts.host(self.one, self.two, connections=self.connections, **SIZES)
        self.host.settle()
        self.one.seen.clear()
        self.two.seen.clear()
        self.hosts.projections.rebuild("one", **WORD)
        while len(self.one.seen) < ahead:
            self.host.step()
        self.hosts.projections.rebuild("two", **WORD)

    def moves(self, steps: int) -> list[tuple[int, int]]:
        """How many events each has seen after each of so many steps."""
        found: list[tuple[int, int]] = []
        for _ in range(steps):
            self.host.step()
            found.append((len(self.one.seen), len(self.two.seen)))
        return found


@pytest.fixture
def walking(harness: EngineHarness, hosts: ProjectionHosts) -> Walking:
    return Walking(harness, hosts)


@pytest.mark.parametrize("connections", [1, 2])
def test_who_is_ahead_waits_until_both_read_the_same(
    harness: EngineHarness, hosts: ProjectionHosts, connections: int
) -> None:
    walking = Walking(harness, hosts, connections)
    walking.begin(ahead=5 * KEPT)
    walking.host.settle()

    one, two = walking.one.seen, walking.two.seen
    assert len(one) == len(two) == EVENTS
    # Each has an event of its own; what cannot be changed in it is that which was decoded.
    apart = [at for at in one if one[at].event_id is not two[at].event_id]
    assert len(apart) <= 5 * KEPT + 4 * BATCH  # what was read ahead is read again


def waited(moves: Sequence[tuple[int, int]]) -> bool:
    """Whether the first stood still while the second went on."""
    both = pairwise(moves)
    return any(one == ahead and two > behind for (ahead, behind), (one, two) in both)


def test_nobody_waits_for_who_is_too_far_behind(walking: Walking) -> None:
    walking.begin(ahead=CATCH_UP * KEPT + 4 * BATCH)
    assert not waited(walking.moves(20))


def test_who_wants_little_waits_for_nobody(walking: Walking) -> None:
    walking.begin(5 * KEPT, Narrow)
    assert not waited(walking.moves(20))


def test_nobody_waits_for_who_takes_small_batches(walking: Walking) -> None:
    walking.begin(5 * KEPT)
    walking.two.before = lambda _: walking.host.pass_time(36_000.0)
    moves = walking.moves(20)
    assert moves[-1][1] - moves[0][1] < 20 * BATCH
    assert moves[-1][0] - moves[3][0] == 16 * BATCH


def test_nobody_waits_for_who_does_not_come(walking: Walking) -> None:
    def stop(position: int) -> Any:
        if position > walking.last - EVENTS // 2:
            raise ValueError("no further")

    walking.begin(KEPT)
    walking.two.before = stop
    for _ in range(EVENTS):
        walking.host.step()

    assert len(walking.two.seen) < EVENTS
    assert len(walking.one.seen) == EVENTS


def test_what_serves_does_not_wait_for_long(walking: Walking) -> None:
    walking.begin(EVENTS)
    while len(walking.two.seen) < EVENTS - 8 * KEPT:
        walking.host.step()
    walking.one.seen.clear()

    record(walking.harness, [charged("bob") for _ in range(4 * KEPT)])
    moves = walking.moves(8)

    assert moves[0][0] > 0
    assert not waited(moves)
