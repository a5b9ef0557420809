"""Projections of one process are applied side by side, and each fails for itself."""

from __future__ import annotations

from threading import Barrier, BrokenBarrierError
from typing import Any, ClassVar

from flowledger.engine.events import StepCompleted
from flowledger.projections import Cursor, on
from support.engines import PATIENCE, EngineHarness
from support.projection_hosts import ProjectionHosts
from support.spend_projection import Spend, charged, fold, record, rows, spending


class Meeting(Spend):
    """It waits for another one that comes as far at the same time, and notes whether it came."""

    name, version = "meeting", 1
    barrier: ClassVar[Barrier]
    patience: ClassVar[float]
    met: ClassVar[list[bool]]

    @on(StepCompleted, template="order", step="charge")
    def charged(self, event: StepCompleted, cursor: Cursor) -> None:
        try:
            self.barrier.wait(self.patience)
        except BrokenBarrierError:
            self.met.append(False)
        else:
            self.met.append(True)
        super().charged(event, cursor)


def pair(patience: float) -> list[type[Meeting]]:
    shared: dict[str, Any] = {"barrier": Barrier(2), "patience": patience, "met": [], "version": 1}
    return [type("Meeting", (Meeting,), {"name": name, **shared}) for name in ("one", "two")]


def test_one_is_applied_while_another_is(harness: EngineHarness, hosts: ProjectionHosts) -> None:
    record(harness, [charged("ann", 2), charged("bob", 3)])
    one, two = pair(PATIENCE)

    hosts.host(one, two, connections=2).settle()

    assert rows(harness, "one") == rows(harness, "two") == fold(harness) == {"ann": 2, "bob": 3}
    assert one.met == [True] * 4


def test_no_more_of_them_than_there_are_connections(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    record(harness, [charged("ann")])
    one, two = pair(0.2)

    hosts.host(one, two, connections=1).settle()

    assert rows(harness, "one") == rows(harness, "two") == fold(harness)
    assert one.met == [False] * 2


def test_what_stops_one_does_not_stop_the_other(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    record(harness, [charged("ann"), charged("bob")])
    broken = spending(name="broken_one", broken={"bob"})

    host = hosts.host(broken, spending(name="well"), connections=2)
    for _ in range(6):
        host.step()

    assert rows(harness, "well") == fold(harness)
    assert rows(harness, "broken_one") == {"ann": 1}
    assert "bob is broken" in str(hosts.projections.status("broken_one").failure)
